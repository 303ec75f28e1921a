//! Lease: until when this process may run handlers.
//!
//! The lease is told by the node that a run was claimed by: a process that has lost its lease and joins anew is
//! another node, and may not go on with the runs of the one that it was.

use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, futures::Notified};

use crate::{
    clock::Clock,
    domain::{Millis, ids::NodeId, lock::lock},
};

/// The standing of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may run what this node has claimed until a time, in milliseconds since the machine started.
    Member {
        /// The node that it is.
        node: NodeId,
        /// The end of its lease.
        until: Millis,
    },
    /// It has not joined yet, or its lease is over.
    Fenced,
}

/// The lease of this process.
pub struct Lease {
    clock: Arc<dyn Clock>,
    standing: Mutex<Standing>,
    changed: Notify,
}

impl Lease {
    /// The lease of a process that is about to join.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, standing: Mutex::new(Standing::Fenced), changed: Notify::new() }
    }

    /// The standing now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match *lock(&self.standing) {
            Standing::Member { until, .. } if self.clock.boot() >= until => Standing::Fenced,
            standing => standing,
        }
    }

    /// Whether a run that was claimed by `node` may go on. With a store that nobody shares there is no node.
    #[must_use]
    pub fn holds(&self, node: Option<NodeId>) -> bool {
        match (self.standing(), node) {
            (_, None) => true,
            (Standing::Member { node, .. }, Some(claimed)) => node == claimed,
            (Standing::Fenced, Some(_)) => false,
        }
    }

    /// Waits until runs that were claimed by `node` may not go on; for ever without one. [`Member`](super::Member)
    /// tells the end of a lease at its time.
    pub async fn over(&self, node: Option<NodeId>) {
        if node.is_none() {
            return std::future::pending().await;
        }
        loop {
            let changed = self.changed.notified();
            if !self.holds(node) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until runs that were claimed by `node` may start: a claim may be answered before this process knows
    /// that it has joined. `false` once `current` tells another node.
    pub async fn begins(&self, node: NodeId, current: impl Fn() -> Option<NodeId>) -> bool {
        loop {
            let changed = self.changed.notified();
            if self.holds(Some(node)) {
                return true;
            }
            if current() != Some(node) {
                return false;
            }
            changed.await;
        }
    }

    /// Waits for the next change of the standing since this call, or for a longer lease.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Lets the lease last until then, unless it is over already: runs may have ended because of that, and nobody
    /// would close them if the same node went on. Whether it lasts.
    pub(super) fn renew(&self, node: NodeId, until: Millis) -> bool {
        let now = self.clock.boot();
        let mut standing = lock(&self.standing);
        let is_over =
            matches!(*standing, Standing::Member { node: old, until } if old == node && now >= until);
        if !is_over {
            *standing = Standing::Member { node, until };
        }
        drop(standing);
        self.changed.notify_waiters();
        !is_over
    }

    /// The lease is over.
    pub(super) fn end(&self) {
        *lock(&self.standing) = Standing::Fenced;
        self.changed.notify_waiters();
    }
}
