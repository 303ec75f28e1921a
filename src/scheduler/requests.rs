//! Requests of users: create, update, delete, pause, resume, run, cancel, each to its durable end.

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::{task::JoinError, time::timeout};

use super::{Actor, InFlight, Scheduler};
use crate::{
    domain::{
        Millis,
        audit::Action,
        definition::Definition,
        draft::Draft,
        execution::ExecutionStatus,
        facts::{Origin, Task},
        ids::{ExecutionId, TaskId},
        step::{Event, Input, News, Refused},
    },
    events::{Heard, Listener},
    store::StoreError,
};

/// The time that a cancelled execution takes at most: the runner's grace, the kill after it, the record.
const ENDED_WITHIN: Duration = Duration::from_secs(8);
/// The most rounds of cancelling before a task that keeps starting runs is not deleted.
const DELETE_TRIES: usize = 20;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The store or the task's facts refuse it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server is stopping.
    #[error("The server is shutting down")]
    Stopping,
}

impl Scheduler {
    /// Creates a task.
    ///
    /// # Errors
    /// When the name is taken or the store fails.
    pub async fn create(
        self: &Arc<Self>,
        definition: Definition,
        actor: &Actor,
    ) -> Result<Task, ControlError> {
        let now = self.clock.now();
        self.add(Task::new(self.ids.task(now), definition, now), actor).await
    }

    /// Adds a new task, at its time of creation.
    pub(super) async fn add(self: &Arc<Self>, mut task: Task, actor: &Actor) -> Result<Task, ControlError> {
        task.begin_watch(&self.policy.alerts);
        let audit = actor.record(Action::Create, task.created_at).about(&task);
        self.traced.note_change(task.id, actor.trace);
        let scheduler = self.clone();
        self.complete(async move {
            scheduler.store.create(task.clone(), Some(audit)).await?;
            scheduler.events.publish([Event::of_task(&task, News::TaskCreated)]);
            scheduler.nudge.notify_one();
            scheduler.alarm.notify_one();
            Ok(task)
        })
        .await
    }

    /// Changes a task's definition.
    ///
    /// # Errors
    /// When the task is gone, the fields do not fit it, the new name is taken, or the store fails.
    pub async fn update(
        self: &Arc<Self>,
        task: TaskId,
        draft: Draft,
        actor: &Actor,
    ) -> Result<Task, ControlError> {
        let changed =
            self.ask(task, Action::Update, actor, move || Input::Update(Box::new(draft.clone()))).await?;
        self.traced.note_change(task, actor.trace);
        Ok(changed)
    }

    /// Pauses a task.
    ///
    /// # Errors
    /// When the task is gone or paused already, or the store fails.
    pub async fn pause(self: &Arc<Self>, task: TaskId, actor: &Actor) -> Result<Task, ControlError> {
        self.ask(task, Action::Pause, actor, || Input::Pause).await
    }

    /// Resumes a paused or stopped task.
    ///
    /// # Errors
    /// When the task is gone or not paused, or the store fails.
    pub async fn resume(self: &Arc<Self>, task: TaskId, actor: &Actor) -> Result<Task, ControlError> {
        let resumed = self.ask(task, Action::Resume, actor, || Input::Resume).await?;
        self.traced.note_change(task, actor.trace);
        Ok(resumed)
    }

    /// Resets a task's count of failures.
    ///
    /// # Errors
    /// When the task is gone, or the store fails.
    pub async fn reset_retries(self: &Arc<Self>, task: TaskId, actor: &Actor) -> Result<Task, ControlError> {
        self.ask(task, Action::ResetRetries, actor, || Input::ResetRetries).await
    }

    /// Runs the planned times of a task in `from..=to`, one after the other, `most` at most.
    ///
    /// # Errors
    /// When the task is gone or has a backfill under way, the span has no planned time or is not past, or
    /// the store fails.
    pub async fn backfill(
        self: &Arc<Self>,
        task: TaskId,
        (from, to): (Millis, Millis),
        most: u64,
        actor: &Actor,
    ) -> Result<Task, ControlError> {
        self.ask(task, Action::Backfill, actor, move || Input::Backfill { from, to, most }).await
    }

