//! The keeper: one isolate that only stands there, on a thread of its own.
//!
//! All isolates of a process share one read-only heap, which goes with the last of them.
//! A runner has one isolate at a time, so without the keeper every run would pay for making
//! that heap anew, a tenth of what an isolate costs.

use std::{io, thread};

use deno_core::{JsRuntime, RuntimeOptions};

use super::snapshot;

/// Starts the thread and waits until its isolate stands. It ends with the process.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn start(snapshot: &'static [u8]) -> io::Result<()> {
    let (stands, wait) = std::sync::mpsc::sync_channel(1);
    thread::Builder::new().name("keeper".into()).spawn(move || {
        // An isolate registers with the runtime of its thread, though it never does anything.
        let Ok(tokio) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
        let _context = tokio.enter();
        let _runtime = JsRuntime::new(RuntimeOptions {
            startup_snapshot: Some(snapshot),
            extensions: snapshot::extensions(),
            skip_op_registration: true,
            ..RuntimeOptions::default()
        });
        // Whoever waited may have given up.
        let _ = stands.send(());
        loop {
            thread::park();
        }
    })?;
    // A keeper that failed is missed in speed only.
    let _ = wait.recv();
    Ok(())
}
