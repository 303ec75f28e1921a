//! Store: keeps tasks, executions and their output, and the state of handlers.
//!
//! A change resolves only when it would survive a loss of power; reads never wait for writers.
//! A store decides nothing about tasks: it calls the given decision with the current task and its own
//! time, then writes the returned step (task, rows, index entries) all or nothing.
//!
//! Misuse to avoid: answering a user, starting a handler or publishing an event before
//! the [`Answer`] has resolved.

mod access;
mod audit;
mod bindings;
mod chain;
#[cfg(test)]
pub(crate) mod contract;
pub mod copy;
pub mod disk;
mod figures;
mod history;
pub(crate) mod memory;
mod nodes;
mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sled;
mod sources;
mod state;
mod words;

use serde_json::{Map, Value};

use self::copy::{Cursor, Import, Part};
pub use self::{
    access::{Access, AccessChange},
    audit::{Audit, AuditPage, AuditPlace, AuditQuery, Audits},
    bindings::{Bindings, Rewriting},
    chain::{Informed, SuccessorDecision},
    disk::{CommitTimes, Condition},
    figures::{Census, ComingQuery, ScheduleCount, Span},
    history::{HistoryPage, HistoryPlace, HistoryQuery, MOST_KEYS, MOST_NAMES, MOST_READ, NameSearch},
    nodes::{Beat, DRAINED, Hint, NewNode, Node, Nodes, Shared, drained_key, take_turn},
    outbox::{MOST_COUNTED, Outbox, OutboxQuery, Place, WaitingAlerts},
    sources::{
        HandlerVersion, KEPT_VERSIONS, KeptSource, LONGEST_SOURCE, Runs, SourceHash, Sources, VersionNote,
    },
    state::{
        Change, Edit, Edited, Entry, EntryPage, EntryQuery, Expected, Fence, FinishedStep, LONGEST_KEY,
        LONGEST_TTL, LONGEST_VALUE, Owner, Quota, RunNote, StateError,
    },
    words::{
        Answer, Claimed, Decision, Direction, ExecutionQuery, Now, Output, Page, Removal, Report, ScrubState,
        StoreError, TaskQuery, TaskSort, TaskView,
    },
};
use crate::domain::{
    Millis,
    activity::{Bucket, Size},
    execution::{Execution, Line},
    facts::{Task, TaskStatus},
    ids::{ExecutionId, TaskId},
    step::Step,
};

/// Tasks: each with its facts, changed by decisions.
pub trait Tasks {
    /// Adds a task.
    fn create(&self, task: Task, audit: Option<Audit>) -> Answer<()>;
    /// Takes the step that `decide` returns, and writes `output` and `audit` in the same change.
    fn change(
        &self,
        task: TaskId,
        decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
    ) -> Answer<Step>;
    /// Takes the step that `decide` returns for each task due within `ahead` milliseconds from the
    /// store's time, `most` tasks at most: the highest priority first, of one priority the earliest first. A task refused with
    /// [`Refused::NotYet`](crate::domain::step::Refused::NotYet) stays unchanged.
    fn claim(&self, ahead: Millis, most: usize, decide: Decision) -> Answer<Claimed>;
    /// Informs `most` successors of ends of their predecessors that they do not know yet, and takes the
    /// step that `decide` returns for each.
    fn inform_successors(&self, most: usize, decide: SuccessorDecision) -> Answer<Informed>;
    /// Removes a task that has no execution in progress and that no other one follows, and its history.
    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Answer<Task>;
    /// Finds the task with a name.
    fn find(&self, name: String) -> Answer<Option<TaskId>>;
    /// Reads a task.
    fn task(&self, id: TaskId) -> Answer<Option<Task>>;
    /// Reads a task with its `newest` executions.
    fn task_view(&self, id: TaskId, newest: usize) -> Answer<Option<TaskView>>;
    /// Reads a page of tasks, each with its newest executions.
    fn tasks(&self, query: TaskQuery) -> Answer<Page<TaskView>>;
    /// Lists the tasks with a run that waits for a slot of a concurrency key.
    fn keyed(&self) -> Answer<Vec<TaskId>>;
    /// Reads the earliest due time of all tasks.
    fn next_due(&self) -> Answer<Option<Millis>>;
}

/// History: executions with their output.
pub trait History {
    /// Adds output of an execution in progress.
    fn append(&self, output: Output) -> Answer<()>;
    /// Removes (or only counts) executions and audit records from before a time.
    fn remove_history(&self, before: Millis, only_count: bool) -> Answer<Removal>;
    /// Reads an execution of a task.
    fn execution(&self, task: TaskId, id: ExecutionId) -> Answer<Option<Execution>>;
    /// Reads a page of a task's executions.
    fn executions(&self, task: TaskId, query: ExecutionQuery) -> Answer<Page<Execution>>;
    /// Reads a page of the executions of all tasks.
    fn history(&self, query: HistoryQuery) -> Answer<HistoryPage>;
    /// Finds tasks by a part of their name, those first whose name begins with it; whether all names were
    /// looked at that it took.
    fn find_by_name(&self, search: NameSearch) -> Answer<(Vec<Task>, bool)>;
    /// Finds the task of an execution.
    ///
    /// # Errors
    /// [`StoreError::Building`], if it is not found and the index is still being built.
    fn locate(&self, id: ExecutionId) -> Answer<Option<TaskId>>;
    /// Reads long parameters of a task's runs by their hash, if they are still kept.
    fn params(&self, task: TaskId, hash: String) -> Answer<Option<Map<String, Value>>>;
    /// Reads the output of each execution: all of it, or the last `tail` bytes of its text.
    fn outputs(&self, ids: Vec<ExecutionId>, tail: Option<usize>) -> Answer<Vec<Vec<Line>>>;
    /// Lists every execution in progress.
    fn running(&self) -> Answer<Vec<(TaskId, ExecutionId)>>;
}