    /// Runs a task now, once, with `params` instead of the task's if there are any.
    ///
    /// # Errors
    /// When the task is gone or already running (and runs may not overlap), or the store fails.
    pub async fn run_by_hand(
        self: &Arc<Self>,
        task: TaskId,
        params: Option<Map<String, Value>>,
        actor: &Actor,
    ) -> Result<(Task, ExecutionId), ControlError> {
        self.start_by_hand(task, params, None, actor).await
    }

    /// Runs a task now, once, in place of an earlier execution of it.
    ///
    /// # Errors
    /// As [`Scheduler::run_by_hand`].
    pub async fn rerun(
        self: &Arc<Self>,
        task: TaskId,
        execution: ExecutionId,
        params: Option<Map<String, Value>>,
        actor: &Actor,
    ) -> Result<(Task, ExecutionId), ControlError> {
        self.start_by_hand(task, params, Some(execution), actor).await
    }

    async fn start_by_hand(
        self: &Arc<Self>,
        task: TaskId,
        params: Option<Map<String, Value>>,
        rerun_of: Option<ExecutionId>,
        actor: &Actor,
    ) -> Result<(Task, ExecutionId), ControlError> {
        let execution = self.ids.execution(self.clock.now());
        let origin = Origin { by: actor.token_name().map(str::to_owned), rerun_of };
        let input = move || Input::RunByHand { execution, params: params.clone(), origin: origin.clone() };
        let action = if rerun_of.is_some() { Action::Rerun } else { Action::Run };
        let claim = self.traced.begin_claim(execution, actor.trace);
        let asked = self.ask(task, action, actor, input).await;
        self.traced.end_claim(execution, claim, asked.is_err());
        Ok((asked?, execution))
    }

    /// Cancels one execution in progress, and waits for its end.
    ///
    /// # Errors
    /// When the task is gone or the execution is not in progress, or the store fails.
    pub async fn cancel_one(
        self: &Arc<Self>,
        task: TaskId,
        execution: ExecutionId,
        actor: &Actor,
    ) -> Result<Task, ControlError> {
        let events = self.events.listen();
        let found = self.ask(task, Action::Cancel, actor, move || Input::CancelOne(execution)).await?;
        self.wait_for_ends(events, task, &[execution]).await;
        Ok(found)
    }

    /// Cancels a task's executions in progress, and waits for their ends.
    ///
    /// # Errors
    /// When the task is gone or has no execution in progress, or the store fails.
    pub async fn cancel(
        self: &Arc<Self>,
        task: TaskId,
        actor: &Actor,
    ) -> Result<(Task, Vec<ExecutionId>), ControlError> {
        let events = self.events.listen();
        let found = self.ask(task, Action::Cancel, actor, || Input::Cancel).await?;
        let running: Vec<_> = found.facts.running.iter().map(|running| running.execution).collect();
        self.wait_for_ends(events, task, &running).await;
        Ok((found, running))
    }

    /// Cancels a task's executions in progress, then deletes the task and its history.
    ///
    /// # Errors
    /// When the task is gone or a file has it, or the store fails.
    pub async fn delete(self: &Arc<Self>, task: TaskId, actor: &Actor) -> Result<Task, ControlError> {
        let is_allowed = |task: &Task| match task.managed_by() {
            Some(file) => Err(Refused::Managed(file.to_owned())),
            None => Ok(()),
        };
        self.remove(task, actor, is_allowed).await
    }

    /// Deletes a task as long as `is_allowed` lets it.
    pub(super) async fn remove(
        self: &Arc<Self>,
        task: TaskId,
        actor: &Actor,
        is_allowed: fn(&Task) -> Result<(), Refused>,
    ) -> Result<Task, ControlError> {
        let (scheduler, actor) = (self.clone(), actor.clone());
        self.complete(async move {
            let mut tries = 0;
            loop {
                let found = scheduler.store.task(task).await?.ok_or(StoreError::NotFound)?;
                is_allowed(&found).map_err(StoreError::from)?;
                let audit = actor.record(Action::Delete, scheduler.clock.now()).about(&found);
                match scheduler.store.delete(task, Some(audit)).await {
                    Err(StoreError::InProgress(running)) if tries < DELETE_TRIES => {
                        tries += 1;
                        scheduler.cancel_and_wait(task, &running, "its task was deleted").await;
                    }
                    Err(error) => return Err(error.into()),
                    Ok(deleted) => {
                        scheduler.events.publish([Event::deleted(&deleted, scheduler.clock.now())]);
                        return Ok(deleted);
                    }
                }
            }
        })
        .await
    }

