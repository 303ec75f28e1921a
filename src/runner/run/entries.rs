//! The entry points of `runtime-js`.

use deno_core::{JsRuntime, v8};

/// The functions of `40_run.js`, taken from the global object before the handler runs.
pub(crate) struct Entries {
    /// Loads and calls the handler; returns a promise if its result is to be awaited.
    pub(crate) start: v8::Global<v8::Function>,
    /// Ends the run with the value of the fulfilled promise.
    pub(crate) finish: v8::Global<v8::Function>,
    /// Ends the run with the reason of the rejected promise.
    pub(crate) fail: v8::Global<v8::Function>,
    /// Aborts the handler's signal.
    pub(crate) abort: v8::Global<v8::Function>,
    /// Answers V8's questions about modules; see `modules::hook`.
    pub(crate) hook: v8::Global<v8::Function>,
}

impl Entries {
    /// Takes the functions from the global `__isochron`, which `boot` deletes.
    ///
    /// # Panics
    /// When the snapshot was not built from `runtime-js`.
    pub(crate) fn take(runtime: &mut JsRuntime) -> Self {
        let [start, finish, fail, abort, hook] =
            ["start", "finish", "fail", "abort", "moduleHook"].map(|name| get_function(runtime, name));
        Self { start, finish, fail, abort, hook }
    }
}

/// Calls a function of `runtime-js` that takes at most one boolean.
pub(crate) fn call_with_flag(runtime: &mut JsRuntime, name: &str, argument: bool) {
    let function = get_function(runtime, name);
    deno_core::scope!(scope, runtime);
    let argument = v8::Boolean::new(scope, argument).into();
    let this = v8::undefined(scope).into();
    let returned = function.open(scope).call(scope, this, &[argument]);
    assert!(returned.is_some(), "runtime-js: {name} threw");
}

fn get_function(runtime: &mut JsRuntime, name: &str) -> v8::Global<v8::Function> {
    deno_core::scope!(scope, runtime);
    let global = scope.get_current_context().global(scope);
    let shared: v8::Local<v8::Object> = get_property(scope, global, "__isochron");
    let function: v8::Local<v8::Function> = get_property(scope, shared, name);
    v8::Global::new(scope, function)
}

fn get_property<'s, T>(
    scope: &mut v8::PinScope<'s, '_>,
    of: v8::Local<'s, v8::Object>,
    name: &str,
) -> v8::Local<'s, T>
where
    v8::Local<'s, T>: TryFrom<v8::Local<'s, v8::Value>>,
{
    let key = v8::String::new(scope, name).expect("a short string");
    let value = of.get(scope, key.into()).and_then(|value| value.try_into().ok());
    value.unwrap_or_else(|| panic!("runtime-js: no {name} in the snapshot"))
}
