//! The world: the state that outlives a process (the disk, the record, the history), and a process.

pub(crate) mod clock;
pub(crate) mod history;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};

use crate::domain::chance::Chance;
use crate::{
    clock::Clock,
    domain::{Millis, ids::ExecutionId, lock::lock, panic::text_of},
    simulation::{
        actors::plans::Pace,
        oracle::record::Record,
        world::{clock::WallClock, history::History},
    },
    store::memory::disk::Disk,
};

/// The weather of a seed: delays, failures and crashes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// The longest delay of a part of a store's operation, in milliseconds.
    pub(crate) delay: Millis,
    /// One in this many operations of the store fails; 0 means none.
    pub(crate) failures: i64,
    /// In one of this many operations of the store the process dies; 0 means none.
    pub(crate) crashes: i64,
    /// The seed ends after this many operations of the store.
    pub(crate) operations: u64,
    /// Runs at once at most.
    pub(crate) capacity: usize,
}

/// The state that outlives a process.
pub(crate) struct World {
    pub(crate) chance: Arc<Chance>,
    pub(crate) history: History,
    pub(crate) disk: Arc<Disk>,
    pub(crate) pace: Pace,
    pub(crate) weather: Weather,
    pub(crate) operations: AtomicU64,
    pub(crate) requests: AtomicU64,
    record: Mutex<Record>,
    broken: Mutex<Option<String>>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let chance = Arc::new(Chance::new(seed));
        let weather = Weather {
            delay: chance.among(&[0, 2, 20, 300]),
            failures: chance.among(&[0, 0, 0, 60, 200]),
            crashes: chance.among(&[0, 20, 60, 200]),
            operations: chance.spread(200, 800).unsigned_abs(),
            capacity: chance.among(&[1, 2, 4, 16]),
        };
        Self {
            pace: chance.among(&Pace::ALL),
            chance,
            weather,
            history: History::default(),
            disk: Arc::default(),
            operations: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            record: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    /// Runs checks. A panic of a check ends the seed.
    pub(crate) fn run_checks<T>(&self, checks: impl FnOnce() -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(checks)) {
            Ok(value) => Some(value),
            Err(panic) => {
                lock(&self.broken).get_or_insert(text_of(&*panic).to_owned());
                None
            }
        }
    }

    /// Whether the seed has used up its operations, or a check has failed.
    pub(crate) fn is_over(&self) -> bool {
        self.operations.load(Relaxed) >= self.weather.operations || self.broken().is_some()
    }

    /// The text of the first failed check.
    pub(crate) fn broken(&self) -> Option<String> {
        lock(&self.broken).clone()
    }
}

/// A process, from its start to its end.
pub(crate) struct Process {
    pub(crate) world: Arc<World>,
    pub(crate) clock: Arc<WallClock>,
    pub(crate) recovering: AtomicBool,
    pub(crate) stopping: AtomicBool,
    /// Failed operations of the store.
    pub(crate) failures: AtomicU64,
    /// Operations of the store under way.
    pub(crate) busy: AtomicUsize,
    /// Runs under way.
    pub(crate) runs: Mutex<BTreeSet<ExecutionId>>,
    /// The number of times that all runners were busy.
    pub(crate) full: AtomicU64,
    dead: AtomicBool,
    died: Notify,
}

impl Process {
    /// Starts a process with its clock at `wall`. Call within a runtime.
    pub(crate) fn new(world: &Arc<World>, wall: Millis) -> Self {
        Self {
            clock: Arc::new(WallClock::new(wall, world.chance.clone())),
            world: world.clone(),
            recovering: AtomicBool::new(true),
            stopping: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            runs: Mutex::default(),
            full: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            died: Notify::new(),
        }
    }

    /// Kills the process: its later work has no effect.
    pub(crate) fn die(&self) {
        self.dead.store(true, Relaxed);
        self.died.notify_one();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    pub(crate) async fn wait_for_death(&self) {
        self.died.notified().await;
    }

    /// Never returns once the process is dead.
    pub(crate) async fn halt_if_dead(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    /// As [`World::run_checks`]; a failed check also kills the process.
    pub(crate) fn run_checks<T>(&self, checks: impl FnOnce() -> T) -> Option<T> {
        let value = self.world.run_checks(checks);
        if value.is_none() {
            self.die();
        }
        value
    }

    /// Adds a line to the history, with the clock's time.
    pub(crate) fn tell(&self, text: impl std::fmt::Display) {
        if self.is_dead() {
            return;
        }
        let now = self.clock.now();
        let shown =
            chrono::DateTime::from_timestamp_millis(now).map(|now| now.to_rfc3339()).unwrap_or_default();
        self.world.history.tell(format!("{shown} {text}"));
    }

    pub(crate) fn runs(&self) -> MutexGuard<'_, BTreeSet<ExecutionId>> {
        lock(&self.runs)
    }
}

/// Lets simulated time pass.
pub(crate) async fn pass(millis: Millis) {
    if millis > 0 {
        sleep(Duration::from_millis(millis.unsigned_abs())).await;
    }
}
