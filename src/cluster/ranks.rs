//! Ranks: in which order the nodes look at a task that becomes due.

use sha2::{Digest, Sha256};

use crate::{
    domain::{Millis, ids::NodeId},
    store::Node,
};

/// Between the looks of two nodes that follow one another, in milliseconds.
const STEP: Millis = 3;
/// The latest look because of the rank, in milliseconds.
const LATEST: Millis = 15;
/// A node without a free place looks this much later, in milliseconds.
const FULL: Millis = 4;

/// The nodes that may look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranks {
    me: Option<NodeId>,
    others: Vec<NodeId>,
}

impl Ranks {
    /// The ranks of the nodes that are not gone and have room for runs at all, seen by `me`.
    #[must_use]
    pub fn new(me: NodeId, nodes: &[Node]) -> Self {
        let living = nodes.iter().filter(|node| node.gone.is_none() && node.places > 0 && node.id != me);
        Self { me: Some(me), others: living.map(|node| node.id).collect() }
    }

    /// The number of these nodes, this one included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.others.len() + usize::from(self.me.is_some())
    }

    /// The number of nodes that look before this one at what becomes due at a time. All nodes agree on the order,
    /// and each time has another one.
    #[must_use]
    pub fn of(&self, due: Millis) -> usize {
        let Some(me) = self.me else { return 0 };
        let mine = weight(me, due);
        self.others.iter().filter(|other| weight(**other, due) < mine).count()
    }
}

fn weight(node: NodeId, due: Millis) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(node.to_bytes());
    hash.update(due.to_be_bytes());
    hash.finalize().into()
}

/// The milliseconds that a node of this rank waits before it looks, with `busy` of its `places` taken.
#[must_use]
pub fn stagger(rank: usize, busy: usize, places: usize) -> Millis {
    let millis = |count| Millis::try_from(count).unwrap_or(Millis::MAX);
    let full = millis(busy.min(places)).saturating_mul(FULL) / millis(places.max(1));
    millis(rank).saturating_mul(STEP).min(LATEST) + full
}
