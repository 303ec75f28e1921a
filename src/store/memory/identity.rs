//! The node that a process is, and what it may write.

use std::sync::{Arc, Mutex};

use super::disk::{Data, NodeWrite, Operation, Prepared, Write};
use crate::{
    domain::{
        facts::Task,
        ids::{ExecutionId, NodeId},
        lock::lock,
        step::Step,
    },
    store::{Now, StateError, StoreError},
};

/// The node that a process is; nothing for a process that has the disk alone.
#[derive(Clone, Default)]
pub(crate) struct Identity(Option<Arc<Mutex<Mine>>>);

/// A process among others.
#[derive(Default)]
struct Mine {
    node: Option<NodeId>,
    /// The beat of the last commit that the process was told of, once it was told of its joining.
    heard: Option<u64>,
    /// Whether the disk was found to be older than that.
    is_behind: bool,
    /// The commits that the disk was found to have lost.
    lost: u64,
}

impl Identity {
    /// A process that shares the disk and has not joined yet.
    #[cfg(test)]
    pub(super) fn of_stranger() -> Self {
        Self(Some(Arc::default()))
    }

    pub(super) fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// The node that the process is, or was last.
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.0.as_ref().and_then(|mine| lock(mine).node)
    }

    pub(super) fn become_node(&self, node: NodeId) {
        if let Some(mine) = &self.0 {
            let mut mine = lock(mine);
            *mine = Mine { node: Some(node), lost: mine.lost, ..Mine::default() };
        }
    }

    /// The process is told of a commit, which has this beat of a node.
    pub(crate) fn hear(&self, node: NodeId, beat: u64) {
        if let Some(mine) = &self.0 {
            let mut mine = lock(mine);
            if mine.node == Some(node) {
                mine.heard = mine.heard.max(Some(beat));
            }
        }
    }

    /// The process is told of all commits on the disk.
    pub(super) fn hear_of(&self, data: &Data) {
        if let Some((node, row)) = self.node().and_then(|node| Some((node, data.nodes.get(&node)?))) {
            self.hear(node, row.beat);
        }
    }

    /// The commits that the disk was found to have lost.
    pub(crate) fn lost(&self) -> u64 {
        self.0.as_ref().map_or(0, |mine| lock(mine).lost)
    }

    /// Makes sure that the disk has every commit that the process was told of.
    pub(super) fn ensure_kept(&self, data: &Data) -> Result<(), StoreError> {
        let Some(mine) = &self.0 else { return Ok(()) };
        let mut mine = lock(mine);
        let row = mine.node.and_then(|node| data.nodes.get(&node));
        // A node that is not known has lost its joining too.
        let found = row.map_or(0, |row| row.beat + 1);
        let lost = mine.heard.map_or(0, |heard| (heard + 1).saturating_sub(found));
        if lost > 0 && !mine.is_behind {
            (mine.is_behind, mine.lost) = (true, mine.lost + lost);
        }
        if mine.is_behind {
            Err(StoreError::Fenced("the store has lost its last changes".to_owned()))
        } else {
            Ok(())
        }
    }

    /// The same operation, which fails once the node is gone. Its writes count as a beat.
    pub(crate) fn fence<T: 'static>(&self, now: Now, operation: Operation<T>) -> Operation<T> {
        if !self.is_shared() {
            return operation;
        }
        let identity = self.clone();
        Box::new(move |data| {
            let node = identity.living(data)?;
            let Prepared { answer, mut writes } = operation(data)?;
            if !writes.is_empty() {
                writes.push(Write::OfNode(NodeWrite::Beat(node, now())));
            }
            Ok(Prepared { answer, writes })
        })
    }

    /// The node, if it is not gone.
    pub(super) fn living(&self, data: &Data) -> Result<NodeId, StoreError> {
        self.ensure_kept(data)?;
        let node = self.node().ok_or_else(|| StoreError::Fenced("it has not joined yet".to_owned()))?;
        match data.nodes.get(&node) {
            Some(row) if row.gone.is_none() => Ok(node),
            Some(row) => Err(StoreError::Fenced(row.why.clone().unwrap_or_default())),
            None => Err(StoreError::Fenced("the store does not know it".to_owned())),
        }
    }

    /// Makes sure that an execution, if it is in progress, is this node's.
    pub(super) fn ensure_runs(&self, data: &Data, execution: ExecutionId) -> Result<(), StoreError> {
        let runs = !self.is_shared() || data.owners.get(&execution).copied() == self.node();
        if runs { Ok(()) } else { Err(StateError::NotRunning(execution).into()) }
    }

    /// Makes sure that output of an execution comes from the node that runs it.
    pub(super) fn ensure_says(&self, data: &Data, execution: ExecutionId) -> Result<(), StoreError> {
        let mut rows = data.rows.values().filter(|row| row.id == execution);
        // A row that no node has run is a copy's.
        if rows.all(|row| row.node.is_none()) { Ok(()) } else { self.ensure_runs(data, execution) }
    }

    /// Makes sure that the executions that a step ends are this node's, or those of a node that is gone.
    pub(super) fn ensure_own(&self, data: &Data, old: &Task, step: &Step) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        let goes_on = |id: ExecutionId| step.task.facts.running.iter().any(|running| running.execution == id);
        let mut ended = old.facts.running.iter().map(|running| running.execution).filter(|id| !goes_on(*id));
        match ended.find(|id| data.owners.get(id).copied() != self.node() && !data.is_abandoned(*id)) {
            None => Ok(()),
            Some(other) => Err(StateError::NotRunning(other).into()),
        }
    }

    /// Writes the node into the rows of a step, and leaves to `cancel` the executions of this node alone. Returns
    /// the wishes for the others.
    pub(super) fn assign(&self, data: &Data, step: &mut Step) -> Vec<Write> {
        if !self.is_shared() {
            return Vec::new();
        }
        let node = self.node();
        for row in &mut step.rows {
            let starts = step.start.iter().any(|start| start.execution == row.id);
            row.node = if starts { node } else { data.owners.get(&row.id).copied() };
        }
        let others = step.cancel.extract_if(.., |id| data.owners.get(id).copied() != node);
        others.map(|id| Write::OfNode(NodeWrite::Wish(id, step.cancelled_by.to_owned()))).collect()
    }
}
