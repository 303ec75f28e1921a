//! The heap anchor: one idle isolate, on a thread of its own, that keeps the read-only heap alive.
//!
//! All isolates of a process share one read-only heap, which V8 frees with the last isolate. A
//! runner has one isolate at a time, so without the anchor every run would make that heap anew,
//! which is a tenth of the cost of an isolate.

use std::{io, thread};

use deno_core::{JsRuntime, RuntimeOptions};

use crate::runner::isolate::extensions::extensions;

/// Starts the thread and waits until its isolate exists. The thread lasts as long as the process.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(snapshot: &'static [u8]) -> io::Result<()> {
    let (ready, wait) = std::sync::mpsc::sync_channel(1);
    thread::Builder::new().name("heap anchor".into()).spawn(move || {
        // Even an idle isolate registers with the tokio runtime of its thread.
        let Ok(tokio) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
        let _context = tokio.enter();
        let _runtime = JsRuntime::new(RuntimeOptions {
            startup_snapshot: Some(snapshot),
            extensions: extensions(),
            skip_op_registration: true,
            ..RuntimeOptions::default()
        });
        // Fails only if `start` no longer waits.
        let _ = ready.send(());
        loop {
            thread::park();
        }
    })?;
    // A thread that failed is no error: without an anchor runs are slower, not wrong.
    let _ = wait.recv();
    Ok(())
}
