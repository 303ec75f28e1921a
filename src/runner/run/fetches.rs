//! The requests of a run, as far as its runner knows them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use isochron::runtime::protocol::{FETCH_CALLS_PER_RUN, FETCHES_AT_ONCE, FETCHES_OPEN};
use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};

/// Calls about requests that may be in flight, cancellations apart: below the server's limit.
const CALLS_AT_ONCE: usize = 160;
/// Cancellations that may be in flight.
const CANCELS_AT_ONCE: usize = 64;

/// The requests of a run. Made at the first one.
pub(crate) struct Fetches {
    /// Requests beyond these wait for their turn.
    pub(crate) turns: Arc<Semaphore>,
    /// Calls beyond these wait for their turn.
    pub(crate) calls: Arc<Semaphore>,
    /// Cancellations beyond these wait for their turn.
    pub(crate) cancels: Arc<Semaphore>,
    /// Wakes those that wait for the start of a request.
    pub(crate) begun: Arc<Notify>,
    /// Wakes those that wait for another request's end.
    pub(crate) closed: Arc<Notify>,
    /// Requests that the server has open.
    open: HashSet<u32>,
    /// When a part of a body last arrived.
    read_at: Instant,
    calls_made: u32,
    /// Requests that were cancelled before their turn came.
    cancelled: HashSet<u32>,
    /// Requests that wait for their turn.
    waiting: HashSet<u32>,
    /// Bytes of bodies that have arrived and have not been read.
    arrived: HashMap<u32, Arrived>,
}

/// A part of a body.
pub(crate) struct Arrived {
    pub(crate) part: Vec<u8>,
    /// Whether it is the last one.
    pub(crate) last: bool,
}

impl Default for Fetches {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(FETCHES_AT_ONCE)),
            calls: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
            cancels: Arc::new(Semaphore::new(CANCELS_AT_ONCE)),
            begun: Arc::new(Notify::new()),
            closed: Arc::new(Notify::new()),
            open: HashSet::new(),
            read_at: Instant::now(),
            calls_made: 0,
            cancelled: HashSet::new(),
            waiting: HashSet::new(),
            arrived: HashMap::new(),
        }
    }
}

impl Fetches {
    /// Counts a call to the server; `false` when the run has made too many.
    pub(crate) fn admit(&mut self) -> bool {
        self.calls_made += 1;
        self.calls_made < FETCH_CALLS_PER_RUN
    }

    /// A request begins to wait for its turn.
    pub(crate) fn wait(&mut self, fetch: u32) {
        self.waiting.insert(fetch);
    }

    /// Opens a request that waits for its turn; `false` while too many are open. One that was cancelled
    /// meanwhile waits no longer.
    pub(crate) fn open(&mut self, fetch: u32) -> bool {
        if self.open.len() >= FETCHES_OPEN && !self.cancelled.contains(&fetch) {
            return false;
        }
        self.open.insert(fetch);
        true
    }

    /// Notes that the server has a request open no more.
    pub(crate) fn close(&mut self, fetch: u32) {
        if self.open.remove(&fetch) {
            self.closed.notify_waiters();
        }
    }

    /// Whether no part of a body has arrived for this long.
    pub(crate) fn are_unread_for(&self, time: Duration) -> bool {
        self.read_at.elapsed() >= time
    }

    /// A request's turn has come; `false` if it was cancelled before.
    pub(crate) fn begin(&mut self, fetch: u32) -> bool {
        self.waiting.remove(&fetch);
        self.begun.notify_waiters();
        !self.cancelled.remove(&fetch)
    }

    /// Whether a request waits for its turn.
    pub(crate) fn is_waiting(&self, fetch: u32) -> bool {
        self.waiting.contains(&fetch)
    }

    /// Cancels a request; `true` if the server has to know.
    pub(crate) fn cancel(&mut self, fetch: u32) -> bool {
        if self.waiting.contains(&fetch) {
            self.cancelled.insert(fetch);
            self.closed.notify_waiters();
            return false;
        }
        self.arrived.remove(&fetch).is_none_or(|arrived| !arrived.last)
    }

    /// A part of a body has arrived.
    pub(crate) fn put(&mut self, fetch: u32, arrived: Arrived) {
        self.read_at = Instant::now();
        if arrived.last {
            self.close(fetch);
        }
        self.arrived.insert(fetch, arrived);
    }

    /// Moves bytes that have arrived: 0 at the end of the body, `None` if the server has to be asked.
    pub(crate) fn take(&mut self, fetch: u32, into: &mut [u8]) -> Option<usize> {
        let arrived = self.arrived.get_mut(&fetch)?;
        let bytes = arrived.part.len().min(into.len());
        into[..bytes].copy_from_slice(&arrived.part[..bytes]);
        arrived.part.drain(..bytes);
        if bytes == 0 && !arrived.last && !into.is_empty() {
            self.arrived.remove(&fetch);
            return None;
        }
        Some(bytes)
    }
}
