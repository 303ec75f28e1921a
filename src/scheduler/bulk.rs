//! Bulk: one action on many tasks, in groups whose changes share commits.

use std::{panic::resume_unwind, sync::Arc};

use serde_json::{Map, Value};
use tokio::task::JoinError;

use super::{Actor, ControlError, Scheduler};
use crate::{
    domain::{
        facts::{Origin, Task},
        ids::{ExecutionId, TaskId},
        step::{Input, Refused},
    },
    store::StoreError,
};

/// Tasks that are changed at the same time at most.
const AT_ONCE: usize = 64;

/// An action on many tasks.
#[derive(Debug, Clone, PartialEq)]
pub enum BulkAction {
    /// As [`Scheduler::pause`].
    Pause,
    /// As [`Scheduler::resume`].
    Resume,
    /// As [`Scheduler::run_by_hand`], with these parameters.
    Run(Option<Map<String, Value>>),
    /// As [`Scheduler::cancel`].
    Cancel,
    /// As [`Scheduler::reset_retries`].
    ResetRetries,
    /// As [`Scheduler::delete`].
    Delete,
}

/// The end of an action on one task.
#[derive(Debug)]
pub struct BulkDone {
    /// The task after the action; of a deletion, before it.
    pub task: Task,
    /// The execution of a run.
    pub execution: Option<ExecutionId>,
}

impl Scheduler {
    /// Does an action on each of the tasks, and answers in their order. Actions on different tasks are
    /// done side by side.
    pub async fn act_on_all(
        self: &Arc<Self>,
        tasks: &[TaskId],
        action: &BulkAction,
        actor: &Actor,
    ) -> Vec<Result<BulkDone, ControlError>> {
        let mut answers = Vec::new();
        for group in tasks.chunks(AT_ONCE) {
            let under_way: Vec<_> = group
                .iter()
                .map(|task| {
                    let (scheduler, task, action, actor) =
                        (self.clone(), *task, action.clone(), actor.clone());
                    tokio::spawn(async move { scheduler.act_on(task, action, &actor).await })
                })
                .collect();
            for answer in under_way {
                answers.push(match answer.await.map_err(JoinError::try_into_panic) {
                    Ok(answer) => answer,
                    Err(Ok(panic)) => resume_unwind(panic),
                    Err(Err(_)) => Err(StoreError::Closed.into()),
                });
            }
        }
        answers
    }

    async fn act_on(
        self: Arc<Self>,
        task: TaskId,
        action: BulkAction,
        actor: &Actor,
    ) -> Result<BulkDone, ControlError> {
        let done = |task| BulkDone { task, execution: None };
        match action {
            BulkAction::Pause => self.pause(task, actor).await.map(done),
            BulkAction::Resume => self.resume(task, actor).await.map(done),
            BulkAction::ResetRetries => self.reset_retries(task, actor).await.map(done),
            BulkAction::Delete => self.delete(task, actor).await.map(done),
            BulkAction::Cancel => self.cancel(task, actor).await.map(|(task, _)| done(task)),
            BulkAction::Run(params) => {
                let (task, execution) = self.run_by_hand(task, params, actor).await?;
                Ok(BulkDone { task, execution: Some(execution) })
            }
        }
    }

    /// Whether an action would be done if it were asked for now.
    ///
    /// # Errors
    /// The reason for which the task as it is would refuse it.
    pub fn would_act(&self, task: &Task, action: &BulkAction) -> Result<(), Refused> {
        let now = self.clock.now();
        let input = match action {
            BulkAction::Pause => Input::Pause,
            BulkAction::Resume => Input::Resume,
            BulkAction::ResetRetries => Input::ResetRetries,
            BulkAction::Cancel => Input::Cancel,
            BulkAction::Run(params) => {
                let (execution, params) = (self.ids.execution(now), params.clone());
                Input::RunByHand { execution, params, origin: Origin::default() }
            }
            BulkAction::Delete => {
                return match task.managed_by() {
                    Some(file) => Err(Refused::Managed(file.to_owned())),
                    None => Ok(()),
                };
            }
        };
        self.decision(move || input.clone())(task, now).map(drop)
    }
}
