//! One isolate: made from the snapshot ahead of need, used for one run, dropped.

use std::rc::Rc;

use crate::runner::{
    isolate::{extensions::extensions, imports},
    run::{
        interrupt,
        session::{Purpose, Session},
        stack,
    },
    watchdog::{
        limits::{self, Buffers},
        supervisor::Shared,
    },
};
use deno_core::{JsRuntime, RuntimeOptions, v8};
use isochron::runtime::protocol::Settings;

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
}

impl Entries {
    /// Takes the functions from the global `__isochron`, which `boot` deletes.
    ///
    /// # Panics
    /// When the snapshot was not built from `runtime-js`.
    pub(crate) fn take(runtime: &mut JsRuntime) -> Self {
        let [start, finish, fail, abort] =
            ["start", "finish", "fail", "abort"].map(|name| get_function(runtime, name));
        Self { start, finish, fail, abort }
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

/// An isolate that waits for its run. Fields in the order in which they must be dropped.
pub(crate) struct Isolate {
    /// Handles into `runtime`; must be dropped first.
    pub(crate) entries: Entries,
    /// The isolate with its event loop.
    pub(crate) runtime: JsRuntime,
}

impl Isolate {
    /// Makes an isolate and runs everything that can run before the handler is known.
    ///
    /// # Panics
    /// When another program built the snapshot.
    pub(crate) fn new(snapshot: &'static [u8], settings: &Rc<Settings>, shared: &Shared) -> Self {
        let heap = usize::try_from(settings.heap).unwrap_or(usize::MAX);
        let params = v8::CreateParams::default()
            .heap_limits(0, heap)
            .array_buffer_allocator(Buffers::allocator(settings.buffers, shared.watch.clone()));
        let mut runtime = JsRuntime::new(RuntimeOptions {
            startup_snapshot: Some(snapshot),
            extensions: extensions(),
            create_params: Some(params),
            // `runtime-js` calls the ops in the snapshot; newly registered ones would be unreachable.
            skip_op_registration: true,
            ..RuntimeOptions::default()
        });
        runtime.op_state().borrow_mut().put(Session {
            purpose: Purpose::Serving,
            shared: shared.clone(),
            settings: settings.clone(),
            run: None,
        });
        let context = runtime.main_context();
        let isolate = runtime.v8_isolate();
        isolate.set_allow_atomics_wait(false);
        isolate.set_prepare_stack_trace_callback(stack::prepare);
        imports::refuse(isolate);
        context.open(isolate).set_allow_generation_from_strings(settings.eval);
        let entries = Entries::take(&mut runtime);
        call_with_flag(&mut runtime, "boot", settings.web_assembly);
        limits::watch_heap(&mut runtime, shared);
        interrupt::set_context(Some(context));
        Self { entries, runtime }
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        interrupt::set_context(None);
    }
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
