//! The template: a process that makes an isolate and runs no handler. Each runner of a server gets a copy of
//! it (fork(2)), its [`blank`], so a runner that starts makes no isolate, and pages that no one has written
//! since are in memory once for all runners.
//!
//! It has one thread, as fork(2) copies no other.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, RawFd},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use isochron::runtime::protocol::{FrameBuffer, Settings};

use crate::runner::{
    isolate::{
        engine::{self, Threads},
        fresh::Isolate,
        snapshot, warmup,
    },
    os::{self, CpuClock},
    rewind::{blank, handover, image, memory, probe, warden},
    sandbox::{self, Layers},
    watchdog::{
        flags::Flags,
        limits,
        link::{Outbox, PendingCalls},
        pump::Pump,
        supervisor::Shared,
        watch::{self, Watch},
    },
};

/// What a template makes and each of its copies has.
pub(super) struct Made {
    pub(super) isolate: Isolate,
    pub(super) settings: Rc<Settings>,
    pub(super) shared: Shared,
    pub(super) pump: Arc<Pump>,
    /// Mapped to the memory of a runner in its blank.
    pub(super) flags: &'static Flags,
}

/// Makes an isolate by the settings on standard input, and a copy of this process for each message on the
/// socket that is its standard output. In a copy it serves a runner; the template returns when the last one who
/// could ask is gone, or at once if the system cannot put memory back.
///
/// # Errors
/// When the process does not get what it needs.
pub(crate) fn serve(snapshot_fd: RawFd, intrude: Option<&str>) -> io::Result<()> {
    if probe().is_err() {
        return Ok(());
    }
    rustix::thread::set_name(c"template")?;
    let orders = rustix::io::fcntl_dupfd_cloexec(io::stdout().as_fd(), 3)?;
    // Libraries may print.
    os::replace(io::stdout().as_raw_fd(), io::stderr().as_fd())?;
    sandbox::drop_privileges();
    sandbox::close_descriptors(&[snapshot_fd, orders.as_raw_fd()], Layers::All);
    let settings = warden::receive_settings(&mut FrameBuffer::default())?;
    let made = make(snapshot_fd, settings, memory::make_flags()?)?;
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("a process with {threads} threads cannot be copied")));
    }
    image::let_copies_have_all()?;
    os::reap_no_children(true);
    loop {
        let Ok((warden, means)) = handover::receive(orders.as_fd()) else { return Ok(()) };
        // Whoever asked notices that there is no copy: its ends of the sockets close.
        if let Ok(None) = os::fork() {
            drop(orders);
            return blank::serve(made, warden, means, intrude);
        }
    }
}

fn make(snapshot_fd: RawFd, settings: Settings, flags: &'static Flags) -> io::Result<Made> {
    memory::settle();
    let snapshot = snapshot::map(&os::adopt(snapshot_fd))?;
    let settings = Rc::new(settings);
    let pump = Arc::new(Pump::default());
    let cpu_limit = Duration::from_millis(settings.cpu);
    let watch = Watch::over(flags, CpuClock::of_the_reading_thread(), watch::wake_up()?, cpu_limit);
    let shared = Shared {
        watch: Arc::new(watch),
        outbox: Arc::new(Outbox::new()),
        calls: Arc::new(PendingCalls::default()),
        pump: Some(pump.clone()),
    };
    engine::initialise(Some(&settings), Threads::One);
    limits::announce_through(&shared.outbox);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    tokio.block_on(warmup::warm_process(snapshot, &settings));
    let isolate = Isolate::new(snapshot, &settings, &shared);
    memory::trim();
    Ok(Made { isolate, settings, shared, pump, flags })
}
