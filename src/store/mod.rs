//! Store: where tasks and executions are kept.
//!
//! A change resolves only when it would survive the loss of power; reads never wait for
//! writers. A store decides nothing about tasks: it calls the given decision with the current
//! task and its own time, then writes the returned step (task, rows, index entries) all or nothing.
//!
//! Misuse to avoid: answering a user, starting a handler or publishing an event before
//! the [`Answer`] has resolved.

#[cfg(test)]
pub(crate) mod contract;
pub mod copy;
#[cfg(test)]
pub(crate) mod memory;
pub mod sled;
pub mod space;
mod words;

use serde_json::{Map, Value};

use self::copy::{Cursor, Import, Part};
pub use self::words::{
    Answer, Audit, Checked, Claimed, Decision, Direction, ExecutionQuery, Now, Output, Page, Removal, Report,
    StoreError, TaskQuery, TaskSort, TaskView,
};
use crate::domain::{
    Millis,
    execution::{Execution, Line},
    facts::Task,
    ids::{ExecutionId, TaskId},
    step::Step,
};

/// Tasks: each with its facts, changed by decisions.
pub trait Tasks {
    /// Adds a task.
    fn create(&self, task: Task, audit: Option<Audit>) -> Answer<()>;
    /// Changes a task as `decide` says, and writes that with some more output.
    fn change(
        &self,
        task: TaskId,
        decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
    ) -> Answer<Step>;
    /// Changes each task that is due within `ahead` milliseconds from the store's now as `decide` says,
    /// earliest first, `most` at most. A task refused with [`Refused::NotYet`](crate::domain::step::Refused::NotYet) stays as it is.
    fn claim(&self, ahead: Millis, most: usize, decide: Decision) -> Answer<Claimed>;
    /// Removes a task that has no execution in progress, its history with it.
    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Answer<Task>;
    /// A task.
    fn task(&self, id: TaskId) -> Answer<Option<Task>>;
    /// A task with its `newest` executions.
    fn task_view(&self, id: TaskId, newest: usize) -> Answer<Option<TaskView>>;
    /// A page of tasks, each with its newest executions.
    fn tasks(&self, query: TaskQuery) -> Answer<Page<TaskView>>;
    /// The earliest due time.
    fn next_due(&self) -> Answer<Option<Millis>>;
}

/// History: executions with their output.
pub trait History {
    /// Adds output of an execution in progress.
    fn append(&self, output: Output) -> Answer<()>;
    /// Removes (or only counts) executions and audit records from before a moment.
    fn remove_history(&self, before: Millis, only_count: bool) -> Answer<Removal>;
    /// An execution of a task.
    fn execution(&self, task: TaskId, id: ExecutionId) -> Answer<Option<Execution>>;
    /// A page of a task's executions.
    fn executions(&self, task: TaskId, query: ExecutionQuery) -> Answer<Page<Execution>>;
    /// The output of each of these executions: all of it, or the last `tail` bytes of its text.
    fn outputs(&self, ids: Vec<ExecutionId>, tail: Option<usize>) -> Answer<Vec<Vec<Line>>>;
    /// Every execution in progress.
    fn running(&self) -> Answer<Vec<(TaskId, ExecutionId)>>;
}

/// Values by key.
pub trait Values {
    /// Sets a value.
    fn put(&self, key: String, value: Value) -> Answer<()>;
    /// Reads a value.
    fn get(&self, key: String) -> Answer<Option<Value>>;
}

/// Copies of everything, for exports and imports.
pub trait Copies {
    /// Reads a part of everything there is. A task and its executions are of one moment in it.
    fn export(&self, from: Cursor) -> Answer<Part>;
    /// Takes a part of such a copy into an empty store.
    fn import(&self, import: Import) -> Answer<()>;
}

/// Upkeep: figures, the scrub's report, the end.
pub trait Upkeep {
    /// Records and bytes of each kind; an object for people and their handlers.
    fn statistics(&self, detailed: bool) -> Answer<Map<String, Value>>;
    /// What the scrub that a start begins has found so far.
    fn report(&self) -> Report;
    /// Finishes the operations under way; every later one fails with [`StoreError::Closed`].
    fn close(&self) -> Answer<()>;
}

/// A store, whole. See the module for the rules.
pub trait Store: Tasks + History + Values + Copies + Upkeep + Send + Sync + 'static {}

impl<S: Tasks + History + Values + Copies + Upkeep + Send + Sync + 'static> Store for S {}

/// An answer that is there already.
pub(crate) fn ready<T: Send + 'static>(result: Result<T, StoreError>) -> Answer<T> {
    Box::pin(std::future::ready(result))
}
