//! The target of a watch: the JavaScript that it stops.

use std::{fmt, sync::Arc};

use deno_core::v8::IsolateHandle;

use crate::runner::watchdog::interrupt;

/// The isolate of a run, wherever it is.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// An isolate of this process.
    Isolate(IsolateHandle),
    /// An isolate of another process.
    Remote(Arc<dyn Remote>),
}

/// Reaches an isolate in another process. None of the functions waits.
pub(crate) trait Remote: fmt::Debug + Send + Sync {
    /// Has V8 record the frames of the run.
    fn interrupt(&self);
    /// Terminates JavaScript.
    fn terminate(&self);
    /// Wakes the event loop.
    fn wake(&self);
}

impl Target {
    /// Has V8 record the frames of the run before it is terminated.
    pub(crate) fn interrupt(&self) {
        match self {
            Self::Isolate(isolate) => interrupt::request(isolate),
            Self::Remote(remote) => remote.interrupt(),
        }
    }

    /// Terminates JavaScript. V8 may miss or undo it.
    pub(crate) fn terminate(&self) {
        match self {
            Self::Isolate(isolate) => {
                isolate.terminate_execution();
            }
            Self::Remote(remote) => remote.terminate(),
        }
    }

    /// Wakes the event loop of another process; that of this process listens to the watch.
    pub(crate) fn wake(&self) {
        if let Self::Remote(remote) = self {
            remote.wake();
        }
    }
}
