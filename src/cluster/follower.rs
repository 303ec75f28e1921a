//! Follower: the store's clock, as this process knows it between two answers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

use crate::{
    clock::{Clock, Sleep},
    domain::{Millis, lock::lock},
};

/// The answers that are remembered.
const REMEMBERED: usize = 8;
/// A difference up to this many milliseconds is made up for slowly.
const SLEWED: Millis = 50;
/// One millisecond of a difference is made up for in this many milliseconds.
const SLEW: Millis = 2000;

/// An estimate of the store's clock, from answers that tell its time.
#[derive(Debug, Default)]
pub struct Follower {
    /// Of each answer: its round trip, and the store's time less the machine's.
    samples: VecDeque<(Millis, Millis)>,
    /// The offset that is shown, and since when.
    shown: Option<(Millis, Millis)>,
}

impl Follower {
    /// Takes an answer that was asked for at `sent`, told the store's time `told`, and came at `received`; `sent`
    /// and `received` in milliseconds since the machine started. Whether the shown time jumps by it.
    pub fn add(&mut self, sent: Millis, told: Millis, received: Millis) -> bool {
        let trip = received.saturating_sub(sent).max(0);
        let offset = told.saturating_sub(sent.saturating_add(trip / 2));
        // Half a round trip is the most by which an offset may be wrong: one further off is of another setting.
        self.samples.retain(|(other, old)| old.abs_diff(offset) <= (trip + other).unsigned_abs() / 2 + 1);
        self.samples.push_back((trip, offset));
        if self.samples.len() > REMEMBERED {
            self.samples.pop_front();
        }
        let best = self.samples.iter().min_by_key(|(trip, _)| *trip).map_or(offset, |(_, offset)| *offset);
        let Some((before, since)) = self.shown else {
            self.shown = Some((best, received));
            return true;
        };
        let jumps = before.abs_diff(best) > SLEWED.unsigned_abs();
        let makes_up = received.saturating_sub(since) / SLEW;
        let shown = if jumps { best } else { before + (best - before).clamp(-makes_up, makes_up) };
        if jumps || shown != before || best == before {
            self.shown = Some((shown, received));
        }
        jumps
    }

    /// The store's time at `boot`, milliseconds since the machine started; `None` before the first answer.
    #[must_use]
    pub fn now(&self, boot: Millis) -> Option<Millis> {
        self.shown.map(|(offset, _)| boot.saturating_add(offset))
    }
}

/// A clock that shows the store's time. Before the first answer it shows the machine's.
pub struct FollowingClock {
    machine: Arc<dyn Clock>,
    follower: Mutex<Follower>,
    jumped: Notify,
}

impl FollowingClock {
    /// Takes chance, and the time since the start of the machine, from `machine`.
    #[must_use]
    pub fn new(machine: Arc<dyn Clock>) -> Self {
        Self { machine, follower: Mutex::default(), jumped: Notify::new() }
    }

    /// Milliseconds by which the machine's clock is ahead of the store's.
    #[must_use]
    pub fn machine_ahead(&self) -> Millis {
        self.machine.now().saturating_sub(self.now())
    }

    /// Takes an answer of the store; see [`Follower::add`].
    pub fn add(&self, sent: Millis, told: Millis, received: Millis) {
        if lock(&self.follower).add(sent, told, received) {
            self.jumped.notify_waiters();
        }
    }
}

impl Clock for FollowingClock {
    fn now(&self) -> Millis {
        lock(&self.follower).now(self.machine.boot()).unwrap_or_else(|| self.machine.now())
    }

    fn sleep_until(&self, moment: Millis) -> Sleep<'_> {
        let jumped = self.jumped.notified();
        Box::pin(async move {
            let wait = moment.saturating_sub(self.now());
            if wait > 0 {
                tokio::select! {
                    biased;
                    () = jumped => {}
                    () = self.machine.sleep_until(self.machine.now().saturating_add(wait)) => {}
                }
            }
        })
    }

    fn roll(&self) -> f64 {
        self.machine.roll()
    }

    fn bits(&self) -> u128 {
        self.machine.bits()
    }

    fn boot(&self) -> Millis {
        self.machine.boot()
    }
}
