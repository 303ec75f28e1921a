//! Facts: the state of a task, beside its definition. The status is derived from them.

mod occurrence;
mod status;
mod wait;

use serde::{Deserialize, Serialize};

pub use self::{
    occurrence::{Backfill, Occurrence, Waiting},
    status::TaskStatus,
    wait::Wait,
};
use super::{
    Millis,
    alerts::{Alarms, PausedBy},
    definition::{Definition, Overlap, after::Untold},
    draft::RowParams,
    execution::{ExecutionStatus, Trigger},
    ids::{ExecutionId, TaskId},
    recent::{Recent, Stats},
    schedule::{Plan, Schedule},
};

pub use super::{draft::Origin, recent::LastOutcome};

/// The most unfinished runs of one task, counting those that wait for a runner. All of them are in
/// the task's record, which is written at every start and end.
pub const MOST_AT_ONCE: usize = 1000;
/// The most bytes, as JSON, of custom parameters of a task's unfinished runs, for the same reason.
pub const MOST_PARAMS_BYTES: usize = 4 * 1024 * 1024;

/// A task as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Unique, in the order of creation.
    pub id: TaskId,
    /// The fields that a user decides about.
    pub definition: Definition,
    /// The state.
    pub facts: Facts,
    /// Epoch milliseconds.
    pub created_at: Millis,
    /// Epoch milliseconds; never goes backwards.
    pub updated_at: Millis,
    /// The hold of a file of tasks on the task; none on a task that users alone decide about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
}

/// The hold of a file of tasks on a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Declared {
    /// The file of this name has the task: users do not change its definition.
    By(String),
    /// The task has left the file, which paused it. It goes on as it was when it comes back into the
    /// file, unless a user has changed or resumed it: then it is the user's.
    Formerly {
        /// Whether a user had paused it already.
        was_paused: bool,
    },
}

/// The state of a task. Only [`super::step`] changes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Whether a user has paused the task.
    pub paused: bool,
    /// The moment from which intervals are counted.
    pub anchor: Millis,
    /// The next planned time that is undecided; kept while the task is paused.
    pub next: Option<Millis>,
    /// Set when a task stops after its last retry. Planned times up to and including this one are
    /// already decided; they are never decided again, even if the clock is set back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_after: Option<Millis>,
    /// Attempts that wait for their time, earliest first.
    pub retries: Vec<PendingRetry>,
    /// Failures of the current occurrence so far.
    pub retry_count: u32,
    /// The time of the last of these failures.
    pub last_retry: Option<Millis>,
    /// Executions in progress.
    pub running: Vec<Running>,
    /// Occurrences that wait for their turn, in order.
    pub waiting: Vec<Waiting>,
    /// The end of the last occurrence.
    pub last: Option<LastOutcome>,
    /// The attempt that started last.
    pub last_execution: Option<LastExecution>,
    /// The last ended occurrences.
    #[serde(default, skip_serializing_if = "Recent::is_empty")]
    pub recent: Recent,
    /// Failed occurrences since the last completed one. Those whose server died count neither way, nor do
    /// cancelled and skipped ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub streak: u32,
    /// Epoch milliseconds at which an occurrence completed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Millis>,
    /// Epoch milliseconds at which an occurrence failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Millis>,
    /// Occurrences that have ended, skipped ones apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub runs: u64,
    /// Runs since the definition has had `max_runs`; 0 without it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counted_runs: u64,
    /// The backfill under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Backfill>,
    /// The cause of a pause that no user asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<Box<PausedBy>>,
    /// The state of the task's alerts, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Box<Alarms>>,
    /// Ends of occurrences that successors of the task are still to be told of, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Untold>,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

impl Facts {
    /// The planned times of the occurrences that had an attempt by these facts and are over by
    /// `later` ones: they completed, used up their attempts, were cancelled or gave way. Nothing is
    /// kept for another attempt of them.
    #[must_use]
    pub fn ended_by(&self, later: &Self) -> Vec<Millis> {
        let running = self.running.iter().map(|running| &running.occurrence);
        let waiting = self.waiting.iter().filter(|waiting| waiting.attempt > 1);
        let tried = running
            .chain(self.retries.iter().map(|retry| &retry.occurrence))
            .chain(waiting.map(|waiting| &waiting.occurrence));
        let times = tried.map(|occurrence| occurrence.scheduled_for);
        times.filter(|time| later.open_times().all(|open| open != *time)).collect()
    }

