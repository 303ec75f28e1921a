//! Where a run was when its time was up: V8 is asked to look, on its own thread,
//! just before it is made to stop.

use std::{cell::RefCell, ffi::c_void, sync::Mutex};

use deno_core::v8;

use crate::runner::run::stack;
use isochron::domain::lock::lock;

/// The answer, until the main thread takes it. One run at a time, so one place.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// The context of the isolate on this thread; V8 passes an interrupt only the isolate.
    static CONTEXT: RefCell<Option<v8::Global<v8::Context>>> = const { RefCell::new(None) };
}

/// Keeps the context of a new isolate, or lets go of it before the isolate is dropped.
pub(crate) fn remember(context: Option<v8::Global<v8::Context>>) {
    CONTEXT.set(context);
}

/// Asks an isolate that is inside JavaScript where it is. One that is not never answers.
pub(crate) fn ask(isolate: &v8::IsolateHandle) {
    isolate.request_interrupt(look, std::ptr::null_mut());
}

/// Takes the answer, if there was one.
pub(crate) fn take() -> Option<String> {
    lock(&PLACE).take()
}

#[expect(unsafe_code, reason = "V8 passes the isolate as a pointer")]
unsafe extern "C" fn look(isolate: v8::UnsafeRawIsolatePtr, _: *mut c_void) {
    // SAFETY: V8 calls this on the isolate's thread with the isolate that it is interrupting.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    let Some(context) = CONTEXT.with_borrow(Clone::clone) else { return };
    v8::scope_with_context!(scope, &mut isolate, &context);
    let frames = stack::current(scope);
    *lock(&PLACE) = (!frames.is_empty()).then_some(frames);
}
