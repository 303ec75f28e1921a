//! The stack of a run whose time is up. V8 records it in an interrupt, on the thread that runs
//! JavaScript, just before JavaScript is terminated.

use std::{
    cell::RefCell,
    ffi::c_void,
    sync::{Condvar, Mutex},
    time::Duration,
};

use deno_core::v8;

use crate::runner::run::stack;
use isochron::domain::lock::lock;

/// The recorded frames, until the main thread takes them. One static is enough: a runner has one run
/// at a time.
static FRAMES: Mutex<Option<String>> = Mutex::new(None);
/// Notified when V8 has recorded them.
static RECORDED: Condvar = Condvar::new();

thread_local! {
    /// The context of this thread's isolate; V8 passes only the isolate to an interrupt.
    static CONTEXT: RefCell<Option<v8::Global<v8::Context>>> = const { RefCell::new(None) };
}

/// Sets the context of a new isolate. Call with `None` before the isolate is dropped.
pub(crate) fn set_context(context: Option<v8::Global<v8::Context>>) {
    CONTEXT.set(context);
}

/// Asks V8 to record the frames of an isolate. An isolate that runs no JavaScript records none.
pub(crate) fn request(isolate: &v8::IsolateHandle) {
    isolate.request_interrupt(record, std::ptr::null_mut());
}

/// Asks for the frames, and waits until V8 has recorded them, but no longer than this.
pub(crate) fn request_and_wait(isolate: &v8::IsolateHandle, most: Duration) {
    let frames = lock(&FRAMES);
    request(isolate);
    // A poisoned lock, a time that is up, and frames: after each of them the run is terminated.
    drop(RECORDED.wait_timeout_while(frames, most, |frames| frames.is_none()));
}

/// Takes the recorded frames, if there are any.
pub(crate) fn take_frames() -> Option<String> {
    lock(&FRAMES).take()
}

#[expect(unsafe_code, reason = "V8 passes the isolate as a pointer")]
unsafe extern "C" fn record(isolate: v8::UnsafeRawIsolatePtr, _: *mut c_void) {
    // SAFETY: V8 calls this on the isolate's thread with the isolate that it interrupts.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    let Some(context) = CONTEXT.with_borrow(Clone::clone) else { return };
    v8::scope_with_context!(scope, &mut isolate, &context);
    let frames = stack::current_frames(scope);
    *lock(&FRAMES) = (!frames.is_empty()).then_some(frames);
    RECORDED.notify_all();
}
