//! The template: a process that makes an isolate and runs no handler. Every cell of a runner is a copy of
//! it (fork(2)), so a new cell costs no isolate, and pages that neither has written since are there once.
//!
//! It has one thread, as fork(2) copies no other. Between two copies it sleeps in the recvmsg(2) of
//! [`handover::receive`], and its memory stays as it is: the images of cells refer to it.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, OwnedFd, RawFd},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use isochron::runtime::protocol::Settings;
use rustix::process::{Pid, Signal, WaitOptions, getpid, getppid, waitpid};

use crate::runner::{
    isolate::{
        engine::{self, Threads},
        fresh::Isolate,
        snapshot, warmup,
    },
    os::{self, CpuClock},
    rewind::{cell, handover, image, memory},
    sandbox,
    watchdog::{
        flags::Flags,
        limits,
        link::{Outbox, PendingCalls},
        pump::Pump,
        supervisor::Shared,
        watch::Watch,
    },
};

/// What a template makes and each of its copies has.
pub(super) struct Made {
    pub(super) isolate: Isolate,
    pub(super) settings: Rc<Settings>,
    pub(super) shared: Shared,
    pub(super) pump: Arc<Pump>,
    pub(super) flags: &'static Flags,
}

/// Makes an isolate, and a copy of itself for each message on the control socket, which is standard output.
/// In a copy it runs handlers; the template returns when the warden is gone.
///
/// # Errors
/// When the process does not get what it needs.
pub(crate) fn serve(snapshot_fd: RawFd, intrude: Option<&str>) -> io::Result<()> {
    let control = rustix::io::fcntl_dupfd_cloexec(io::stdout().as_fd(), 3)?;
    // Libraries may print.
    os::print_to_stderr()?;
    sandbox::drop_privileges();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_name(c"template")?;
    let warden = getppid();
    handover::send(control.as_fd(), getpid(), &[File::open("/proc/self/mem")?.as_fd()])?;
    let made = make(snapshot_fd, control.as_fd())?;
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("a process with {threads} threads cannot be copied")));
    }
    image::let_copies_have_all()?;
    loop {
        let Ok((_, ends)) = handover::receive::<3>(control.as_fd()) else { return Ok(()) };
        if copy(warden)? {
            drop(control);
            return cell::serve(made, ends, intrude);
        }
    }
}

fn make(snapshot_fd: RawFd, control: impl AsFd) -> io::Result<Made> {
    let (_, [flags, wake_up]) = handover::receive(control.as_fd())?;
    let flags = memory::map_flags(flags.as_fd())?;
    memory::settle();
    let snapshot = snapshot::map(&os::adopt(snapshot_fd))?;
    let pump = Arc::new(Pump::default());
    let watch_until = |cpu_limit, wake_up: OwnedFd| {
        Arc::new(Watch::over(flags, CpuClock::of_the_reading_thread(), wake_up, cpu_limit))
    };
    let mut shared = Shared {
        watch: watch_until(Duration::MAX, wake_up.try_clone()?),
        outbox: Arc::new(Outbox::new()),
        calls: Arc::new(PendingCalls::default()),
        pump: Some(pump.clone()),
    };
    let settings = loop {
        match pump.take_settings() {
            Some(settings) => break Rc::new(settings),
            None => pump.wait(&shared)?,
        }
    };
    shared.watch = watch_until(Duration::from_millis(settings.cpu), wake_up);
    engine::initialise(Some(&settings), Threads::One);
    limits::announce_through(&shared.outbox);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    tokio.block_on(warmup::warm_process(snapshot, &settings));
    let isolate = Isolate::new(snapshot, &settings, &shared);
    memory::trim();
    Ok(Made { isolate, settings, shared, pump, flags })
}

/// Copies this process; `true` in the copy. The copy is a child of the warden, which learns how it ends.
fn copy(warden: Option<Pid>) -> io::Result<bool> {
    // A child of a process that has ended is given to the warden (`PR_SET_CHILD_SUBREAPER`).
    let Some(between) = os::fork()? else {
        let between = getpid();
        match os::fork() {
            Ok(None) => {}
            Ok(Some(_)) => os::exit_now(0),
            Err(_) => os::exit_now(1),
        }
        while getppid() == Some(between) {
            rustix::thread::sched_yield();
        }
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid() != warden {
            os::exit_now(0);
        }
        return Ok(true);
    };
    match waitpid(Some(between), WaitOptions::empty())? {
        Some((_, status)) if status.exit_status() == Some(0) => Ok(false),
        _ => Err(io::Error::other("the system makes no process")),
    }
}