    /// Successors up to `last` are informed of the oldest end; `all`: every one is.
    pub fn informed(&mut self, all: bool, last: Option<TaskId>) {
        if all && !self.untold.is_empty() {
            self.untold.remove(0);
        } else if let Some(untold) = self.untold.first_mut() {
            untold.told_to = last.or(untold.told_to);
        }
    }

    /// The planned times of the unfinished occurrences.
    pub fn open_times(&self) -> impl Iterator<Item = Millis> {
        self.open().map(|occurrence| occurrence.scheduled_for)
    }

    /// The unfinished occurrences: running, waiting for their turn, or waiting for a retry.
    pub(super) fn open(&self) -> impl Iterator<Item = &Occurrence> {
        let running = self.running.iter().map(|running| &running.occurrence);
        let waiting = self.waiting.iter().map(|waiting| &waiting.occurrence);
        running.chain(waiting).chain(self.retries.iter().map(|retry| &retry.occurrence))
    }
}

/// A retry that waits for its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingRetry {
    /// The number of the attempt, 2 or more.
    pub attempt: u32,
    /// Epoch milliseconds.
    pub due: Millis,
    /// The occurrence that failed before.
    pub occurrence: Occurrence,
    /// The attempt that failed last; records of 0.1.0 do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<ExecutionId>,
}

/// An execution in progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// The execution's id.
    pub execution: ExecutionId,
    /// 1-based.
    pub attempt: u32,
    /// The cause of the start.
    pub trigger: Trigger,
    /// Epoch milliseconds of the decision to start.
    pub claimed_at: Millis,
    /// The occurrence that it runs for.
    pub occurrence: Occurrence,
    /// The parameters that it has, if the task's have changed since it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_params: Option<RowParams>,
    /// The row for the occurrences that were skipped while it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipRow>,
}

/// A skip that may still grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkipRow {
    /// The id of the row.
    pub execution: ExecutionId,
    /// The first occurrence in it.
    pub scheduled_for: Millis,
    /// The number of occurrences in it, 1 or more.
    pub count: u64,
    /// Epoch milliseconds; stays when the row grows.
    pub created_at: Millis,
}

/// The attempt of a task that started last, as the task's document shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastExecution {
    /// The execution's id.
    pub id: ExecutionId,
    /// Running, or the end.
    pub status: ExecutionStatus,
    /// The start, epoch milliseconds.
    pub time: Millis,
    /// Milliseconds; `None` while it runs.
    pub duration: Option<Millis>,
    /// A text for people, if it did not complete.
    pub error: Option<String>,
}

impl Task {
    /// The file that has the task.
    #[must_use]
    pub fn managed_by(&self) -> Option<&str> {
        match &self.declared {
            Some(Declared::By(file)) => Some(file),
            Some(Declared::Formerly { .. }) | None => None,
        }
    }

