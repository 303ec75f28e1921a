//! Observer: which nodes have been silent for the length of a lease, by this node's own clock.

use std::collections::BTreeMap;

use crate::{
    domain::{Millis, ids::NodeId},
    store::Node,
};

/// The beats of the other nodes, as one node has seen them. Times are milliseconds since the machine started.
#[derive(Debug)]
pub struct Observer {
    lease: Millis,
    /// The last beat of each node that is not gone, and when it was seen first.
    seen: BTreeMap<NodeId, (u64, Millis)>,
    /// Looks without a gap between them: the first and the last.
    looks: Option<(Millis, Millis)>,
}

impl Observer {
    /// An observer that has seen nothing; `lease` in milliseconds.
    #[must_use]
    pub fn new(lease: Millis) -> Self {
        Self { lease, seen: BTreeMap::new(), looks: None }
    }

    /// Takes the nodes as the store shows them at `now`. Returns those that have been silent for a lease, with
    /// the beat after which they fell silent.
    ///
    /// Looks that are further apart than half a lease count as the first one: while the store was away nobody
    /// could beat, and the others have as much time to come back as this node has had.
    pub fn look(&mut self, nodes: &[Node], now: Millis) -> Vec<(NodeId, u64)> {
        let first = match self.looks {
            Some((first, last)) if now >= last && now - last <= self.lease / 2 => first,
            _ => {
                self.seen.clear();
                now
            }
        };
        self.looks = Some((first, now));
        let living: BTreeMap<_, _> =
            nodes.iter().filter(|node| node.gone.is_none()).map(|node| (node.id, node.beat)).collect();
        self.seen.retain(|id, (beat, _)| living.get(id) == Some(beat));
        for (id, beat) in living {
            self.seen.entry(id).or_insert((beat, now));
        }
        let silent = self.seen.iter().filter(|(_, (_, since))| now - since >= self.lease);
        silent.map(|(id, (beat, _))| (*id, *beat)).collect()
    }

    /// Forgets all: the store was away.
    pub fn forget(&mut self) {
        self.looks = None;
        self.seen.clear();
    }
}
