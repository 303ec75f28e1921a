//! What a template makes.

use std::{io, os::fd::RawFd, rc::Rc, sync::Arc, time::Duration};

use isochron::runtime::protocol::Settings;

use crate::runner::{
    isolate::{
        engine::{self, Threads},
        fresh::Isolate,
        snapshot, warmup,
    },
    os::{self, CpuClock},
    rewind::memory,
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

/// Makes an isolate from the snapshot behind this descriptor, and what its runs need.
///
/// # Errors
/// When the process does not get what it needs.
pub(super) fn make(snapshot_fd: RawFd, settings: Settings, flags: &'static Flags) -> io::Result<Made> {
    memory::settle();
    let snapshot = snapshot::map(&os::adopt(snapshot_fd))?;
    let settings = Rc::new(settings);
    let cpu_limit = Duration::from_millis(settings.cpu);
    let watch = Watch::over(flags, CpuClock::of_the_reading_thread(), watch::wake_up()?, cpu_limit);
    let (watch, outbox, calls) =
        (Arc::new(watch), Arc::new(Outbox::new()), Arc::new(PendingCalls::default()));
    let pump = Arc::new(Pump::new(watch.clone(), outbox.clone(), calls.clone()));
    let shared = Shared { watch, outbox, calls, pump: Some(pump.clone()) };
    engine::initialise(Some(&settings), Threads::One);
    limits::announce_through(&shared.outbox);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    tokio.block_on(warmup::warm_process(snapshot, &settings));
    let isolate = Isolate::new(snapshot, &settings, &shared);
    memory::trim();
    Ok(Made { isolate, settings, shared, pump, flags })
}
