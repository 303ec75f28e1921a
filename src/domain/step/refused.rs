//! Refused: the inputs that the facts of a task do not allow.

use crate::domain::{
    draft::Problem,
    facts::{MOST_AT_ONCE, MOST_PARAMS_BYTES, Wait},
    ids::ExecutionId,
};

/// An input that the facts do not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A run is asked for while one is in progress.
    #[error("Task is already running")]
    AlreadyRunning,
    /// A run is asked for while one waits in the queue.
    #[error("Task already has a run waiting")]
    AlreadyWaiting,
    /// A run is asked for while [`MOST_AT_ONCE`] are not over.
    #[error("Task already has {MOST_AT_ONCE} runs that run or wait")]
    TooManyOpen,
    /// A run is asked for whose parameters, with those of runs that are not over, would take more
    /// than [`MOST_PARAMS_BYTES`].
    #[error("Task would have more than {} MiB of parameters of runs that run or wait", MOST_PARAMS_BYTES >> 20)]
    TooLargeOpen,
    /// A pause of a paused task.
    #[error("Task is already paused")]
    AlreadyPaused,
    /// A resumption of a task that is not paused.
    #[error("Task is not paused")]
    NotPaused,
    /// A backfill is asked for while one is under way.
    #[error("Task already has a backfill under way")]
    Backfilling,
    /// A cancellation while no execution is in progress.
    #[error("Task is not running")]
    Idle,
    /// A cancellation while no execution is in progress, but one waits.
    #[error("Task is not running: its next run {0}")]
    Waits(Wait),
    /// A user's change of a task that a file has; the file's name.
    #[error("Task is managed by {0}: change or remove it there")]
    Managed(String),
    /// A file's change of a task that users alone decide about.
    #[error("Task is not managed by a file")]
    Unmanaged,
    /// The task has to be decided about when its time has come.
    #[error("the task is not due yet")]
    NotYet,
    /// The execution is not in progress: its row is closed and stays as it is.
    #[error("execution {0} is not in progress, so its end changes nothing")]
    NotRunning(ExecutionId),
    /// A user's change does not fit the task.
    #[error("the change does not fit the task")]
    Invalid(Vec<Problem>),
}
