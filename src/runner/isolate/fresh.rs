//! One isolate: made from the snapshot ahead of need, used for one run, dropped.

use std::rc::Rc;

use crate::runner::{
    isolate::extensions::extensions,
    modules::imports,
    run::{
        entries::{Entries, call_with_flag},
        session::{Purpose, Session},
        stack,
    },
    watchdog::{
        interrupt,
        limits::{self, Buffers},
        supervisor::Shared,
    },
};
use deno_core::{JsRuntime, RuntimeOptions, v8};
use isochron::runtime::protocol::Settings;

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
        imports::install(isolate);
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
