//! Store: where tasks and executions are kept.
//!
//! Everything that changes something resolves only when the change would survive the
//! loss of power; reads never wait for writers. A store decides nothing about tasks: it
//! applies the function it is given to the task as it stands, and writes what that says
//! (the task, its rows, their places in every index) as one change or not at all.
//!
//! Misuse to avoid: answering a user, starting a handler or publishing an event before
//! the [`Commit`] has resolved.

#[cfg(test)]
pub(crate) mod contract;
pub mod copy;
#[cfg(test)]
pub(crate) mod memory;
pub mod sled;
pub mod space;

use std::{future::Future, pin::Pin};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::copy::{Cursor, Import, Part};
use crate::domain::{
    Millis,
    execution::{Execution, ExecutionStatus, Line, Trigger},
    facts::{Task, TaskStatus},
    ids::{ExecutionId, TaskId},
    step::{Refused, Step},
};

/// A change on its way to the disk; resolves when it is durable.
pub type Commit<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;
/// Says what becomes of a task.
pub type Decision = Box<dyn FnMut(&Task) -> Result<Step, Refused> + Send>;

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

/// Where tasks and executions are kept. See the module for the rules.
pub trait Store: Send + Sync + 'static {
    /// Adds a task.
    fn create(&self, task: Task, audit: Option<Audit>) -> Commit<()>;
    /// Lets `decide` say what becomes of a task, and writes that, with some more output.
    fn change(
        &self,
        task: TaskId,
        decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
    ) -> Commit<Step>;
    /// Lets `decide` say what becomes of each task due by `until`, earliest first, `most` at most.
    /// One that it refuses with [`Refused::NotYet`] stays as it is.
    fn claim(&self, until: Millis, most: usize, decide: Decision) -> Commit<Vec<Step>>;
    /// Adds output of an execution in progress.
    fn append(&self, output: Output) -> Commit<()>;
    /// Removes a task that has no execution in progress, its history with it.
    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Commit<Task>;
    /// Removes (or only counts) executions and audit records from before a moment.
    fn remove_history(&self, before: Millis, only_count: bool) -> Commit<Removal>;
    /// Sets a value.
    fn put(&self, key: String, value: Value) -> Commit<()>;
    /// Reads a part of everything there is. A task and its executions are of one moment in it.
    fn export(&self, from: Cursor) -> Commit<Part>;
    /// Takes a part of such a copy into a store in which nothing is yet.
    fn import(&self, import: Import) -> Commit<()>;
    /// Finishes what is under way; everything after it fails with [`StoreError::Closed`].
    fn close(&self) -> Commit<()>;

    /// A task.
    ///
    /// # Errors
    /// When the backend fails.
    fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError>;
    /// Some tasks.
    ///
    /// # Errors
    /// When the backend fails.
    fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError>;
    /// An execution of a task.
    ///
    /// # Errors
    /// When the backend fails.
    fn execution(&self, task: TaskId, id: ExecutionId) -> Result<Option<Execution>, StoreError>;
    /// Some executions of a task.
    ///
    /// # Errors
    /// When the backend fails.
    fn executions(&self, task: TaskId, query: &ExecutionQuery) -> Result<Page<Execution>, StoreError>;
    /// An execution's output: all of it, or the last `tail` bytes of text.
    ///
    /// # Errors
    /// When the backend fails.
    fn output(&self, id: ExecutionId, tail: Option<usize>) -> Result<Vec<Line>, StoreError>;
    /// When the next thing is due.
    ///
    /// # Errors
    /// When the backend fails.
    fn next_due(&self) -> Result<Option<Millis>, StoreError>;
    /// Every execution in progress.
    ///
    /// # Errors
    /// When the backend fails.
    fn running(&self) -> Result<Vec<(TaskId, ExecutionId)>, StoreError>;
    /// A value set by [`Store::put`].
    ///
    /// # Errors
    /// When the backend fails.
    fn get(&self, key: &str) -> Result<Option<Value>, StoreError>;
    /// Records and bytes of each kind; an object for people and their handlers.
    ///
    /// # Errors
    /// When the backend fails.
    fn statistics(&self, detailed: bool) -> Result<Map<String, Value>, StoreError>;
    /// What the check that a start begins has found so far.
    fn report(&self) -> Report;
}
