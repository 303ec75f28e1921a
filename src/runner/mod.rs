//! The runner: a process that runs one handler at a time and stores nothing.
//!
//! Why a process: V8 aborts when it runs out of memory, and a panic in an op aborts too. In a
//! process of its own an abort ends one run and nothing else.
//!
//! Two threads. The **main** thread holds V8 and a current-thread tokio runtime: it makes an
//! isolate from the snapshot, sends `Ready`, waits for a `Run`, runs the handler, sends `Done`,
//! drops the isolate, and starts over. The **supervisor** thread reads the socket, enforces the
//! limits and terminates JavaScript, even if JavaScript never returns. The two threads share a
//! [`watchdog::supervisor::Shared`].
//!
//! A run: `Run` → [`watchdog`] starts the clocks → [`run`] puts a session into deno_core's state and
//! calls `runtime-js` → its [`ops`] compile ([`modules`]), write lines, ask the server → the first
//! end that an op reports counts, unless the watchdog has stopped the run → [`run::outcome`].
//!
//! How to misuse it: run anything but `runtime-js` before [`isolate`] has booted;
//! keep a `v8::Global` longer than its isolate; hold a borrow of `OpState` across a
//! call into JavaScript; make an isolate outside the tokio runtime; initialise V8 on
//! a thread that is not an ancestor of those that use it; start a thread, or open
//! anything, without asking whether the [`sandbox`] allows it.

mod isolate;
mod library;
mod modules;
mod native;
mod ops;
mod os;
mod probe;
mod run;
mod sandbox;
mod watchdog;

use std::{io, os::fd::RawFd, process::ExitCode, rc::Rc, sync::Arc, time::Duration};

use deno_core::{JsRuntime, v8};
use isochron::runtime::protocol::{End, FromRunner, Run, Sandbox, Settings};
use rand::{TryRng, rngs::SysRng};
use tokio::sync::mpsc;

use self::{
    isolate::{fresh::Isolate, heap_anchor, snapshot},
    run::drive::{self, RunContext},
    watchdog::{
        link::{Inbox, Outbox, PendingCalls, log},
        supervisor::{self, Shared},
        watch::Watch,
    },
};

/// Flags of the hidden subcommand `runner`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    work: Work,
    #[command(flatten)]
    probe: probe::Flags,
}

#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
struct Work {
    /// Serve runs over standard input, with the startup snapshot in this inherited descriptor.
    #[arg(long, value_name = "FD")]
    snapshot_fd: Option<RawFd>,
    /// Build the startup snapshot into this inherited descriptor and exit.
    #[arg(long, value_name = "FD")]
    build_snapshot_fd: Option<RawFd>,
}

/// Runs the hidden subcommand. Call it on the main thread, before any other thread exists.
#[must_use]
pub(crate) fn main(options: &Flags) -> ExitCode {
    sandbox::drop_privileges();
    let result = match (options.work.build_snapshot_fd, options.work.snapshot_fd) {
        (Some(fd), _) => build_snapshot(fd),
        (None, Some(fd)) => serve(fd, &options.probe),
        (None, None) => Err(io::Error::new(io::ErrorKind::InvalidInput, "no descriptor given")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The server closed the socket before its first frame.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => ExitCode::SUCCESS,
        Err(error) => {
            log(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn build_snapshot(fd: RawFd) -> io::Result<()> {
    initialise_v8(None);
    snapshot::build(os::adopt(fd))
}

fn serve(fd: RawFd, probe: &probe::Flags) -> io::Result<()> {
    sandbox::close_descriptors(fd, probe.layers());
    let call = probe.call()?;
    let pending = sandbox::restrict_files(probe.layers());
    let probe = call.map(|call| probe.prepare(call)).transpose()?;
    let snapshot = snapshot::map(&os::adopt(fd))?;
    let outbox = Arc::new(Outbox::new());
    let mut inbox = Inbox::default();
    let settings = Rc::new(inbox.receive_settings(outbox.fd())?);
    initialise_v8(Some(&settings));
    let shared = Shared {
        watch: Arc::new(Watch::new(Duration::from_millis(settings.cpu))?),
        outbox,
        calls: Arc::new(PendingCalls::default()),
    };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    // Capacity 1: the server sends the next run only after `Ready`.
    let (sender, runs) = mpsc::channel(1);
    supervisor::start(shared.clone(), inbox, sender)?;
    heap_anchor::start(snapshot)?;
    let install_seccomp = move || {
        let sandbox = pending.install_seccomp();
        if let Some(probe) = probe {
            probe.make(&sandbox);
        }
        sandbox
    };
    tokio.block_on(serve_runs(snapshot, &settings, &shared, runs, install_seccomp));
    Ok(())
}

async fn serve_runs(
    snapshot: &'static [u8],
    settings: &Rc<Settings>,
    shared: &Shared,
    mut runs: mpsc::Receiver<Box<Run>>,
    install_seccomp: impl FnOnce() -> Sandbox,
) {
    let mut install_seccomp = Some(install_seccomp);
    let tag = v8::script_compiler::cached_data_version_tag();
    let engine = format!("{}-{tag:08x}", v8::VERSION_STRING);
    loop {
        let mut isolate = Isolate::new(snapshot, settings, shared);
        shared.watch.set_ready(isolate.runtime.v8_isolate().thread_safe_handle());
        // After the first isolate, which needs system calls that the next ones do not.
        let sandbox = install_seccomp.take().map(|install| install());
        shared.outbox.send(&FromRunner::Ready { engine: engine.clone(), sandbox });
        let Some(run) = runs.recv().await else { return };
        let Isolate { entries, runtime } = &mut isolate;
        let done = drive::run(RunContext { runtime, entries, shared, settings }, *run).await;
        let returned = matches!(done.end, End::Returned { .. });
        shared.outbox.send(&FromRunner::Done(Box::new(done)));
        library::end_run(runtime, returned);
        drop(isolate);
    }
}

/// Call before any other function of V8, which reads its flags once.
fn initialise_v8(settings: Option<&Settings>) {
    // V8 would open /dev/urandom, which the sandbox refuses.
    v8::V8::set_entropy_source(|bytes: &mut [u8]| SysRng.try_fill_bytes(bytes).is_ok());
    if let Some(settings) = settings {
        let mut flags = String::new();
        if !settings.eval {
            flags.push_str(" --disallow-code-generation-from-strings");
        }
        if settings.web_assembly {
            // The counting allocator does not see WebAssembly's memories. A page has 64 KiB.
            flags.push_str(&format!(" --wasm-max-mem-pages={}", (settings.buffers >> 16).max(1)));
        }
        v8::V8::set_flags_from_string(&flags);
    }
    JsRuntime::init_platform(None);
}
