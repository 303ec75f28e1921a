//! The words of queries over the executions of all tasks.

use serde::{Deserialize, Serialize};

use super::words::Direction;
use crate::domain::{
    Millis,
    access::pattern::Pattern,
    execution::{Execution, ExecutionStatus, Reason, Trigger},
    ids::{ExecutionId, TaskId},
};

/// Keys of executions that one query looks at, at most.
pub const MOST_KEYS: usize = 5_000;
/// Executions that one query reads beyond those that it returns, at most. Only a query for one task, or
/// over executions older than the indexes, reads any.
pub const MOST_READ: usize = 1_000;

/// Filters and page of a list of executions. An empty list, and `None`, let every execution through.
#[derive(Debug, Clone)]
pub struct HistoryQuery {
    /// Filter: the status is one of these.
    pub statuses: Vec<ExecutionStatus>,
    /// Filter: the reason is one of these.
    pub reasons: Vec<Reason>,
    /// Filter: the trigger is one of these.
    pub triggers: Vec<Trigger>,
    /// Filter: the handler is one of these.
    pub handlers: Option<Vec<String>>,
    /// Filter: the handler matches one of these; the handlers of a token.
    pub scope: Option<Vec<Pattern>>,
    /// Filter: the task.
    pub task: Option<TaskId>,
    /// Filter: the task has this tag now.
    pub tag: Option<String>,
    /// Filter: the planned time. Only together with `task`.
    pub scheduled_for: Option<Millis>,
    /// Filter: created at this time or later.
    pub from: Millis,
    /// Filter: created before this time.
    pub to: Millis,
    /// Ascending: oldest first.
    pub direction: Direction,
    /// The execution after which the page begins.
    pub after: Option<HistoryPlace>,
    /// Executions to return at most.
    pub limit: usize,
}

impl Default for HistoryQuery {
    /// The newest executions of all tasks; none, as long as `limit` is 0.
    fn default() -> Self {
        Self {
            statuses: Vec::new(),
            reasons: Vec::new(),
            triggers: Vec::new(),
            handlers: None,
            scope: None,
            task: None,
            tag: None,
            scheduled_for: None,
            from: Millis::MIN,
            to: Millis::MAX,
            direction: Direction::Descending,
            after: None,
            limit: 0,
        }
    }
}

impl HistoryQuery {
    /// Whether the filters let an execution through, its place and the tag of its task apart.
    #[must_use]
    pub fn admits(&self, row: &Execution) -> bool {
        self.admits_words(Some(row.status), Some(row.reason), Some(row.trigger))
            && (self.from..self.to).contains(&row.created_at)
            && self.task.is_none_or(|task| task == row.task_id)
            && self.scheduled_for.is_none_or(|time| time == row.scheduled_for)
            && self.handlers.as_ref().is_none_or(|handlers| handlers.contains(&row.handler))
            && self.covers(&row.handler)
    }

    /// Whether a handler is within the scope.
    #[must_use]
    pub fn covers(&self, handler: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.iter().any(|pattern| pattern.matches(handler)))
    }

    /// Whether the filters may let an execution through, as far as its words are known.
    #[must_use]
    pub fn admits_words(
        &self,
        status: Option<ExecutionStatus>,
        reason: Option<Option<Reason>>,
        trigger: Option<Trigger>,
    ) -> bool {
        let reasons = &self.reasons;
        (self.statuses.is_empty() || status.is_none_or(|status| self.statuses.contains(&status)))
            && (reasons.is_empty()
                || reason.is_none_or(|reason| reason.is_some_and(|reason| reasons.contains(&reason))))
            && (self.triggers.is_empty() || trigger.is_none_or(|trigger| self.triggers.contains(&trigger)))
    }

    /// The statuses that the filters let through; an execution with a reason is neither running nor completed.
    #[must_use]
    pub fn wanted(&self) -> Vec<ExecutionStatus> {
        use ExecutionStatus::{Completed, Running};
        let mut wanted = ExecutionStatus::ALL.to_vec();
        wanted.retain(|status| self.statuses.is_empty() || self.statuses.contains(status));
        wanted.retain(|status| self.reasons.is_empty() || ![Running, Completed].contains(status));
        wanted
    }
}

/// The place of an execution in a list: by creation, then by task and id. Of one task: by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HistoryPlace {
    /// The creation, epoch milliseconds.
    pub created: Millis,
    /// The task.
    pub task: TaskId,
    /// The execution.
    pub execution: ExecutionId,
}

impl HistoryPlace {
    /// The place of a row.
    #[must_use]
    pub fn of(row: &Execution) -> Self {
        Self { created: row.created_at, task: row.task_id, execution: row.id }
    }
}

/// A part of a list of executions.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// At most the query's limit.
    pub rows: Vec<Execution>,
    /// The place after which the next page begins; `None` at the end of the list.
    pub next: Option<HistoryPlace>,
    /// False if the page ended early, at [`MOST_KEYS`] or [`MOST_READ`], or if the indexes are still being built.
    pub complete: bool,
}

/// A search for tasks by a part of their name.
#[derive(Debug, Clone)]
pub struct NameSearch {
    /// The part, in any case.
    pub text: String,
    /// Filter: the handler matches one of these; the handlers of a token.
    pub scope: Option<Vec<Pattern>>,
    /// Tasks to return at most.
    pub limit: usize,
}

/// Names that one search looks at, at most.
pub const MOST_NAMES: usize = 100_000;

impl NameSearch {
    /// Whether a handler is within the scope.
    #[must_use]
    pub fn covers(&self, handler: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.iter().any(|pattern| pattern.matches(handler)))
    }
}