    /// The status: the first of [`TaskStatus::ALL`] that is true.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        if self.facts.running.is_empty() { self.resting() } else { TaskStatus::Running }
    }

    /// The status that the task has while none of its executions is in progress.
    #[must_use]
    pub fn resting(&self) -> TaskStatus {
        let facts = &self.facts;
        if facts.paused {
            TaskStatus::Paused
        } else if !facts.retries.is_empty() {
            TaskStatus::RetryScheduled
        } else if self.is_over() && facts.last == Some(LastOutcome::Completed) {
            TaskStatus::Completed
        } else if facts.last == Some(LastOutcome::Failed) {
            TaskStatus::Failed
        } else {
            TaskStatus::Active
        }
    }

    /// The figures over its ended occurrences.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let Facts { recent, streak, last_success, last_failure, runs, .. } = &self.facts;
        Stats {
            p50: recent.percentile(50),
            p95: recent.percentile(95),
            streak: *streak,
            last_success: *last_success,
            last_failure: *last_failure,
            runs: *runs,
        }
    }

    /// The planned times of the task.
    #[must_use]
    pub fn plan(&self) -> Plan<'_> {
        self.definition.plan(self.facts.anchor, self.id)
    }

    /// The next run, as far as it is known now; `None` while the task is paused.
    #[must_use]
    pub fn next_run(&self) -> Option<Millis> {
        let facts = &self.facts;
        if facts.paused {
            return None;
        }
        facts.retries.first().map(|r| r.due).or(facts.next)
    }

    /// Whether another run may start beside those in progress.
    #[must_use]
    pub fn may_start(&self) -> bool {
        let most = if self.definition.overlap == Overlap::Allow { MOST_AT_ONCE } else { 1 };
        self.facts.running.len() < most
    }

    /// The index of the waiting occurrence whose turn it is. An occurrence waits while a run is in
    /// progress (where runs may overlap: a catch-up). While the task is paused or a retry is
    /// pending, only a manual run has its turn.
    #[must_use]
    pub(super) fn next_waiting(&self) -> Option<usize> {
        let facts = &self.facts;
        if !self.may_start() || facts.running.iter().any(|running| running.trigger == Trigger::CatchUp) {
            return None;
        }
        let held_back = facts.paused || !facts.retries.is_empty();
        let has_turn = |waiting: &Waiting| {
            // A retry is held back by a pause, also that of a run that a user asked for.
            if waiting.attempt > 1 { !facts.paused } else { waiting.occurrence.by_hand || !held_back }
        };
        facts.waiting.iter().position(has_turn)
    }

    /// Whether runs of the task wait for a slot of its concurrency key before they start.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.definition.concurrency_key.is_some()
    }

    /// Since when a run of a task with a concurrency key waits for a slot, epoch milliseconds.
    #[must_use]
    pub fn waits_since(&self) -> Option<Millis> {
        let waiting = self.next_waiting().filter(|_| self.is_keyed())?;
        Some(self.facts.waiting[waiting].since)
    }

    /// Whether nothing waits but the next time of a backfill, which lets everything else go first.
    pub(super) fn has_free_queue(&self) -> bool {
        self.facts.waiting.iter().all(|waiting| waiting.occurrence.is_backfill)
    }

    /// Whether a failed occurrence has another attempt before it.
    pub(super) fn is_retrying(&self) -> bool {
        !self.facts.retries.is_empty() || self.facts.waiting.iter().any(|waiting| waiting.attempt > 1)
    }

    /// The time of the next decision about the task: the key of the due index.
    ///
    /// A retry waits while another run is in progress (unless runs may overlap), and regular
    /// occurrences wait while a retry is pending.
    #[must_use]
    pub fn due(&self) -> Option<Millis> {
        let facts = &self.facts;
        // What waits for a slot of a key has its turn when there is one, not at a time.
        if let Some(waiting) = self.next_waiting().filter(|_| !self.is_keyed()) {
            return Some(facts.waiting[waiting].since);
        }
        if facts.paused || facts.waiting.iter().any(|waiting| waiting.attempt > 1) {
            return None;
        }
        if let Some(retry) = facts.retries.first() {
            return self.may_start().then_some(retry.due);
        }
        match (facts.next, self.backfill_since()) {
            (Some(next), Some(since)) => Some(next.min(since)),
            (next, since) => next.or(since),
        }
    }

    /// When the next time of the backfill may start, as far as the facts are as they are: a backfill runs
    /// one time after the other, and lets everything else go first.
    #[must_use]
    pub(super) fn backfill_since(&self) -> Option<Millis> {
        let facts = &self.facts;
        let backfill = facts.backfill.as_ref()?;
        let goes_on = facts.running.iter().any(|running| running.occurrence.is_backfill);
        (facts.waiting.is_empty() && !goes_on && self.may_start()).then_some(backfill.since)
    }

    /// Whether a recurring task has no next occurrence, because its attempts were used up.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let Definition { recurring, end_at, max_runs, .. } = &self.definition;
        let may_be_over = end_at.is_some() || max_runs.is_some();
        *recurring && self.facts.next.is_none() && (self.facts.stopped_after.is_some() || !may_be_over)
    }

    /// Whether the schedule has no further run: the only one, the last one before `end_at` or the last of
    /// `max_runs` has been decided about.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let Facts { next, waiting, backfill, .. } = &self.facts;
        let plans = *self.definition.schedule != Schedule::Never;
        plans && next.is_none() && waiting.is_empty() && backfill.is_none() && !self.is_stopped()
    }

    /// The runs that `max_runs` leaves.
    #[must_use]
    pub fn runs_left(&self) -> Option<u64> {
        self.definition.max_runs.map(|most| most.saturating_sub(self.facts.counted_runs))
    }
}
