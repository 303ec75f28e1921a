//! What an earlier process left behind: executions in progress that nobody runs any more.

use super::Scheduler;
use crate::{
    domain::{
        execution::{Reason, Verdict},
        step::{Input, Refused},
    },
    store::StoreError,
};

impl Scheduler {
    /// Closes every execution that an earlier epoch left in progress as `lost`; the retry rule
    /// decides whether there is another attempt. Nothing of this epoch runs yet, so whatever is
    /// in progress is of an earlier one.
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
        // All are asked for before the first answer is awaited, so that they share commits.
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
