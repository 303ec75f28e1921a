//! Owners: the nodes that run executions, and what this one may write of them.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use super::group::{Failure, Group, id_of};
use crate::{
    domain::{
        facts::Task,
        ids::{ExecutionId, NodeId, TaskId},
        step::Step,
    },
    store::{
        StateError,
        postgres::connection::{Id, args, query},
    },
};

/// The executions in progress of locked tasks: each with its node, and whether that is gone.
pub(super) const RUNNING: &str = "SELECT r.id, r.task, r.node, n.id IS NULL OR n.gone IS NOT NULL
    FROM #running r LEFT JOIN #node n ON n.id = r.node WHERE r.task = ANY($1)";
/// The nodes of executions that are or were in progress.
pub(super) const SPEAKERS: &str = "SELECT id, node, true FROM #running WHERE id = ANY($1)
    UNION ALL SELECT id, node, false FROM #execution WHERE id = ANY($1)";

/// The nodes of executions, as far as the group has read them.
#[derive(Default)]
pub(super) struct Owners {
    /// Of executions in progress, each with whether its node is gone.
    running: BTreeMap<ExecutionId, (NodeId, bool)>,
    /// The tasks whose executions in progress are all read.
    pub(super) known: BTreeSet<TaskId>,
    /// Of executions that output comes from: the node that runs them, if they are in progress.
    speakers: BTreeMap<ExecutionId, Option<NodeId>>,
}

impl Owners {
    pub(super) fn take_running(&mut self, rows: &[Row]) {
        self.running.extend(rows.iter().map(|row| (execution_of(row, 0), (node_of(row, 2), row.get(3)))));
    }

    pub(super) fn take_speakers(&mut self, rows: &[Row]) {
        for row in rows {
            // A row that no node has run is a copy's.
            if let Some(Id(node)) = row.get::<_, Option<Id>>(1) {
                let runs = row.get::<_, bool>(2).then(|| NodeId::from_bytes(node));
                self.speakers.insert(execution_of(row, 0), runs);
            }
        }
    }
}

impl Group<'_> {
    async fn load_owners(&mut self, task: TaskId) -> Result<(), Failure> {
        if self.owners.known.insert(task) {
            let rows = self.rows(query(RUNNING, args![vec![task]])).await?;
            self.owners.take_running(&rows);
        }
        Ok(())
    }

    /// Refuses a write in the name of an execution that this node does not run.
    pub(super) async fn ensure_runs(&mut self, task: TaskId, execution: ExecutionId) -> Result<(), Failure> {
        self.load_owners(task).await?;
        let runs = self.owners.running.get(&execution).is_some_and(|(node, _)| *node == self.member.id);
        if runs { Ok(()) } else { Err(not_running(execution)) }
    }

    /// Refuses output of an execution that another node runs or that has ended.
    pub(super) fn ensure_says(&self, execution: ExecutionId) -> Result<(), Failure> {
        match self.owners.speakers.get(&execution) {
            Some(node) if *node != Some(self.member.id) => Err(not_running(execution)),
            _ => Ok(()),
        }
    }

    /// Writes the nodes into the rows of a step, and leaves to its `cancel` the executions of this node alone: the
    /// end of the others is wished. Refuses to end executions of a living node.
    pub(super) async fn assign(&mut self, old: &Task, step: &mut Step) -> Result<(), Failure> {
        let node = self.member.id;
        let goes_on = |id: ExecutionId| step.task.facts.running.iter().any(|running| running.execution == id);
        let all = old.facts.running.iter().map(|running| running.execution);
        let ended: Vec<_> = all.filter(|id| !goes_on(*id)).collect();
        let starts = |id: ExecutionId| step.start.iter().any(|start| start.execution == id);
        let others = !step.cancel.is_empty() || step.rows.iter().any(|row| !starts(row.id));
        if !old.facts.running.is_empty() && (others || !ended.is_empty()) {
            self.load_owners(old.id).await?;
        }
        let owners = &mut self.owners;
        let is_other =
            |id: &ExecutionId| owners.running.get(id).is_some_and(|(owner, gone)| *owner != node && !gone);
        if let Some(other) = ended.iter().copied().find(is_other) {
            return Err(not_running(other));
        }
        for row in &mut step.rows {
            let starts = step.start.iter().any(|start| start.execution == row.id);
            row.node = if starts { Some(node) } else { owners.running.get(&row.id).map(|(node, _)| *node) };
        }
        let away = |id: &mut ExecutionId| owners.running.get(id).is_none_or(|(owner, _)| *owner != node);
        let wished = step.cancel.extract_if(.., away);
        let wished: Vec<_> = wished.map(|id| (id, step.cancelled_by.to_owned())).collect();
        self.wishes |= !wished.is_empty();
        self.writes.wishes.extend(wished);
        for id in ended {
            owners.running.remove(&id);
            owners.speakers.insert(id, None);
        }
        for start in &step.start {
            owners.running.insert(start.execution, (node, false));
            owners.speakers.insert(start.execution, Some(node));
        }
        Ok(())
    }
}

fn not_running(execution: ExecutionId) -> Failure {
    Failure::Refused(StateError::NotRunning(execution).into())
}

/// The execution in a column.
pub(crate) fn execution_of(row: &Row, column: usize) -> ExecutionId {
    ExecutionId(id_of(row, column).0)
}

/// The node in a column.
pub(crate) fn node_of(row: &Row, column: usize) -> NodeId {
    NodeId(id_of(row, column).0)
}
