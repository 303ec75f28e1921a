//! Nodes: what holds where many processes share a store.
//!
//! 10. An attempt is started by one process, once ([`record`](super::record) checks that).
//! 11. An attempt starts only when no runner of another attempt of its occurrence is alive anywhere.
//! 12. Nothing of a node is written after it was declared gone.
//! 13. A node is declared gone only after a lease without a commit.
//! 14. An execution of a process that is dead is closed, and 15. nothing due waits, while a process works and has
//!     room ([`invariants`](super::invariants) tells what is to be done).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        Millis,
        execution::{Execution, Reason},
        ids::{ExecutionId, NodeId},
        step::Step,
    },
    store::memory::disk::Data,
};

/// The nodes, by what the processes have done.
#[derive(Default)]
pub(crate) struct Nodes {
    /// Those that are gone.
    gone: BTreeSet<NodeId>,
    /// The time of each one's last commit, by the world.
    commits: BTreeMap<NodeId, Millis>,
    /// The node of each execution that was claimed.
    owners: BTreeMap<ExecutionId, NodeId>,
}

impl Nodes {
    /// Checks invariant 12, and notes a commit at a time of the world.
    pub(crate) fn commit(&mut self, node: NodeId, now: Millis) {
        assert!(!self.gone.contains(&node), "{node} writes although it is gone");
        self.commits.insert(node, now);
    }

    /// Checks invariant 13.
    pub(crate) fn give_up(&mut self, node: NodeId, now: Millis, lease: Millis) {
        let silence = now - self.commits.get(&node).copied().unwrap_or_default();
        assert!(silence >= lease, "{node} is given up after {silence} ms, the lease is {lease} ms");
        self.gone.insert(node);
    }

    /// A node has left, or its process has joined anew.
    pub(crate) fn leave(&mut self, node: NodeId) {
        self.gone.insert(node);
    }

    /// Notes the nodes of the executions that a step starts.
    pub(crate) fn note_starts(&mut self, step: &Step) {
        let starts = |row: &&Execution| step.start.iter().any(|start| start.execution == row.id);
        let owners = step.rows.iter().filter(starts).filter_map(|row| Some((row.id, row.node?)));
        self.owners.extend(owners);
    }

    /// The node that has claimed an execution.
    pub(crate) fn owner(&self, execution: ExecutionId) -> Option<NodeId> {
        self.owners.get(&execution).copied()
    }

    /// Whether the node of an execution is gone.
    pub(crate) fn has_lost(&self, execution: ExecutionId) -> bool {
        self.owners.get(&execution).is_some_and(|owner| self.gone.contains(owner))
    }
}

/// Whether a step closes an execution because nobody runs it any more.
pub(crate) fn closes_lost(step: &Step, execution: ExecutionId) -> bool {
    step.rows.iter().any(|row| row.id == execution && row.reason == Some(Reason::Lost))
}

/// Checks invariant 11 for an execution that starts while the `others` run anywhere.
pub(crate) fn check_occurrence(data: &Data, execution: ExecutionId, others: &BTreeSet<ExecutionId>) {
    let find = |id: ExecutionId| data.rows.values().find(|row| row.id == id);
    let Some(row) = find(execution) else { return };
    for other in others.iter().filter(|other| **other != execution).filter_map(|other| find(*other)) {
        let same = (other.task_id, other.scheduled_for) == (row.task_id, row.scheduled_for);
        assert!(!same, "{} runs while {} of the same occurrence is alive", row.id, other.id);
    }
}

/// A step without what a shared store adds: the nodes in its rows, and the executions that it cancels elsewhere.
pub(crate) fn bare(step: &Step, expected: &Step) -> Step {
    let mut bare = step.clone();
    bare.rows.iter_mut().for_each(|row| row.node = None);
    assert!(
        bare.cancel.iter().all(|id| expected.cancel.contains(id)),
        "a step cancels what nobody asked for"
    );
    bare.cancel.clone_from(&expected.cancel);
    bare
}
