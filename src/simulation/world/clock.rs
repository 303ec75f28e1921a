//! The wall clock of one process: it follows the runtime's time and can be set.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::domain::chance::Chance;
use crate::{
    clock::{Clock, Sleep},
    domain::Millis,
};

/// A wall clock that can be set.
pub(crate) struct WallClock {
    chance: Arc<Chance>,
    began: Instant,
    /// The time at `began` by the clock as it is set now.
    origin: AtomicI64,
    set: Notify,
    steps: AtomicU64,
    last_roll: AtomicU64,
}

impl WallClock {
    /// Starts a clock at `start`. Call within a runtime.
    pub(crate) fn new(start: Millis, chance: Arc<Chance>) -> Self {
        Self {
            chance,
            began: Instant::now(),
            origin: AtomicI64::new(start),
            set: Notify::new(),
            steps: AtomicU64::new(0),
            last_roll: AtomicU64::new(0),
        }
    }

    /// Milliseconds since the process began; independent of the clock's setting.
    pub(crate) fn elapsed(&self) -> Millis {
        Millis::try_from(self.began.elapsed().as_millis()).expect("fewer than a million years")
    }

    /// Sets the clock forward, or back if `by` is negative.
    pub(crate) fn step(&self, by: Millis) {
        self.origin.fetch_add(by, Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
        // Setting the clock ends waits, as the kernel's timer does.
        self.set.notify_waiters();
    }

    /// The number of times that the clock has been set.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// The last result of [`Clock::roll`].
    pub(crate) fn last_roll(&self) -> f64 {
        f64::from_bits(self.last_roll.load(Ordering::Relaxed))
    }
}

impl Clock for WallClock {
    fn now(&self) -> Millis {
        self.origin.load(Ordering::Relaxed) + self.elapsed()
    }

    fn sleep_until(&self, moment: Millis) -> Sleep<'_> {
        let set = self.set.notified();
        Box::pin(async move {
            let wait = moment - self.now();
            if wait > 0 {
                tokio::select! {
                    biased;
                    () = set => {}
                    () = sleep(Duration::from_millis(wait.unsigned_abs())) => {}
                }
            }
        })
    }

    fn roll(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let roll = (self.chance.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        self.last_roll.store(roll.to_bits(), Ordering::Relaxed);
        roll
    }

    fn boot(&self) -> Millis {
        self.elapsed()
    }

    fn bits(&self) -> u128 {
        u128::from(self.chance.bits()) << 64 | u128::from(self.chance.bits())
    }
}
