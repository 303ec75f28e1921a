//! The words of the store: questions, answers and the records beside tasks and executions.

use std::{future::Future, pin::Pin, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::domain::{
    Millis,
    execution::{Execution, ExecutionStatus, Line, Trigger},
    facts::{Task, TaskStatus},
    ids::{ExecutionId, TaskId},
    step::{Refused, Step},
};

/// An answer on its way. A read may wait for the network or the disk; a change resolves when it is
/// durable.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;
/// Decides what becomes of a task at the store's now, in epoch milliseconds. A store may ask more than
/// once about the same change, and only the last decision counts: asking must have no effect.
pub type Decision = Box<dyn FnMut(&Task, Millis) -> Result<Step, Refused> + Send>;
/// The time of a store: epoch milliseconds.
pub type Now = Arc<dyn Fn() -> Millis + Send + Sync>;

/// What a claim has changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claimed {
    /// The decisions, in the order of the due times.
    pub steps: Vec<Step>,
    /// The latest due time that was looked at.
    pub until: Millis,
}

/// A task with its newest executions, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskView {
    /// The task.
    pub task: Task,
    /// At most as many as were asked for.
    pub newest: Vec<Execution>,
}

/// What can go wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No such task.
    #[error("Task not found")]
    NotFound,
    /// Another task has the name.
    #[error("Task with name \"{0}\" already exists")]
    NameTaken(String),
    /// The task's facts do not allow it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The task cannot go while these executions are in progress.
    #[error("the task has {} executions in progress", .0.len())]
    InProgress(Vec<ExecutionId>),
    /// The disk is nearly full.
    #[error("less than {least} bytes are free at {path}: changes are refused until there is room")]
    NoSpace {
        /// Where.
        path: String,
        /// How much must be free, in bytes.
        least: u64,
    },
    /// A copy is to be taken in, but something is there already.
    #[error("the store is not empty: import into an empty one, such as that of a new --data directory")]
    NotEmpty,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// The backend failed.
    #[error("{doing}: {why}")]
    Backend {
        /// The operation and the thing.
        doing: &'static str,
        /// The cause.
        why: String,
    },
}

/// Lines of one execution, in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Output {
    /// Whose.
    pub execution: ExecutionId,
    /// Counts the pieces of one execution from 0, without gaps.
    pub chunk: u32,
    /// At least one.
    pub lines: Vec<Line>,
}

/// A record of something a user did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// When.
    pub time: Millis,
    /// Such as `create`, `pause`.
    pub action: String,
    /// The task.
    pub task_id: TaskId,
    /// Its name then.
    pub task_name: String,
    /// The request's id.
    pub request_id: String,
}

/// Fields that tasks can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskSort {
    /// By name, as bytes.
    Name,
    /// By next run; tasks without one are last in either direction.
    NextRun,
    /// By creation.
    CreatedAt,
    /// By last change.
    UpdatedAt,
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Which tasks, in which order, which part of them.
#[derive(Debug, Clone)]
pub struct TaskQuery {
    /// Only these.
    pub status: Option<TaskStatus>,
    /// Only those of this handler.
    pub handler: Option<String>,
    /// Only those whose name contains this, in any case.
    pub name: Option<String>,
    /// By what.
    pub sort: TaskSort,
    /// Up or down.
    pub direction: Direction,
    /// How many to leave out at the start.
    pub skip: usize,
    /// How many to return.
    pub limit: usize,
    /// How many executions to return with each.
    pub newest: usize,
}

/// Which executions of a task, newest first, which part of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExecutionQuery {
    /// Only these.
    pub status: Option<ExecutionStatus>,
    /// Only these.
    pub trigger: Option<Trigger>,
    /// How many to leave out at the start.
    pub skip: usize,
    /// How many to return.
    pub limit: usize,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: u64,
}

/// How much of a kind there is, and how much of it is old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    /// Executions that ended before the moment.
    pub executions: u64,
    /// Audit records from before the moment.
    pub audit: u64,
}

/// How far the check that a start begins has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checked {
    /// It goes on beside the work.
    Running,
    /// It has seen everything.
    #[default]
    Done,
    /// It could not go on: something cannot be read.
    Failed,
}

/// What the check that a start begins has found and done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How often the store has been opened, this time included.
    pub epoch: u64,
    /// Tasks that there were at the start.
    pub tasks: u64,
    /// Whether that is all.
    pub check: Checked,
    /// Records that did not verify and were put into quarantine.
    #[serde(rename = "setAside")]
    pub quarantined: Vec<String>,
    /// Indexes that differed from the records and were made anew.
    pub rebuilt: Vec<String>,
    /// What had been acknowledged and is not there any more.
    pub missing: Vec<String>,
}
