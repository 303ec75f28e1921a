//! A probe of the sandbox, for the tests.
//!
//! `isochron runner --probe CALL` starts like a runner, up to the first isolate and the complete
//! [`sandbox`](super::sandbox), and then makes one raw system call, like a handler that has broken
//! out of V8. It prints the layers in place and the result of the call: `SUCCEEDED`, `errno N`, or
//! nothing if the call killed it. `--layers none` makes the same call without the sandbox, which
//! shows that the call itself works.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod targets;

use std::{io, sync::mpsc, thread};

use isochron::runtime::protocol::Sandbox;

use crate::runner::{os, sandbox::Layers};

/// Flags of the hidden subcommand `runner` that make it a probe.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(crate) struct Flags {
    /// Make this system call instead of serving runs.
    #[arg(long, value_name = "CALL", requires = "snapshot_fd")]
    probe: Option<String>,
    /// Layers of the sandbox to install before the call.
    #[arg(long, requires = "probe", value_enum, default_value_t = Layers::All)]
    layers: Layers,
    /// Thread that makes the call.
    #[arg(long, requires = "probe", value_enum, default_value_t = Thread::Main)]
    thread: Thread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Thread {
    /// The main thread, which runs JavaScript.
    Main,
    /// A thread that starts when V8 starts its own, before seccomp is installed.
    Helper,
}

impl Flags {
    /// The layers: all, unless a probe asks otherwise.
    pub(crate) fn layers(&self) -> Layers {
        self.layers
    }

    /// The call to make, if any, with its sockets. Call this before any layer is in place.
    ///
    /// # Errors
    /// When there is no call of this name, or its sockets cannot be made.
    pub(crate) fn call(&self) -> io::Result<Option<Call>> {
        self.probe.as_deref().map(Call::named).transpose()
    }

    /// Starts the probe's thread. Call this where V8's threads start: after Landlock.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn prepare(&self, call: Call) -> io::Result<Probe> {
        if self.thread == Thread::Main {
            return Ok(Probe::Main(Box::new(call)));
        }
        let (start, started) = mpsc::sync_channel(1);
        let (sender, result) = mpsc::sync_channel(1);
        thread::Builder::new().name("probe".into()).spawn(move || {
            if started.recv().is_ok() {
                drop(sender.try_send(call.make()));
            }
        })?;
        Ok(Probe::Helper { start, result })
    }
}

/// A call that waits until seccomp is installed.
pub(crate) enum Probe {
    /// Made by the main thread.
    Main(Box<Call>),
    /// Made by the helper.
    Helper {
        /// Starts the call.
        start: mpsc::SyncSender<()>,
        /// Gives its result.
        result: mpsc::Receiver<String>,
    },
}

impl Probe {
    /// Prints the layers in place, makes the call, prints its result, and ends the process.
    pub(crate) fn make(self, sandbox: &Sandbox) -> ! {
        println!("{sandbox}");
        let result = match self {
            Self::Main(call) => call.make(),
            Self::Helper { start, result } => {
                // The channel has room, so this never waits.
                let _ = start.try_send(());
                result.recv().unwrap_or_default()
            }
        };
        println!("{result}");
        os::exit_now(0)
    }
}

#[cfg(target_os = "linux")]
pub(crate) use calls::Call;

/// Other systems have no sandbox to probe.
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
