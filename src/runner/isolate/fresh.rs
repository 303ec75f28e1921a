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

/// The functions of `40_run.js`, taken before the handler could.
pub(crate) struct Entries {
    /// Loads the handler and calls it; returns the promise to wait for, if there is one.
    pub(crate) start: v8::Global<v8::Function>,
    /// The handler's promise was fulfilled.
    pub(crate) settled: v8::Global<v8::Function>,
    /// The handler's promise was rejected.
    pub(crate) failed: v8::Global<v8::Function>,
    /// Aborts the handler's signal.
    pub(crate) abort: v8::Global<v8::Function>,
}

impl Entries {
    /// Takes them from the global object, where the snapshot has them until `boot`.
    ///
    /// # Panics
    /// When the snapshot is not made of `runtime-js`.
    pub(crate) fn of(runtime: &mut JsRuntime) -> Self {
        let [start, settled, failed, abort] =
            ["start", "settled", "failed", "abort"].map(|name| function(runtime, name));
        Self { start, settled, failed, abort }
    }
}

/// Calls a function of `runtime-js` that takes at most one boolean.
pub(crate) fn prepare(runtime: &mut JsRuntime, name: &str, argument: bool) {
    let function = function(runtime, name);
    deno_core::scope!(scope, runtime);
    let argument = v8::Boolean::new(scope, argument).into();
    let this = v8::undefined(scope).into();
    let returned = function.open(scope).call(scope, this, &[argument]);
    assert!(returned.is_some(), "runtime-js: {name} threw");
}

fn function(runtime: &mut JsRuntime, name: &str) -> v8::Global<v8::Function> {
    deno_core::scope!(scope, runtime);
    let global = scope.get_current_context().global(scope);
    let ours: v8::Local<v8::Object> = property(scope, global, "__isochron");
    let function: v8::Local<v8::Function> = property(scope, ours, name);
    v8::Global::new(scope, function)
}

/// An isolate that waits for its run. Fields in the order in which they must be dropped.
pub(crate) struct Isolate {
    /// Into `runtime`.
    pub(crate) entries: Entries,
    /// deno_core's runtime.
    pub(crate) runtime: JsRuntime,
}

impl Isolate {
    /// Makes an isolate and runs everything that can run before the handler is known.
    ///
    /// # Panics
    /// When the snapshot does not fit this program.
    pub(crate) fn new(snapshot: &'static [u8], settings: &Rc<Settings>, shared: &Shared) -> Self {
        let heap = usize::try_from(settings.heap).unwrap_or(usize::MAX);
        let params = v8::CreateParams::default()
            .heap_limits(0, heap)
            .array_buffer_allocator(Buffers::allocator(settings.buffers, shared.watch.clone()));
        let mut runtime = JsRuntime::new(RuntimeOptions {
            startup_snapshot: Some(snapshot),
            extensions: extensions(),
            create_params: Some(params),
            // The ops that `runtime-js` calls are the snapshot's; nobody sees new ones.
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
        let entries = Entries::of(&mut runtime);
        prepare(&mut runtime, "boot", settings.web_assembly);
        limits::watch_heap(&mut runtime, shared);
        interrupt::remember(Some(context));
        Self { entries, runtime }
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        interrupt::remember(None);
    }
}

fn property<'s, T>(
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
