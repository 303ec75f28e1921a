//! Reading: a copy in memory of records that other nodes may change in the store.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use tokio::sync::{Mutex, MutexGuard};

use crate::{clock::Clock, domain::Millis};

/// The age of a copy. Times are milliseconds since the machine started.
pub struct Reading {
    clock: Arc<dyn Clock>,
    /// When the last read began.
    began: AtomicI64,
    turn: Mutex<()>,
}

/// The turn to read.
pub struct Turn<'a> {
    reading: &'a Reading,
    began: Millis,
    _turn: MutexGuard<'a, ()>,
}

impl Reading {
    /// The age of a copy that has just been read.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let began = AtomicI64::new(clock.boot());
        Self { clock, began, turn: Mutex::default() }
    }

    /// Waits for the turn to read the copy anew. Nothing if a read has begun within the last `within` milliseconds;
    /// with 0, since this call. Those who wait at the same time share one read.
    pub async fn begin(&self, within: Millis) -> Option<Turn<'_>> {
        let enough = self.clock.boot() - within;
        if self.began.load(Ordering::Acquire) > enough {
            return None;
        }
        let turn = self.turn.lock().await;
        if self.began.load(Ordering::Acquire) > enough {
            return None;
        }
        Some(Turn { reading: self, began: self.clock.boot(), _turn: turn })
    }
}

impl Turn<'_> {
    /// Notes that the copy is as the store was after the turn began.
    pub fn end(self) {
        self.reading.began.store(self.began, Ordering::Release);
    }
}
