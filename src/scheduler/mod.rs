//! Scheduler: makes things happen when they are due, and once only.
//!
//! The loop ([`Scheduler::run`]) sleeps until the store's earliest due time, claims due tasks, as
//! many as there are permits for runs, and dispatches their attempts ([`dispatch`]). The
//! consequences of an input are decided by `domain::step` inside the store's transaction, so the
//! loop has no opinion about any task: start-up, missed times and normal running are one path.
//! Requests of users come in through [`Scheduler`]'s methods ([`requests`]), those of files of tasks
//! through [`declared`], those of alerts through [`alarms`]; [`nodes`] closes
//! the executions that nobody runs any more, and goes on when a store comes back that was away.
//!
//! Invariant: an attempt starts only after its claim is durable, and an event is published only
//! after its change is durable too.

mod alarms;
mod bulk;
mod declared;
mod dispatch;
mod in_progress;
mod nodes;
mod relations;
mod requests;
mod sources;
mod tail;
#[cfg(test)]
mod tests;
mod traced;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};

pub use self::{
    bulk::{BulkAction, BulkDone},
    requests::ControlError,
    tail::{Following, Part},
};
use self::{
    in_progress::InProgress,
    nodes::{Drain, Ends, Membership},
    relations::Keys,
    sources::Versions,
    traced::Traced,
};
pub use crate::domain::audit::Actor;
use crate::{
    clock::{Clock, Ids, Sleep},
    domain::{
        Millis,
        facts::Task,
        ids::{ExecutionId, TaskId},
        step::{Circumstances, Input, Policy, Refused, Step},
    },
    events::Events,
    runtime::{Runner, live::Live},
    store::{Decision, Store, StoreError},
    traces::Traces,
};

/// Claims are made durable this many milliseconds ahead of their time, and their attempts wait
/// until then, so that the disk does not make runs late.
const AHEAD: Millis = 20;
/// The most due tasks that one commit claims.
const CLAIMED_AT_ONCE: usize = 64;
/// The time of cancelled handlers at a stop: the runner's own grace and the kill after it.
const CANCELLED_WITHIN: Duration = Duration::from_secs(5);
/// A turn of an idle loop takes less than this.
const TURNS_WITHIN: Duration = Duration::from_millis(20);

/// Work that a stop waits for, until this is dropped.
struct InFlight(Arc<Scheduler>);