/// Values by key.
pub trait Values {
    /// Sets a value.
    fn put(&self, key: String, value: Value) -> Answer<()>;
    /// Reads a value.
    fn get(&self, key: String) -> Answer<Option<Value>>;
    /// Reads the values whose keys begin with a text, in the order of the keys' bytes.
    fn values(&self, prefix: String) -> Answer<Vec<(String, Value)>>;
    /// Sets values and removes others (`None`), all or nothing.
    fn change_values(&self, changes: Vec<(String, Option<Value>)>, audit: Option<Audit>) -> Answer<()>;
}

/// Entries under keys, per [`Owner`].
pub trait Entries {
    /// Reads an entry.
    fn entry(&self, owner: Owner, key: String) -> Answer<Option<Entry>>;
    /// Reads entries in the order of their keys' bytes.
    fn entries(&self, owner: Owner, query: EntryQuery) -> Answer<EntryPage>;
    /// Edits an entry, if the fence holds.
    fn edit(&self, edit: Edit) -> Answer<Edited>;
}

/// Steps of occurrences, and the progress of runs.
pub trait Steps {
    /// Reads the finished steps of an occurrence, in the order in which they finished.
    fn steps(&self, task: TaskId, scheduled_for: Millis) -> Answer<Vec<FinishedStep>>;
    /// Keeps a finished step of the occurrence that an execution runs for, if the fence holds. The steps
    /// go with the change that ends the occurrence.
    fn finish_step(&self, fence: Fence, scheduled_for: Millis, step: FinishedStep) -> Answer<()>;
    /// Writes the state of a run into its row, if the fence holds.
    fn note_run(&self, fence: Fence, note: RunNote) -> Answer<()>;
}

/// Figures: counts that are kept as changes are written, and tasks in the order of their next runs.
pub trait Figures {
    /// Reads the buckets of a size that start in `[from, until)`, oldest first; those without an end are
    /// left out.
    fn activity(&self, size: Size, from: Millis, until: Millis) -> Answer<Vec<Bucket>>;
    /// Counts the tasks of each status.
    fn status_counts(&self) -> Answer<Vec<(TaskStatus, u64)>>;
    /// Reads the schedules of recurring tasks that are neither paused nor stopped, `most` at most.
    fn census(&self, most: usize) -> Answer<Census>;
    /// Reads tasks in the order of their next runs, each with that time.
    fn coming(&self, query: ComingQuery) -> Answer<Vec<(Millis, Task)>>;
}

/// Copies of all records, for exports and imports.
pub trait Copies {
    /// Reads the next part of a copy. A task agrees with its executions in progress.
    fn export(&self, from: Cursor) -> Answer<Part>;
    /// Adds a part of a copy to an empty store.
    fn import(&self, import: Import) -> Answer<()>;
}

/// Upkeep: figures, the scrub's report, closing.
pub trait Upkeep {
    /// Counts records and bytes of each kind; an object for people and their handlers.
    fn statistics(&self, detailed: bool) -> Answer<Map<String, Value>>;
    /// Tells the size of the store and the durations of its commits.
    fn condition(&self) -> Answer<Condition>;
    /// Tells the findings of the scrub so far.
    fn report(&self) -> Report;
    /// Finishes the operations under way; every later one fails with [`StoreError::Closed`].
    fn close(&self) -> Answer<()>;
}

/// All traits of a store. See the module for the rules.
pub trait Store:
    Tasks
    + History
    + Sources
    + Values
    + Bindings
    + Access
    + Audits
    + Entries
    + Steps
    + Figures
    + Outbox
    + Copies
    + Nodes
    + Upkeep
    + Send
    + Sync
    + 'static
{
}

impl<S> Store for S where
    S: Tasks
        + History
        + Sources
        + Values
        + Bindings
        + Access
        + Audits
        + Entries
        + Steps
        + Figures
        + Outbox
        + Copies
        + Nodes
        + Upkeep
        + Send
        + Sync
        + 'static
{
}

/// Makes an empty store in memory, for a run without a server. It is gone with the process.
#[must_use]
pub fn in_memory(now: Now) -> std::sync::Arc<dyn Store> {
    std::sync::Arc::new(memory::MemoryStore::open(&std::sync::Arc::default(), now))
}

/// Makes an answer that resolves at once.
pub(crate) fn ready<T: Send + 'static>(result: Result<T, StoreError>) -> Answer<T> {
    Box::pin(std::future::ready(result))
}
