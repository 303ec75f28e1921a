//! The heap anchor: one idle isolate, on a thread of its own, that keeps the read-only heap alive.
//!
//! All isolates of a process share one read-only heap, which goes with the last of them. A runner
//! has one isolate at a time, so without the anchor every run would make that heap anew, a tenth of
//! what an isolate costs.

use std::{io, thread};

use deno_core::{JsRuntime, RuntimeOptions};

use crate::runner::isolate::extensions::extensions;

/// Starts the thread and waits until its isolate stands. It ends with the process.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(snapshot: &'static [u8]) -> io::Result<()> {
    let (stands, wait) = std::sync::mpsc::sync_channel(1);
    thread::Builder::new().name("heap anchor".into()).spawn(move || {
        // An isolate registers with the runtime of its thread, though it never does anything.
        let Ok(tokio) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
        let _context = tokio.enter();
        let _runtime = JsRuntime::new(RuntimeOptions {
            startup_snapshot: Some(snapshot),
            extensions: extensions(),
            skip_op_registration: true,
            ..RuntimeOptions::default()
        });
        // The receiver may have given up.
        let _ = stands.send(());
        loop {
            thread::park();
        }
    })?;
    // Without an anchor runs are slower, not wrong.
    let _ = wait.recv();
    Ok(())
}
