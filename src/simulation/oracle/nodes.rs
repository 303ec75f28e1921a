//! Nodes: what holds where many processes share a store.
//!
//! 10. An attempt is started by one process, once ([`record`](super::record) checks that).
//! 11. An attempt starts only when no runner of another attempt of its occurrence is alive anywhere.
//! 12. Nothing of a node is written after it was declared gone.
//! 13. A node is declared gone only after a lease without a commit.
//! 14. An execution of a process that is dead is closed, and 15. nothing due waits, while a process works and has
//!     room ([`invariants`](super::invariants) tells what is to be done).
//! 16. A node that was told of a commit which the store has lost writes nothing more, and its process tells of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

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
    /// The last commit that each one was told of, by the number of its operation.
    told: BTreeMap<NodeId, u64>,
    /// Those that were told of a commit that is lost.
    behind: BTreeSet<NodeId>,
    /// Those that were gone, until the store lost that.
    back: BTreeSet<NodeId>,
    /// The node of each execution that was claimed.
    owners: BTreeMap<ExecutionId, NodeId>,
}

impl Nodes {
    /// Checks invariants 12 and 16, and notes a commit at a time of the world.
    pub(crate) fn commit(&mut self, node: NodeId, now: Millis) {
        assert!(!self.gone.contains(&node), "{node} writes although it is gone");
        assert!(!self.behind.contains(&node), "{node} writes although changes of it are lost");
        self.commits.insert(node, now);
    }

    /// A node is told of its commit.
    pub(crate) fn tell(&mut self, node: NodeId, operation: u64) {
        self.told.insert(node, self.told.get(&node).copied().unwrap_or_default().max(operation));
    }

    /// The store is as it was when these nodes were gone, after an operation.
    pub(super) fn go_back(&mut self, gone: BTreeSet<NodeId>, operation: u64) {
        self.back.extend(self.gone.difference(&gone));
        self.gone = gone;
        let behind = self.told.iter().filter(|(_, last)| **last > operation).map(|(node, _)| *node);
        self.behind.extend(behind);
    }

    pub(super) fn gone(&self) -> &BTreeSet<NodeId> {
        &self.gone
    }

    /// Whether a node was told of a commit that is lost.
    pub(crate) fn is_behind(&self, node: NodeId) -> bool {
        self.behind.contains(&node)
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

    /// Whether the node of an execution is gone, or was: others may still be about to close it, and are refused then.
    pub(crate) fn has_lost(&self, execution: ExecutionId) -> bool {
        let is_gone = |owner| self.gone.contains(owner) || self.back.contains(owner);
        self.owners.get(&execution).is_some_and(is_gone)
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

/// The changes that the store has lost.
#[derive(Default)]
pub(crate) struct Losses {
    /// The operations, by their numbers.
    operations: Vec<RangeInclusive<u64>>,
    /// The executions that are in the store no more.
    executions: BTreeSet<ExecutionId>,
    /// The requests whose changes are lost.
    requests: BTreeSet<String>,
}

impl Losses {
    pub(super) fn add(
        &mut self,
        operations: RangeInclusive<u64>,
        executions: impl Iterator<Item = ExecutionId>,
        requests: Vec<String>,
    ) {
        self.operations.push(operations);
        self.executions.extend(executions);
        self.requests.extend(requests);
    }

    /// Whether an operation was written and is lost.
    pub(crate) fn has(&self, operation: u64) -> bool {
        self.operations.iter().any(|lost| lost.contains(&operation))
    }

    /// Whether an execution was in progress or in the history, and is lost.
    pub(crate) fn has_execution(&self, execution: ExecutionId) -> bool {
        self.executions.contains(&execution)
    }

    /// Whether the change of a request was made and is lost.
    pub(crate) fn has_request(&self, request: &str) -> bool {
        self.requests.contains(request)
    }
}
