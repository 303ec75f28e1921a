//! A process, from its start to its end.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::sync::Notify;

use crate::{
    clock::Clock,
    cluster::Member,
    domain::{ids::ExecutionId, lock::lock, step::Policy},
    simulation::world::{World, clock::WallClock},
};

/// A process, from its start to its end.
pub(crate) struct Process {
    pub(crate) world: Arc<World>,
    /// The clock of its machine.
    pub(crate) clock: Arc<WallClock>,
    /// The clock of the store: that of its machine, unless many processes share the store.
    pub(crate) store_clock: Arc<WallClock>,
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
    /// Its place among others, and its number, if it shares the store.
    pub(crate) member: OnceLock<Arc<Member>>,
    number: Option<u64>,
    /// Whether it stands still.
    pub(crate) paused: Flag,
    /// Whether it cannot reach the store.
    pub(crate) cut: Flag,
    dead: Flag,
}

/// A state that can be waited for. Those who wait wake in the order in which they came.
#[derive(Default)]
pub(crate) struct Flag(AtomicBool, Notify);

impl Flag {
    pub(crate) fn set(&self, value: bool) {
        self.0.store(value, Relaxed);
        self.1.notify_waiters();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }

    pub(crate) async fn wait_until(&self, value: bool) {
        loop {
            let changed = self.1.notified();
            if self.is_set() == value {
                return;
            }
            changed.await;
        }
    }
}

impl Process {
    /// Starts a process with its clock at `wall`. Call within a runtime.
    pub(crate) fn new(world: &Arc<World>, wall: i64) -> Self {
        let clock = Arc::new(WallClock::new(wall, world.chance.clone()));
        Self::with_clocks(world, clock.clone(), clock, None)
    }

    /// Starts a process that shares its store, whose clock is apart from the machine's.
    pub(crate) fn of_many(
        world: &Arc<World>,
        clock: Arc<WallClock>,
        store_clock: Arc<WallClock>,
        number: u64,
    ) -> Self {
        Self::with_clocks(world, clock, store_clock, Some(number))
    }

    fn with_clocks(
        world: &Arc<World>,
        clock: Arc<WallClock>,
        store_clock: Arc<WallClock>,
        number: Option<u64>,
    ) -> Self {
        Self {
            world: world.clone(),
            clock,
            store_clock,
            recovering: AtomicBool::new(true),
            stopping: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            runs: Mutex::default(),
            full: AtomicU64::new(0),
            member: OnceLock::new(),
            number,
            paused: Flag::default(),
            cut: Flag::default(),
            dead: Flag::default(),
        }
    }

    /// Its number among those that share the store.
    pub(crate) fn number(&self) -> Option<u64> {
        self.number
    }

    /// Whether it shares the store with others.
    pub(crate) fn shares(&self) -> bool {
        self.number.is_some()
    }

    /// The server's rules.
    pub(crate) fn policy(&self) -> Policy {
        Policy { waits_for_runner: self.shares(), ..Policy::default() }
    }

    /// Kills the process: its later work has no effect.
    pub(crate) fn die(&self) {
        self.dead.set(true);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.is_set()
    }

    pub(crate) async fn wait_for_death(&self) {
        self.dead.wait_until(true).await;
    }

    /// Never returns once the process is dead.
    pub(crate) async fn halt_if_dead(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits while the process stands still. Never returns once it is dead.
    pub(crate) async fn pass_gate(&self) {
        self.paused.wait_until(false).await;
        self.halt_if_dead().await;
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
        let now = self.store_clock.now();
        let shown =
            chrono::DateTime::from_timestamp_millis(now).map(|now| now.to_rfc3339()).unwrap_or_default();
        match self.number {
            None => self.world.history.tell(format!("{shown} {text}")),
            Some(number) => self.world.history.tell(format!("{shown} [{number}] {text}")),
        }
    }

    pub(crate) fn runs(&self) -> MutexGuard<'_, BTreeSet<ExecutionId>> {
        lock(&self.runs)
    }
}
