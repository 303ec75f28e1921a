//! Recovery: executions that an earlier process left in progress are closed at the start.

use super::Scheduler;
use crate::{
    domain::{
        execution::{Reason, Verdict},
        ids::{ExecutionId, TaskId},
        step::{Input, Refused},
    },
    store::{FinishedStep, StoreError},
};

impl Scheduler {
    /// Closes every execution in progress as `lost`; the retry rule decides about another attempt.
    /// Call it before this process starts any execution: all are an earlier process's then.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recover(&self) -> Result<(), StoreError> {
        let left = self.store.running().await?;
        if !left.is_empty() {
            tracing::warn!(
                executions = left.len(),
                "an earlier process left executions in progress: they are lost"
            );
        }
        // All changes are asked for before the first answer is awaited, so that they share commits.
        let mut changes = Vec::new();
        for (task, execution) in left {
            let verdict = self.lost(task, execution).await?;
            let decision =
                self.decision(move || Input::Ended { execution, verdict: Box::new(verdict.clone()) });
            changes.push(tokio::spawn(self.store.change(task, decision, None, None)));
        }
        for change in changes {
            match change.await.unwrap_or(Err(StoreError::Closed)) {
                Ok(step) => self.events.publish(step.events),
                Err(StoreError::NotFound | StoreError::Refused(Refused::NotRunning(_))) => {}
                Err(StoreError::Refused(error)) => {
                    tracing::error!(%error, "an execution left in progress cannot be closed");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The verdict on an execution that an earlier process left in progress, with the progress, the
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
