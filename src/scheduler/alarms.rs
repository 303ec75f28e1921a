//! Alarms: decisions about alerts that only the clock brings, and runs that alerts ask for.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::{sync::Notify, time::sleep};

use super::{Actor, ControlError, InFlight, Scheduler};
use crate::{
    domain::{
        Millis,
        audit::Action,
        facts::Task,
        ids::{ExecutionId, TaskId},
        step::{Input, Step},
    },
    store::StoreError,
};

/// The wait before the next look at a store that fails, or at a clock that was set back.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Scheduler {
    /// Notified when alerts are to be delivered.
    #[must_use]
    pub fn alerted(&self) -> Arc<Notify> {
        self.alerted.clone()
    }

    /// Tells of the alerts of a durable step, and of the time for which its task's alerts wait.
    pub(super) fn tell_of_alerts(&self, step: &Step) {
        if !step.alerts.is_empty() {
            self.alerted.notify_one();
        }
        if step.task.facts.alarms.is_some() {
            self.alarm.notify_one();
        }
    }

    /// Decides about alerts when their time has come, until a stop.
    pub async fn watch_alerts(self: Arc<Self>) {
        let mut stopping = self.stopping.subscribe();
        loop {
            let changed = self.alarm.notified();
            tokio::pin!(changed);
            // Register before the look.
            changed.as_mut().enable();
            if self.is_stopping() {
                return;
            }
            let wait = async {
                match self.store.next_alarm().await {
                    Ok(Some((time, task))) if time <= self.clock.now() => self.watch(task).await,
                    Ok(Some((time, _))) => tokio::select! {
                        biased;
                        () = changed => {}
                        () = self.clock.sleep_until(time) => {}
                    },
                    Ok(None) => changed.await,
                    Err(error) => {
                        tracing::warn!(%error, "the next time of an alert cannot be read");
                        sleep(AGAIN_AFTER).await;
                    }
                }
            };
            tokio::select! {
                biased;
                _ = stopping.changed() => {}
                () = wait => {}
            }
        }
    }

    /// Decides about the alerts of a task whose time has come.
    async fn watch(self: &Arc<Self>, task: TaskId) {
        let under_way = InFlight::new(self);
        // The change and its consequences belong together, even if a stop drops this future.
        let decided = tokio::spawn(async move {
            let scheduler = &under_way.0;
            let step = scheduler.store.change(task, scheduler.decision(|| Input::Watch), None, None).await?;
            let due = step.task.alarm_due();
            scheduler.carry_out(step, &mut Vec::new());
            Ok::<Option<Millis>, StoreError>(due)
        });
        match decided.await {
            Ok(Ok(due)) if due.is_none_or(|due| due > self.clock.now()) => {}
            Ok(Ok(_) | Err(StoreError::NotFound)) | Err(_) => sleep(AGAIN_AFTER).await,
            Ok(Err(error)) => {
                tracing::warn!(%task, %error, "an alert cannot be decided about yet");
                sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// Runs a task because of an alert, with the message as its parameters.
    ///
    /// # Errors
    /// When the task is gone or already running (and runs may not overlap), or the store fails.
    pub async fn run_for_alert(
        self: &Arc<Self>,
        task: TaskId,
        params: Map<String, Value>,
        actor: &Actor,
    ) -> Result<(Task, ExecutionId), ControlError> {
        let execution = self.ids.execution(self.clock.now());
        let input = move || Input::RunByAlert { execution, params: params.clone() };
        Ok((self.ask(task, Action::Run, actor, input).await?, execution))
    }
}