impl InFlight {
    fn new(scheduler: &Arc<Scheduler>) -> Self {
        scheduler.in_progress.begin();
        Self(scheduler.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_progress.end();
    }
}

/// The scheduler.
pub struct Scheduler {
    store: Arc<dyn Store>,
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    ids: Arc<Ids>,
    events: Events,
    policy: Policy,
    nudge: Notify,
    /// Notified when alerts are to be delivered.
    alerted: Arc<Notify>,
    /// Notified when the alerts of a task may wait for another time.
    alarm: Notify,
    /// Notified when there may be ends of occurrences to pass on to successors.
    untold: Notify,
    permits: Arc<Semaphore>,
    in_progress: InProgress,
    versions: Versions,
    traced: Traced,
    keys: Keys,
    membership: Membership,
    ends: Ends,
    drain: Drain,
    stopping: watch::Sender<bool>,
    /// Counts the turns of the loop.
    turns: AtomicU64,
    /// Whether the loop waits for a permit, which may take as long as a run.
    waits_for_permit: AtomicBool,
}

impl Scheduler {
    /// A scheduler whose loop has not started.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        runner: Arc<dyn Runner>,
        clock: Arc<dyn Clock>,
        events: Events,
        policy: Policy,
    ) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(runner.capacity()));
        let ids = Arc::new(Ids::new(clock.clone()));
        Arc::new(Self {
            store,
            runner,
            clock,
            ids,
            events,
            policy,
            nudge: Notify::new(),
            alerted: Arc::default(),
            alarm: Notify::new(),
            untold: Notify::new(),
            permits,
            in_progress: InProgress::default(),
            versions: Versions::default(),
            traced: Traced::default(),
            keys: Keys::default(),
            membership: Membership::new(),
            ends: Ends::default(),
            drain: Drain::default(),
            stopping: watch::channel(false).0,
            turns: AtomicU64::new(0),
            waits_for_permit: AtomicBool::new(false),
        })
    }

    /// Records spans of claims and runs from now on.
    pub fn trace_with(&self, traces: Traces) {
        self.traced.set(traces);
    }

    /// Runs due tasks until [`Scheduler::stop`]. Call [`Scheduler::recover`] first.
    ///
    /// # Errors
    /// When the store fails for good.
    pub async fn run(self: &Arc<Self>) -> Result<(), StoreError> {
        let _under_way = InFlight::new(self);
        tokio::try_join!(
            self.persist(|| self.claim_due()),
            self.persist(|| self.inform_successors()),
            self.persist(|| self.start_keyed()),
            self.persist(|| self.attend_nodes()),
            self.persist(|| self.follow_news())
        )
        .map(|_| ())
    }

    async fn claim_due(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut stopping = self.stopping.subscribe();
        // Tasks due up to this time have been looked at ahead of it.
        let mut asked = Millis::MIN;
        // Kept from one turn to the next: most changes leave the next due time as it is.
        let mut alarm: Option<(Millis, Sleep<'_>)> = None;
        loop {
            // Registered before the question, so that no change in between is missed.
            self.turns.fetch_add(1, Ordering::Relaxed);
            let nudged = self.nudge.notified();
            tokio::pin!(nudged);
            nudged.as_mut().enable();
            if *stopping.borrow_and_update() {
                return Ok(());
            }
            if self.drain.is_on() {
                self.wait_while_drained(&mut stopping).await;
                continue;
            }
            let now = self.clock.now();
            match self.store.next_due().await? {
                Some(due) if due <= now || due <= now + self.ahead(due) && due > asked => {
                    self.call_others_if_full();
                    tokio::select! {
                        biased;
                        _ = stopping.changed() => {}
                        permits = self.permits() => {
                            asked = self.claim(permits).await?;
                        }
                    }
                    if asked < due && due <= now {
                        // The store's clock is behind this one: it does not take the task for due yet.
                        let behind = due.saturating_sub(asked).clamp(1, 1000).unsigned_abs();
                        tokio::select! {
                            biased;
                            _ = stopping.changed() => {}
                            () = nudged => {}
                            () = sleep(Duration::from_millis(behind)) => {}
                        }
                    }
                }
                Some(due) => {
                    let wake = if due > asked { due - self.ahead(due) } else { due };
                    let (_, sleep) = match alarm.as_mut() {
                        Some(alarm) if alarm.0 == wake => alarm,
                        _ => alarm.insert((wake, self.clock.sleep_until(wake))),
                    };
                    // Even nudges that never cease let the loop look at the time in each turn.
                    tokio::select! {
                        biased;
                        _ = stopping.changed() => {}
                        () = nudged => asked = Millis::MIN,
                        () = sleep => alarm = None,
                    }
                }
                None => tokio::select! {
                    biased;
                    _ = stopping.changed() => {}
                    () = nudged => {}
                },
            }
        }
    }

    /// At least one permit for a run, and as many more as are free, up to [`CLAIMED_AT_ONCE`].
    async fn permits(&self) -> Vec<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        let first = self.wait_for_permit(self.permits.clone().acquire_owned()).await;
        let mut permits: Vec<_> = first.into_iter().collect();
        while permits.len() < CLAIMED_AT_ONCE
            && let Ok(permit) = self.permits.clone().try_acquire_owned()
        {
            permits.push(permit);
        }
        permits
    }

    /// Waits for something that may take as long as a run.
    async fn wait_for_permit<T>(&self, wait: impl Future<Output = T>) -> T {
        self.waits_for_permit.store(true, Ordering::Relaxed);
        let answer = wait.await;
        self.waits_for_permit.store(false, Ordering::Relaxed);
        answer
    }

    /// Claims due tasks, one for each permit. Returns the latest due time that was looked at.
    async fn claim(self: &Arc<Self>, mut permits: Vec<OwnedSemaphorePermit>) -> Result<Millis, StoreError> {
        let since = self.traced.is_on().then(|| self.clock.now());
        let claimed = self.store.claim(AHEAD, permits.len(), self.decision(|| Input::Due)).await?;
        for step in claimed.steps {
            if let Some(since) = since {
                step.start.iter().for_each(|start| self.traced.note_claim(start, since));
            }
            self.carry_out(step, &mut permits);
        }
        Ok(claimed.until)
    }

    /// The decision that a store asks for about a task: `input` happens to it at the store's now or,
    /// for a due time a little ahead, at that time. A task that is busy may not be by then,
    /// so nothing is decided about it before.
    fn decision(&self, input: impl Fn() -> Input + Send + 'static) -> Decision {
        let (clock, ids, policy) = (self.clock.clone(), self.ids.clone(), self.policy.clone());
        Box::new(move |task: &Task, mut now: Millis| -> Result<Step, Refused> {
            let input = input();
            if let (Input::Due, Some(due)) = (&input, task.due().filter(|due| *due > now)) {
                if !task.facts.running.is_empty() {
                    return Err(Refused::NotYet);
                }
                now = due;
            }
            let roll = clock.roll() * 2.0 - 1.0;
            let mut new_id = || ids.execution(now);
            let policy = policy.clone();
            task.step(input, &mut Circumstances { now, roll, new_id: &mut new_id, policy })
        })
    }

    /// Carries out the consequences of a durable step.
    fn carry_out(self: &Arc<Self>, step: Step, permits: &mut Vec<OwnedSemaphorePermit>) {
        let task = step.task.id;
        self.tell_of_alerts(&step);
        if !step.task.facts.untold.is_empty() {
            self.untold.notify_one();
        }
        self.keys.note(&step.task);
        self.events.publish(step.events);
        let entered: Vec<_> = step
            .cancel
            .into_iter()
            .filter(|execution| self.in_progress.cancel(*execution, step.cancelled_by))
            .collect();
        for start in step.start {
            let permit = permits.pop();
            let cancel = self.in_progress.enter(start.execution);
            let node = step.rows.iter().find(|row| row.id == start.execution).and_then(|row| row.node);
            // The one place where attempts are spawned; a stop waits for the guard.
            let under_way = InFlight::new(self);
            tokio::spawn(self.clone().dispatch((start, node), cancel, permit, under_way));
        }
        self.nudge.notify_one();
        if !entered.is_empty() {
            let under_way = InFlight::new(self);
            tokio::spawn(async move { under_way.0.leave_ended(task, entered).await });
        }
    }

    /// Asks executions to end. A claim is durable a moment before its attempt is dispatched, so an
    /// execution may not be entered yet: then the request waits for the dispatch.
    async fn cancel_executions(&self, task: TaskId, executions: &[ExecutionId], who: &str) {
        let own = self.wish(executions, who).await;
        let entered = own.into_iter().filter(|execution| self.in_progress.cancel(*execution, who)).collect();
        self.leave_ended(task, entered).await;
    }

    /// Removes the requests for executions that have ended: those are never dispatched.
    async fn leave_ended(&self, task: TaskId, entered: Vec<ExecutionId>) {
        for execution in entered {
            if !self.is_running(task, execution).await {
                self.in_progress.leave(execution);
            }
        }
    }

    /// Whether an execution is in progress by the store's account, or may be.
    async fn is_running(&self, task: TaskId, execution: ExecutionId) -> bool {
        let found = self.store.task(task).await.map(|task| {
            task.is_some_and(|task| task.facts.running.iter().any(|running| running.execution == execution))
        });
        // A request must not get lost because the store cannot be read.
        found.unwrap_or(true)
    }

    /// Stops claiming, lets handlers in progress end for `grace`, then cancels them.
    pub async fn stop(&self, grace: Duration) {
        self.stopping.send_replace(true);
        if self.in_progress.wait_until_idle(grace).await {
            return self.flush_versions().await;
        }
        let running = self.in_progress.executions();
        tracing::warn!(handlers = running.len(), "handlers did not end in time and are cancelled");
        for execution in running {
            self.in_progress.cancel(execution, "the server stopped");
        }
        if !self.in_progress.wait_until_idle(CANCELLED_WITHIN).await {
            tracing::error!("handlers did not end although they were cancelled");
        }
        self.flush_versions().await;
    }

    /// The progress and the steps of an execution in progress, if this process runs it.
    #[must_use]
    pub fn live(&self, execution: ExecutionId) -> Option<Arc<Live>> {
        self.in_progress.dispatched(execution).map(|dispatched| dispatched.live)
    }

    /// Follows the output of an execution in progress, if this process runs it.
    #[must_use]
    pub fn follow(&self, execution: ExecutionId) -> Option<Following> {
        self.in_progress.dispatched(execution).map(|dispatched| dispatched.tail.follow())
    }

    /// The most runs at a time.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.runner.capacity()
    }

    /// The runs by time under way, and those that are about to begin.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.runner.capacity().saturating_sub(self.permits.available_permits())
    }

    /// Waits until the loop has looked for due tasks once more, or waits for a permit; for as long as it takes.
    pub async fn turn(&self) {
        let before = self.turns.load(Ordering::Relaxed);
        while self.turns.load(Ordering::Relaxed) == before && !self.waits_for_permit.load(Ordering::Relaxed) {
            self.nudge.notify_one();
            sleep(TURNS_WITHIN).await;
        }
    }

    /// Whether [`Scheduler::stop`] has been called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }
}
