//! The words of the store: queries, answers, errors, and the records besides tasks and executions.

use std::{future::Future, pin::Pin, sync::Arc};

use serde::{Deserialize, Serialize};

use super::state::StateError;
use crate::domain::{
    Millis,
    access::pattern::Pattern,
    binding::Rejected,
    execution::{Execution, ExecutionStatus, Line, Trigger},
    facts::{Task, TaskStatus},
    ids::{ExecutionId, TaskId},
    step::{Refused, Step},
};

/// A pending answer. A read may wait for the network or the disk; a change resolves when it is durable.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;
/// Decides the next step of a task at the store's time, in epoch milliseconds. A store may call it more
/// than once for one change, and only the last decision counts: the call must have no effect of its own.
pub type Decision = Box<dyn FnMut(&Task, Millis) -> Result<Step, Refused> + Send>;
/// Tells a store's time in epoch milliseconds.
pub type Now = Arc<dyn Fn() -> Millis + Send + Sync>;

/// The result of a claim.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claimed {
    /// The steps taken, by priority and due time.
    pub steps: Vec<Step>,
    /// The claim covers due times up to and including this one.
    pub until: Millis,
}

/// A task with its newest executions, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskView {
    /// The task with its facts.
    pub task: Task,
    /// At most the number that the query names.
    pub newest: Vec<Execution>,
}

/// Why a store's operation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No such task.
    #[error("Task not found")]
    NotFound,
    /// Another task has the name.
    #[error("Task with name \"{0}\" already exists")]
    NameTaken(String),
    /// Another token has the name.
    #[error("Token with name \"{0}\" already exists")]
    TokenNameTaken(String),
    /// The task's facts do not allow the step.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A write to the state of handlers is refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// A change of secrets or variables is refused.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// A task cannot be deleted while executions of it are in progress; their ids.
    #[error("the task has {} executions in progress", .0.len())]
    InProgress(Vec<ExecutionId>),
    /// A task cannot be deleted while another one runs after it; the name of one.
    #[error("Task \"{0}\" runs after it: change or delete that task first")]
    Followed(String),
    /// The disk is nearly full.
    #[error("less than {least} bytes are free at {path}: changes are refused until there is room")]
    NoSpace {
        /// The store's directory.
        path: String,
        /// The least free space, in bytes.
        least: u64,
    },
    /// An import found records in the store.
    #[error(
        "the store is not empty: import into an empty one, with a new --data directory or another store.schema"
    )]
    NotEmpty,
    /// An index is still being built from the records of an earlier version.
    #[error("the index of executions is still being built: try again later")]
    Building,
    /// The database cannot be reached or cannot do it now, and nothing was changed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// This node's lease is over, so it writes nothing until it has joined anew.
    #[error("this node has lost its lease: {0}")]
    Fenced(String),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// The backend failed.
    #[error("{doing}: {why}")]
    Backend {
        /// The operation and its object, such as `read the store`.
        doing: &'static str,
        /// The backend's text.
        why: String,
    },
}

impl StoreError {
    /// Whether the error passes by itself: nothing was changed, and the same operation may succeed later.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Fenced(_))
    }
}

/// A chunk of one execution's output, in the order in which the handler wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Output {
    /// The execution that wrote the lines.
    pub execution: ExecutionId,
    /// The chunks of one execution are numbered from 0 without gaps.
    pub chunk: u32,
    /// At least one line.
    pub lines: Vec<Line>,
}

/// The last lines of which the texts have `left` bytes; the first of them may be cut.
pub(super) fn cut_to_tail(lines: &[Line], mut left: usize) -> Vec<Line> {
    let mut kept = Vec::new();
    for line in lines.iter().rev() {
        if left == 0 {
            break;
        }
        let starts = line.message.char_indices().map(|(at, _)| at).chain([line.message.len()]);
        let fits = starts.into_iter().find(|at| line.message.len() - at <= left).unwrap_or_default();
        let message = line.message[fits..].to_owned();
        // The room left beside a cut line is smaller than a letter.
        left = if fits == 0 { left - message.len() } else { 0 };
        kept.push(Line { message, ..line.clone() });
    }
    kept.reverse();
    kept
}

/// Fields that tasks can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskSort {
    /// Names in the order of their bytes.
    Name,
    /// Time of the next run; tasks without one are last in either direction.
    NextRun,
    /// Time of creation.
    CreatedAt,
    /// Time of the last change.
    UpdatedAt,
}

/// The direction of a sorted list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Filters, order and page of a list of tasks. A filter of `None` lets every task through.
#[derive(Debug, Clone)]
pub struct TaskQuery {
    /// Filter: the task's status.
    pub status: Option<TaskStatus>,
    /// Filter: the name of the task's handler.
    pub handler: Option<String>,
    /// Filter: a tag of the task.
    pub tag: Option<String>,
    /// Filter: the patterns of handlers of which one must match the task's.
    pub bound: Option<Vec<Pattern>>,
    /// Filter: a part of the task's name, in any case.
    pub name: Option<String>,
    /// Filter: created after this task. The order is then that of creation, and the total counts these.
    pub after: Option<TaskId>,
    /// The field to sort by.
    pub sort: TaskSort,
    /// Applies to `sort`.
    pub direction: Direction,
    /// Tasks to leave out at the start.
    pub skip: usize,
    /// Tasks to return at most.
    pub limit: usize,
    /// Executions to return with each task at most.
    pub newest: usize,
}

/// Filters and page of a task's executions, newest first. A filter of `None` lets every execution through.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExecutionQuery {
    /// Filter: the execution's status.
    pub status: Option<ExecutionStatus>,
    /// Filter: the reason why the execution was started.
    pub trigger: Option<Trigger>,
    /// Executions to leave out at the start.
    pub skip: usize,
    /// Executions to return at most.
    pub limit: usize,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// At most the query's limit.
    pub items: Vec<T>,
    /// The number of items that the filters let through.
    pub total: u64,
}

/// Numbers of old records, removed or only counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    /// Executions created before the given time and no longer in progress.
    pub executions: u64,
    /// Audit records from before the given time.
    pub audit: u64,
}

/// The state of the scrub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScrubState {
    /// The scrub goes on while the store serves.
    Running,
    /// The scrub has verified every record and index.
    #[default]
    Done,
    /// The scrub met an entry that cannot be read, and stopped.
    Failed,
}

/// The findings of the scrub so far. Each start begins one; it verifies every record and index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How often the store has been opened, this time included.
    pub epoch: u64,
    /// Tasks by the store's totals; once the scrub is done, the tasks that verified.
    pub tasks: u64,
    /// Only after [`ScrubState::Done`] the lists below are complete.
    #[serde(rename = "check")]
    pub scrub: ScrubState,
    /// Records that did not verify and were put into quarantine.
    #[serde(rename = "setAside")]
    pub quarantined: Vec<String>,
    /// Indexes that differed from the records and were rebuilt.
    pub rebuilt: Vec<String>,
    /// Acknowledged records that are lost.
    pub missing: Vec<String>,
}