    /// Makes a stop wait for the guard; refused once a stop has begun.
    fn enter(self: &Arc<Self>) -> Result<InFlight, ControlError> {
        let guard = InFlight::new(self);
        if self.is_stopping() { Err(ControlError::Stopping) } else { Ok(guard) }
    }

    pub(super) async fn ask(
        self: &Arc<Self>,
        task: TaskId,
        action: Action,
        actor: &Actor,
        input: impl Fn() -> Input + Send + 'static,
    ) -> Result<Task, ControlError> {
        let found = self.store.task(task).await?.ok_or(StoreError::NotFound)?;
        let audit = actor.record(action, self.clock.now()).about(&found);
        let scheduler = self.clone();
        self.complete(async move {
            let decision = scheduler.decision(input);
            let changed = scheduler.store.change(task, decision, None, Some(audit)).await;
            if matches!(changed, Err(StoreError::Backend { .. })) {
                scheduler.keys.look_again();
            }
            let step = changed?;
            let task = step.task.clone();
            scheduler.carry_out(step, &mut Vec::new());
            Ok(task)
        })
        .await
    }

    /// Makes a change and carries out its consequences, even if the caller's future is dropped: a
    /// request ends with its connection, but a change on its way to the disk stays, and an attempt
    /// that it claims must start.
    async fn complete<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl Future<Output = Result<T, ControlError>> + Send + 'static,
    ) -> Result<T, ControlError> {
        let under_way = self.enter()?;
        let changing = tokio::spawn(async move {
            let _under_way = under_way;
            change.await
        });
        match changing.await.map_err(JoinError::try_into_panic) {
            Ok(answer) => answer,
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_)) => Err(StoreError::Closed.into()),
        }
    }

    /// Cancels executions and waits until their ends are recorded.
    async fn cancel_and_wait(&self, task: TaskId, executions: &[ExecutionId], who: &str) {
        let events = self.events.listen();
        self.cancel_executions(task, executions, who).await;
        self.wait_for_ends(events, task, executions).await;
    }

    /// Waits until the ends of cancelled executions are recorded, but not for longer than that
    /// ought to take.
    async fn wait_for_ends(&self, mut events: Listener, task: TaskId, executions: &[ExecutionId]) {
        let still_running = async || {
            let found = self.store.task(task).await.ok().flatten();
            found.is_some_and(|task| task.facts.running.iter().any(|r| executions.contains(&r.execution)))
        };
        let ended = async {
            while still_running().await {
                events.hear(|event| executions.iter().any(|execution| event.closes(task, *execution))).await;
            }
        };
        let ended = async {
            tokio::select! {
                biased;
                () = ended => {}
                () = self.ended_elsewhere(task, executions) => {}
            }
        };
        if timeout(ENDED_WITHIN, ended).await.is_err() {
            tracing::warn!(%task, "a cancelled execution takes long to end");
        }
    }

    /// Waits until an execution's row is closed or its task is deleted; for as long as it takes.
    /// `events` must have listened since before the execution was asked for.
    pub async fn wait_for_end(&self, mut events: Listener, task: TaskId, execution: ExecutionId) {
        let ended = async {
            while events.hear(|event| event.closes(task, execution)).await == Heard::TooMany {
                if self.is_closed(task, execution).await {
                    return;
                }
            }
        };
        let executions = [execution];
        tokio::select! {
            biased;
            () = ended => {}
            () = self.ended_elsewhere(task, &executions) => {}
        }
    }

    /// Whether an execution's row is closed or gone, by the store's account.
    async fn is_closed(&self, task: TaskId, execution: ExecutionId) -> bool {
        match self.store.execution(task, execution).await {
            Ok(Some(row)) => row.status != ExecutionStatus::Running,
            Ok(None) => {
                let found = self.store.task(task).await;
                let waits = |task: &Task| task.facts.waiting.iter().any(|w| w.execution == execution);
                found.is_ok_and(|task| task.is_none_or(|task| !waits(&task)))
            }
            Err(_) => false,
        }
    }
}
