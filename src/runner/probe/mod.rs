//! A probe of the cage, for the tests.
//!
//! `isochron runner --probe CALL` does what a runner does until its first isolate stands and
//! the [`cage`](super::cage) is shut, and then makes one raw system call, as a handler would
//! that had broken out of V8. It prints how the cage stands and what came of the call:
//! `SUCCEEDED` or `errno N`, or it is killed. `--walls none` makes the same call without the
//! cage, which shows that the call itself is a good one.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod world;

use std::{io, sync::mpsc, thread};

use isochron::runtime::protocol::Cage;

use super::{cage::Walls, os};

/// Flags of the hidden subcommand `runner` that make it a probe.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// Make this system call instead of serving runs.
    #[arg(long, value_name = "CALL", requires = "snapshot_fd")]
    probe: Option<String>,
    /// Which walls of the cage to put up before it.
    #[arg(long, requires = "probe", value_enum, default_value_t = Walls::All)]
    walls: Walls,
    /// Which thread makes it.
    #[arg(long, requires = "probe", value_enum, default_value_t = Thread::Main)]
    thread: Thread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Thread {
    /// The one that runs JavaScript.
    Main,
    /// One made when V8 makes its own, before the cage is shut.
    Helper,
}

impl Options {
    /// The walls: all, unless a probe asks otherwise.
    pub(super) fn walls(&self) -> Walls {
        self.walls
    }

    /// The call to be made, if any, with what it needs. Before any wall stands.
    ///
    /// # Errors
    /// When there is no call of this name, or its sockets cannot be made.
    pub(super) fn call(&self) -> io::Result<Option<Call>> {
        self.probe.as_deref().map(Call::named).transpose()
    }

    /// The probe, with its thread. Where V8's threads are made: after the first wall.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn prepare(&self, call: Call) -> io::Result<Probe> {
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

/// A call that waits for the cage to be shut.
pub(super) enum Probe {
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
    /// Says how the cage stands, makes the call, says what came of it, and leaves.
    pub(super) fn make(self, cage: &Cage) -> ! {
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
pub(super) use calls::Call;

/// Elsewhere there is no cage to probe.
#[cfg(not(target_os = "linux"))]
pub(super) enum Call {}

#[cfg(not(target_os = "linux"))]
impl Call {
    fn named(_name: &str) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "no probes on this system"))
    }

    fn make(self) -> String {
        match self {}
    }
}
