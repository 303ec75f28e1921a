//! Recovery: executions in progress that no process runs any more are closed.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    domain::{
        execution::{Reason, Verdict},
        ids::{ExecutionId, TaskId},
        step::{Input, Refused},
    },
    scheduler::Scheduler,
    store::{FinishedStep, StoreError},
};

/// The most executions that are closed together.
const CLOSED_AT_ONCE: usize = 512;

impl Scheduler {
    /// Closes every execution in progress that a process has left as `lost`; the retry rule decides about
    /// another attempt. Call it before this process starts any execution.
    ///
    /// # Errors
    /// When the store fails for good.
    pub async fn recover(self: &Arc<Self>) -> Result<(), StoreError> {
        self.persist(|| self.close_abandoned()).await
    }

    /// Closes the executions in progress that no living process runs any more. Several nodes may do so at once.
    pub(in crate::scheduler) async fn close_abandoned(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut tried = BTreeSet::new();
        loop {
            let mut left = self.store.abandoned(CLOSED_AT_ONCE).await?;
            left.retain(|(_, execution)| tried.insert(*execution));
            if left.is_empty() {
                return Ok(());
            }
            tracing::warn!(executions = left.len(), "a process left executions in progress: they are lost");
            self.close_all(left).await?;
        }
    }

    async fn close_all(self: &Arc<Self>, left: Vec<(TaskId, ExecutionId)>) -> Result<(), StoreError> {
        // All changes are asked for before the first answer is awaited, so that they share commits.
        let mut changes = Vec::new();
        for (task, execution) in left {
            let verdict = self.lost(task, execution).await?;
            let decision =
                self.decision(move || Input::Ended { execution, verdict: Box::new(verdict.clone()) });
            changes.push(tokio::spawn(self.store.change(task, decision, None, None)));
        }
        let mut failed = None;
        for change in changes {
            match change.await.unwrap_or(Err(StoreError::Closed)) {
                Ok(step) => self.carry_out(step, &mut Vec::new()),
                Err(StoreError::NotFound | StoreError::Refused(Refused::NotRunning(_))) => {}
                Err(StoreError::Refused(error)) => {
                    tracing::error!(%error, "an execution left in progress cannot be closed");
                }
                // The consequences of the other changes are still to be carried out.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The verdict on an execution that a process left in progress, with the progress, the
    /// hashes and the finished steps that are in the store.
    async fn lost(&self, task: TaskId, execution: ExecutionId) -> Result<Verdict, StoreError> {
        let mut verdict = Verdict::failed(Reason::Lost, "the server died while the handler ran");
        if let Some(row) = self.store.execution(task, execution).await? {
            let steps = self.store.steps(task, row.scheduled_for).await?;
            verdict.steps = steps.into_iter().map(FinishedStep::into_note).collect();
            verdict.progress = row.progress;
            (verdict.handler_hash, verdict.files_hash) = (row.handler_hash, row.files_hash);
        }
        Ok(verdict)
    }
}
