//! The world: the state that outlives a process (the disk, the record, the history), and processes.

pub(crate) mod clock;
pub(crate) mod history;
pub(crate) mod process;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::sleep;

pub(crate) use self::process::Process;

use crate::domain::chance::Chance;
use crate::{
    domain::{Millis, ids::ExecutionId, lock::lock, panic::text_of},
    simulation::{
        actors::plans::Pace,
        oracle::{promises::Promises, record::Record},
        world::history::History,
    },
    store::memory::disk::{Data, Disk},
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
    /// Processes that have started, where many share the store.
    started: AtomicU64,
    /// The length of a node's lease, in milliseconds.
    pub(crate) lease: Millis,
    /// Held by the operation that is decided and written, so that operations follow one another.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// The number of the operation that holds the turn.
    pub(crate) current: AtomicU64,
    /// The processes that live at the moment, where many share the store.
    processes: Mutex<Vec<Arc<Process>>>,
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
            started: AtomicU64::new(0),
            lease: 0,
            turn: tokio::sync::Mutex::new(()),
            current: AtomicU64::new(0),
            processes: Mutex::default(),
            record: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    /// The processes that live at the moment, where many share the store.
    pub(crate) fn processes(&self) -> MutexGuard<'_, Vec<Arc<Process>>> {
        lock(&self.processes)
    }

    /// A number for a process that starts.
    pub(crate) fn next_process(&self) -> u64 {
        self.started.fetch_add(1, Relaxed) + 1
    }

    /// Copies the store, with its promises. Call it while no operation has its turn.
    pub(crate) fn copy(&self) -> (Data, Promises) {
        let promises = self.record().promises(self.current.load(Relaxed));
        (self.disk.data().clone(), promises)
    }

    /// Replaces the store by a copy. Call it while no operation has its turn.
    pub(crate) fn replace(&self, (data, promises): (Data, Promises)) {
        self.run_checks(|| self.record().go_back(promises, self.current.load(Relaxed)));
        self.disk.data().replace(data);
    }

    /// The runs that are alive in any process.
    pub(crate) fn all_runs(&self) -> BTreeSet<ExecutionId> {
        self.processes().iter().flat_map(|process| process.runs().clone()).collect()
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

/// Lets simulated time pass.
pub(crate) async fn pass(millis: Millis) {
    if millis > 0 {
        sleep(Duration::from_millis(millis.unsigned_abs())).await;
    }
}
