//! What this node may write of executions, which others may run.

use super::{failure::Failure, owners::RUNNING, transaction::Group};
use crate::{
    domain::{
        facts::Task,
        ids::{ExecutionId, TaskId},
        step::Step,
    },
    store::{
        StateError,
        postgres::connection::{args, query},
    },
};

impl Group<'_> {
    async fn load_owners(&mut self, task: TaskId) -> Result<(), Failure> {
        if self.owners.known.insert(task) {
            let rows = self.rows(query(RUNNING, args![vec![task]])).await?;
            self.owners.take_running(&rows);
        }
        Ok(())
    }

    /// Refuses a write in the name of an execution that this node does not run.
    pub(crate) async fn ensure_runs(&mut self, task: TaskId, execution: ExecutionId) -> Result<(), Failure> {
        self.load_owners(task).await?;
        let runs = self.owners.running.get(&execution).is_some_and(|(node, _)| *node == self.member.id);
        if runs { Ok(()) } else { Err(not_running(execution)) }
    }

    /// Refuses output of an execution that another node runs or that has ended.
    pub(crate) fn ensure_says(&self, execution: ExecutionId) -> Result<(), Failure> {
        match self.owners.speakers.get(&execution) {
            Some(node) if *node != Some(self.member.id) => Err(not_running(execution)),
            _ => Ok(()),
        }
    }

    /// Writes the nodes into the rows of a step, and leaves to its `cancel` the executions of this node alone: the
    /// end of the others is wished. Refuses to end executions of a living node.
    pub(crate) async fn assign(&mut self, old: &Task, step: &mut Step) -> Result<(), Failure> {
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
