//! Facts: what is true of a task besides its definition. The status is derived from them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Millis,
    definition::{Definition, Overlap},
    execution::{ExecutionStatus, Trigger},
    ids::{ExecutionId, TaskId},
    schedule::Plan,
};

/// How many runs of one task that allows overlap may be in progress, those that wait for a runner
/// among them: all of them are in the task's record, which is written at every start and end.
pub const MOST_AT_ONCE: usize = 1000;
/// How many bytes, as JSON, parameters of single runs may take in the record for the same reason.
pub const MOST_PARAMS_BYTES: usize = 4 * 1024 * 1024;

/// A task as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// What the user asked for.
    pub definition: Definition,
    /// What is true of it.
    pub facts: Facts,
    /// When it was created.
    pub created_at: Millis,
    /// When it changed last.
    pub updated_at: Millis,
}

/// What is true of a task; changed by [`super::step`] only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Whether a user holds it back.
    pub paused: bool,
    /// Where intervals count from.
    pub anchor: Millis,
    /// The next planned occurrence that nothing has been decided about; kept while paused.
    pub next: Option<Millis>,
    /// Of a task that was stopped: its planned times up to this one were decided about before,
    /// and are not again, wherever the clock is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_after: Option<Millis>,
    /// Attempts that wait for their time, earliest first.
    pub retries: Vec<PendingRetry>,
    /// Failures of the current occurrence so far.
    pub retry_count: u32,
    /// When the last of them was.
    pub last_retry: Option<Millis>,
    /// Executions in progress.
    pub running: Vec<Running>,
    /// Occurrences that run as soon as it is their turn, in order.
    pub waiting: Vec<Waiting>,
    /// How the last occurrence ended.
    pub last: Option<LastOutcome>,
    /// The attempt that started last.
    pub last_execution: Option<LastExecution>,
}

impl Facts {
    /// What runs, waits for its turn or waits for its next attempt.
    pub(super) fn open(&self) -> impl Iterator<Item = &Occurrence> {
        let running = self.running.iter().map(|running| &running.occurrence);
        let waiting = self.waiting.iter().map(|waiting| &waiting.occurrence);
        running.chain(waiting).chain(self.retries.iter().map(|retry| &retry.occurrence))
    }
}

/// An attempt that waits for its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingRetry {
    /// Its number, 2 or more.
    pub attempt: u32,
    /// When it is due.
    pub due: Millis,
    /// The occurrence it belongs to.
    pub occurrence: Occurrence,
}

/// One planned time of a task, with what is particular to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occurrence {
    /// The planned time.
    pub scheduled_for: Millis,
    /// Whether a user asked for it, so that the schedule knows nothing of it.
    pub by_hand: bool,
    /// Parameters instead of the task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Map<String, Value>>,
}

/// An execution in progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Its id.
    pub execution: ExecutionId,
    /// 1-based.
    pub attempt: u32,
    /// What started it.
    pub trigger: Trigger,
    /// When it was claimed.
    pub claimed_at: Millis,
    /// What it runs for.
    pub occurrence: Occurrence,
    /// The row for the occurrences that were skipped while it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipRow>,
}

/// A skip that may still grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkipRow {
    /// Its row.
    pub execution: ExecutionId,
    /// The first occurrence in it.
    pub scheduled_for: Millis,
    /// How many it stands for.
    pub count: u64,
    /// When the row was made.
    pub created_at: Millis,
}

/// An occurrence that waits for its turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The id its execution will have.
    pub execution: ExecutionId,
    /// What will have started it.
    pub trigger: Trigger,
    /// Since when it waits.
    pub since: Millis,
    /// What it runs for.
    pub occurrence: Occurrence,
}

/// How an occurrence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastOutcome {
    /// Its handler succeeded.
    Completed,
    /// Its attempts were used up.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// What a task tells about the attempt that started last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastExecution {
    /// Its id.
    pub id: ExecutionId,
    /// How it stands.
    pub status: ExecutionStatus,
    /// When it started.
    pub time: Millis,
    /// Milliseconds, once it has ended.
    pub duration: Option<Millis>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What a task looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskStatus {
    /// An execution is in progress.
    Running,
    /// A user holds it back.
    Paused,
    /// A failed occurrence waits for its next attempt.
    RetryScheduled,
    /// A one-time task that succeeded.
    Completed,
    /// The last occurrence used up its attempts.
    Failed,
    /// None of the others.
    Active,
}

impl TaskStatus {
    /// Every status, in the order in which they are derived.
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Paused, Self::RetryScheduled, Self::Completed, Self::Failed, Self::Active];

    /// Its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::RetryScheduled => "retry-scheduled",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Active => "active",
        }
    }
}

impl Task {
    /// What it looks like from outside.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        let facts = &self.facts;
        if !facts.running.is_empty() {
            TaskStatus::Running
        } else if facts.paused {
            TaskStatus::Paused
        } else if !facts.retries.is_empty() {
            TaskStatus::RetryScheduled
        } else if !self.definition.recurring
            && facts.next.is_none()
            && facts.last == Some(LastOutcome::Completed)
        {
            TaskStatus::Completed
        } else if facts.last == Some(LastOutcome::Failed) {
            TaskStatus::Failed
        } else {
            TaskStatus::Active
        }
    }

    /// Its planned times.
    #[must_use]
    pub fn plan(&self) -> Plan<'_> {
        self.definition.plan(self.facts.anchor)
    }

    /// When it runs next, as far as is known now; nothing while it is paused.
    #[must_use]
    pub fn next_run(&self) -> Option<Millis> {
        let facts = &self.facts;
        if facts.paused {
            return None;
        }
        facts.retries.first().map(|r| r.due).or(facts.next)
    }

    /// Whether another run may start beside what is in progress.
    #[must_use]
    pub fn may_start(&self) -> bool {
        let most = if self.definition.overlap == Overlap::Allow { MOST_AT_ONCE } else { 1 };
        self.facts.running.len() < most
    }

    /// The place of the waiting occurrence whose turn it is: any when nothing runs (or, where runs
    /// may overlap, nothing that waited), but only one that a user asked for while the task is
    /// paused or a retry is pending.
    #[must_use]
    pub(super) fn ready(&self) -> Option<usize> {
        let facts = &self.facts;
        if !self.may_start() || facts.running.iter().any(|running| running.trigger == Trigger::CatchUp) {
            return None;
        }
        let held_back = facts.paused || !facts.retries.is_empty();
        facts.waiting.iter().position(|waiting| waiting.occurrence.by_hand || !held_back)
    }

    /// When something has to be decided about it next: the key of the due index.
    ///
    /// A retry waits while something else of the task runs (unless runs may overlap), and
    /// regular occurrences wait while a retry is pending.
    #[must_use]
    pub fn due(&self) -> Option<Millis> {
        let facts = &self.facts;
        if let Some(waiting) = self.ready() {
            return Some(facts.waiting[waiting].since);
        }
        if facts.paused {
            return None;
        }
        if let Some(retry) = facts.retries.first() {
            return self.may_start().then_some(retry.due);
        }
        facts.next
    }

    /// Whether it recurs but has no next occurrence, because its attempts were used up.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.definition.recurring && self.facts.next.is_none()
    }
}
