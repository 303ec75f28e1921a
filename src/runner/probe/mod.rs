//! A probe of the sandbox, for the tests.
//!
//! `isochron runner --probe CALL` does what a runner does until its first isolate stands and
//! the [`sandbox`](super::sandbox) is complete, and then makes one raw system call, as a handler would
//! that had broken out of V8. It prints the layers that hold and what came of the call:
//! `SUCCEEDED` or `errno N`, or it is killed. `--layers none` makes the same call without the
//! sandbox, which shows that the call itself is a good one.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod world;

use std::{io, sync::mpsc, thread};

use isochron::runtime::protocol::Sandbox;

use crate::runner::{os, sandbox::Layers};

/// Flags of the hidden subcommand `runner` that make it a probe.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Make this system call instead of serving runs.
    #[arg(long, value_name = "CALL", requires = "snapshot_fd")]
    probe: Option<String>,
    /// Which layers of the sandbox to put up before it.
    #[arg(long, requires = "probe", value_enum, default_value_t = Layers::All)]
    layers: Layers,
    /// Which thread makes it.
    #[arg(long, requires = "probe", value_enum, default_value_t = Thread::Main)]
    thread: Thread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Thread {
    /// The one that runs JavaScript.
    Main,
    /// One made when V8 makes its own, before seccomp is installed.
    Helper,
}

impl Options {
    /// The layers: all, unless a probe asks otherwise.
    pub(crate) fn layers(&self) -> Layers {
        self.layers
    }

    /// The call to be made, if any, with what it needs. Before any layer is in place.
    ///
    /// # Errors
    /// When there is no call of this name, or its sockets cannot be made.
    pub(crate) fn call(&self) -> io::Result<Option<Call>> {
        self.probe.as_deref().map(Call::named).transpose()
    }

    /// The probe, with its thread. Where V8's threads are made: after Landlock.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn prepare(&self, call: Call) -> io::Result<Probe> {
        if self.thread == Thread::Main {
            return Ok(Probe::Here(Box::new(call)));
        }
        let (ask, asked) = mpsc::sync_channel(1);
        let (tell, told) = mpsc::sync_channel(1);
        thread::Builder::new().name("probe".into()).spawn(move || {
            if asked.recv().is_ok() {
                drop(tell.try_send(call.make()));
            }
        })?;
        Ok(Probe::There { ask, told })
    }
}

/// A call that waits until seccomp is installed.
pub(crate) enum Probe {
    /// For this thread.
    Here(Box<Call>),
    /// For another.
    There {
        /// Has it made.
        ask: mpsc::SyncSender<()>,
        /// What came of it.
        told: mpsc::Receiver<String>,
    },
}

impl Probe {
    /// Prints the layers that hold, makes the call, says what came of it, and leaves.
    pub(crate) fn make(self, cage: &Sandbox) -> ! {
        println!("{cage}");
        let outcome = match self {
            Self::Here(call) => call.make(),
            Self::There { ask, told } => {
                // The thread has waited for it since it was made.
                let _ = ask.try_send(());
                told.recv().unwrap_or_default()
            }
        };
        println!("{outcome}");
        os::leave(0)
    }
}

#[cfg(target_os = "linux")]
use calls::Call;

/// Elsewhere there is no sandbox to probe.
#[cfg(not(target_os = "linux"))]
pub(crate) enum Call {}

#[cfg(not(target_os = "linux"))]
impl Call {
    fn named(_name: &str) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "no probes on this system"))
    }

    fn make(self) -> String {
        match self {}
    }
}
