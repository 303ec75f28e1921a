//! Lease: until when this process may run handlers.
//!
//! The lease is told by the node that a run was claimed by: a process that has lost its lease and joins anew is
//! another node, and may not go on with the runs of the one that it was.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    clock::Clock,
    domain::{Millis, ids::NodeId},
};

/// The standing of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody shares its store.
    Alone,
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
    standing: watch::Sender<Standing>,
}

impl Lease {
    /// The lease of a process that is about to join.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, standing: watch::channel(Standing::Fenced).0 }
    }

    /// The standing now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match *self.standing.borrow() {
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
            (Standing::Alone | Standing::Fenced, Some(_)) => false,
        }
    }

    /// Waits until runs that were claimed by `node` may not go on; for ever without one.
    pub async fn over(&self, node: Option<NodeId>) {
        if node.is_none() {
            return std::future::pending().await;
        }
        let mut standing = self.standing.subscribe();
        let is_over =
            |now: &Standing| !matches!(now, Standing::Member { node: mine, .. } if Some(*mine) == node);
        // The sender is in `self`, so the wait does not fail.
        let _ = standing.wait_for(is_over).await;
    }

    /// Tells each change of the standing.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// The lease lasts until then.
    pub(super) fn renew(&self, node: NodeId, until: Millis) {
        self.standing.send_replace(Standing::Member { node, until });
    }

    /// The lease is over.
    pub(super) fn end(&self) {
        self.standing.send_replace(Standing::Fenced);
    }
}
