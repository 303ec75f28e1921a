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
//! With the setting `runners.rewind` a runner is two processes instead: see `rewind`.
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

#![cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    expect(dead_code, reason = "only cells and their wardens use it")
)]

mod isolate;
mod library;
mod modules;
mod native;
mod ops;
mod os;
mod probe;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod rewind;
mod run;
mod sandbox;
mod watchdog;

use std::{io, os::fd::RawFd, process::ExitCode, rc::Rc, sync::Arc, time::Duration};

use isochron::runtime::protocol::{End, FromRunner, Run, Sandbox, Settings};
use tokio::sync::mpsc;

use self::{
    isolate::{
        engine::{self, Threads},
        fresh::Isolate,
        heap_anchor, snapshot,
    },
    run::drive::{self, RunContext},
    sandbox::Inmate,
    watchdog::{
        link::{Inbox, Outbox, PendingCalls, log},
        supervisor::{self, Shared},
        target::Target,
        watch::Watch,
    },
};

/// Flags of the hidden subcommand `runner`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    work: Work,
    /// Put memory back after a run, if the system can, instead of making another isolate.
    #[arg(long, requires = "snapshot_fd", conflicts_with = "probe")]
    rewind: bool,
    /// Get cells from the template whose orders go to this inherited descriptor.
    #[arg(long, value_name = "FD", requires = "rewind")]
    template_fd: Option<RawFd>,
    /// Tell on standard error after each run in which bytes the memory is not as it was before it.
    #[arg(long, requires = "rewind")]
    compare: bool,
    /// Do this after each run, as a handler that has broken out of V8.
    #[arg(long, value_name = "ACT", conflicts_with = "probe")]
    intrude: Option<String>,
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
    /// Make an isolate, and copies of this process in which runners that put memory back run handlers.
    #[arg(long, value_name = "FD")]
    template_snapshot_fd: Option<RawFd>,
}

/// Runs the hidden subcommand. Call it on the main thread, before any other thread exists.
#[must_use]
pub(crate) fn main(options: &Flags) -> ExitCode {
    os::leave_the_stop_to_the_server();
    let result = match (options.work.template_snapshot_fd, options.rewind.then(can_rewind)) {
        (Some(fd), _) => serve_template(fd, options.intrude.as_deref()),
        (None, way) => {
            sandbox::drop_privileges();
            sandbox::refuse_tracing();
            match (options.work.build_snapshot_fd, options.work.snapshot_fd, way) {
                (Some(fd), ..) => build_snapshot(fd),
                (None, Some(fd), Some(Ok(()))) => serve_warden(fd, options),
                (None, Some(fd), way) => serve(fd, &options.probe, way.and_then(Result::err)),
                (None, None, _) => Err(io::Error::new(io::ErrorKind::InvalidInput, "no descriptor given")),
            }
        }
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
    engine::initialise(None, Threads::Platform);
    snapshot::build(os::adopt(fd))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use self::rewind::{probe as can_rewind, serve_template, serve_warden};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn can_rewind() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "not on this system"))
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn serve_template(_fd: RawFd, _intrude: Option<&str>) -> io::Result<()> {
    // Its runners say why there is none.
    Ok(())
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn serve_warden(_fd: RawFd, _options: &Rewinding) -> io::Result<()> {
    can_rewind()
}

/// Serves runs, each in an isolate of its own; `no_rewind` is why it does not put memory back, if it was
/// asked to.
fn serve(fd: RawFd, probe: &probe::Flags, no_rewind: Option<io::Error>) -> io::Result<()> {
    sandbox::close_descriptors(&[fd], probe.layers());
    let call = probe.call()?;
    let pending = sandbox::restrict_files(probe.layers());
    let probe = call.map(|call| probe.prepare(call)).transpose()?;
    let snapshot = snapshot::map(&os::adopt(fd))?;
    let outbox = Arc::new(Outbox::new());
    let mut inbox = Inbox::default();
    let settings = Rc::new(inbox.receive_settings(outbox.fd())?);
    engine::initialise(Some(&settings), Threads::Platform);
    let shared = Shared {
        watch: Arc::new(Watch::new(Duration::from_millis(settings.cpu))?),
        outbox,
        calls: Arc::new(PendingCalls::default()),
        pump: None,
    };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    // Capacity 1: the server sends the next run only after `Ready`.
    let (sender, runs) = mpsc::channel(1);
    supervisor::start(shared.clone(), inbox, sender)?;
    heap_anchor::start(snapshot)?;
    let install_seccomp = move || {
        let mut sandbox = pending.install_seccomp(Inmate::Runner);
        if let Some(why) = no_rewind {
            sandbox.text.push_str(&format!(", no rewind ({why})"));
        }
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
    let engine = engine::name();
    loop {
        let mut isolate = Isolate::new(snapshot, settings, shared);
        shared.watch.set_ready(Target::Isolate(isolate.runtime.v8_isolate().thread_safe_handle()));
        // After the first isolate, which needs system calls that the next ones do not.
        let sandbox = install_seccomp.take().map(|install| install());
        shared.outbox.send(&FromRunner::Ready { engine: engine.clone(), sandbox, process: None });
        let Some(run) = runs.recv().await else { return };
        let Isolate { entries, runtime } = &mut isolate;
        let done = drive::run(RunContext { runtime, entries, shared, settings }, *run).await;
        let returned = matches!(done.end, End::Returned { .. });
        shared.outbox.send(&FromRunner::Done(Box::new(done)));
        library::end_run(runtime, returned);
        drop(isolate);
    }
}
