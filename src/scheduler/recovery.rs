//! Recovery: executions that an earlier process left in progress are closed at the start.

use super::Scheduler;
use crate::{
    domain::{
        execution::{Reason, Verdict},
        step::{Input, Refused},
    },
    store::StoreError,
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
        let changes: Vec<_> = left
            .into_iter()
            .map(|(task, execution)| {
                let decision = self.decision(move || {
                    let verdict = Verdict::failed(Reason::Lost, "the server died while the handler ran");
                    Input::Ended { execution, verdict: Box::new(verdict) }
                });
                tokio::spawn(self.store.change(task, decision, None, None))
            })
            .collect();
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
}
