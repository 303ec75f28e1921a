//! One isolate: made from the snapshot ahead of need, used for one run, dropped.

use std::rc::Rc;

use deno_core::{JsRuntime, RuntimeOptions, v8};
use isochron::runtime::protocol::Settings;

use super::{
    imports,
    limits::{self, Buffers},
    place,
    session::Session,
    snapshot, stack,
    supervisor::Shared,
};

/// The functions of `40_run.js`, taken before the handler could.
pub(super) struct Entries {
    /// Loads the handler and calls it; returns the promise to wait for, if there is one.
    pub(super) start: v8::Global<v8::Function>,
    /// The handler's promise was fulfilled.
    pub(super) settled: v8::Global<v8::Function>,
    /// The handler's promise was rejected.
    pub(super) failed: v8::Global<v8::Function>,
    /// Aborts the handler's signal.
    pub(super) abort: v8::Global<v8::Function>,
}

/// An isolate that waits for its run. Fields in the order in which they must be dropped.
pub(super) struct Isolate {
    /// Into `runtime`.
    pub(super) entries: Entries,
    /// deno_core's runtime.
    pub(super) runtime: JsRuntime,
}

impl Isolate {
    /// Makes an isolate and runs everything that can run before the handler is known.
    ///
    /// # Panics
    /// When the snapshot does not fit this program.
    pub(super) fn new(snapshot: &'static [u8], settings: &Rc<Settings>, shared: &Shared) -> Self {
        let heap = usize::try_from(settings.heap).unwrap_or(usize::MAX);
        let params = v8::CreateParams::default()
            .heap_limits(0, heap)
            .array_buffer_allocator(Buffers::allocator(settings.buffers, shared.watch.clone()));
        let mut runtime = JsRuntime::new(RuntimeOptions {
            startup_snapshot: Some(snapshot),
            extensions: snapshot::extensions(),
            create_params: Some(params),
            ..RuntimeOptions::default()
        });
        runtime.op_state().borrow_mut().put(Session {
            shared: shared.clone(),
            settings: settings.clone(),
            run: None,
        });
        let isolate = runtime.v8_isolate();
        isolate.set_allow_atomics_wait(false);
        isolate.set_prepare_stack_trace_callback(stack::prepare);
        imports::refuse(isolate);
        let t0 = super::os::monotonic();
        let entries = Self::boot(&mut runtime, settings);
        eprintln!("boot {:?}", super::os::monotonic() - t0);
        limits::watch_heap(&mut runtime, shared);
        place::remember(Some(runtime.main_context()));
        Self { entries, runtime }
    }

    /// Takes our functions off the global object, and everything else that is ours with them.
    fn boot(runtime: &mut JsRuntime, settings: &Settings) -> Entries {
        deno_core::scope!(scope, runtime);
        let context = scope.get_current_context();
        context.set_allow_generation_from_strings(settings.eval);
        let global = context.global(scope);
        let ours: v8::Local<v8::Object> = property(scope, global, "__isochron");
        let [start, settled, failed, abort, boot] =
            ["start", "settled", "failed", "abort", "boot"].map(|name| {
                let function: v8::Local<v8::Function> = property(scope, ours, name);
                v8::Global::new(scope, function)
            });
        let web_assembly = v8::Boolean::new(scope, settings.web_assembly);
        let this = v8::undefined(scope).into();
        let booted = boot.open(scope).call(scope, this, &[web_assembly.into()]);
        assert!(booted.is_some(), "runtime-js: boot threw");
        Entries { start, settled, failed, abort }
    }

    /// Bytes of JavaScript heap in use.
    pub(super) fn used_heap(&mut self) -> u64 {
        self.runtime.v8_isolate().get_heap_statistics().used_heap_size() as u64
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        place::remember(None);
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
