//! Execution: one attempt to run an occurrence of a task, as it is recorded.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Millis,
    ids::{ExecutionId, TaskId},
};

/// How an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecutionStatus {
    /// Claimed; its handler runs or is about to.
    Running,
    /// The handler returned and did not report failure.
    Completed,
    /// See [`Reason`].
    Failed,
    /// Ended by a user, by `replace` or by the server's stop.
    Cancelled,
    /// It stands for occurrences that were not run.
    Skipped,
}

/// Why an execution is not completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The handler threw, or its promise was rejected.
    Exception,
    /// It returned an object whose own `success` is `false`.
    ReturnedFailure,
    /// The task's `timeout` passed.
    Timeout,
    /// More CPU time than a run may use.
    CpuLimit,
    /// More memory than a run may use.
    MemoryLimit,
    /// Its promise waits for something that cannot happen.
    NeverSettled,
    /// What it returned is not JSON.
    BadResult,
    /// The file is missing, does not compile, throws while loading or exports no function.
    LoadError,
    /// Ended on request.
    Cancelled,
    /// Its runner died.
    Crashed,
    /// The server died while it ran.
    Lost,
    /// Skipped: the task was still running.
    Overlap,
    /// Skipped: its time was missed.
    Misfire,
    /// Skipped: an earlier occurrence was waiting for its retry.
    Retrying,
}

/// What started an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Its time came.
    #[default]
    Schedule,
    /// The schedule is `now`, or a moment already past.
    Immediate,
    /// An earlier attempt failed.
    Retry,
    /// A user asked for it.
    Manual,
    /// It makes up for a missed time.
    CatchUp,
}

/// Which console method wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// `console.debug`
    Debug,
    /// `console.log` and everything that prints like it
    Log,
    /// `console.info`
    Info,
    /// `console.warn`, and warnings of the runner itself
    Warn,
    /// `console.error`, `console.trace`, failed assertions
    Error,
}

/// One line of a handler's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Epoch milliseconds.
    pub time: Millis,
    /// Which console method wrote it.
    pub level: Level,
    /// The formatted text.
    pub message: String,
}

/// What a run used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// CPU time of the runner's JavaScript thread, milliseconds.
    pub cpu_ms: u64,
    /// The largest JS heap seen, bytes.
    pub peak_heap_bytes: u64,
}

/// The row of one attempt, or of occurrences that were skipped; its output is kept apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// Whose it is.
    pub task_id: TaskId,
    /// The task's name when it started.
    pub task_name: String,
    /// The handler that ran.
    pub handler: String,
    /// SHA-256 of the source that ran, hexadecimal.
    pub handler_hash: Option<String>,
    /// How it stands.
    pub status: ExecutionStatus,
    /// Why it is not completed.
    pub reason: Option<Reason>,
    /// What started it.
    pub trigger: Trigger,
    /// The occurrence it belongs to; of a skip the first one it stands for.
    pub scheduled_for: Millis,
    /// 1-based; 0 for a skip.
    pub attempt: u32,
    /// When the handler was started.
    pub start_time: Option<Millis>,
    /// Milliseconds by the monotonic clock.
    pub duration: Option<Millis>,
    /// For people.
    pub error: Option<String>,
    /// Frames in the handler's own files.
    pub stack: Option<String>,
    /// What the handler returned.
    pub result: Option<Value>,
    /// Whether lines were dropped.
    pub output_truncated: bool,
    /// What it used.
    pub usage: Option<Usage>,
    /// How many occurrences a skip stands for.
    pub skipped_count: Option<u64>,
    /// When the row was written first.
    pub created_at: Millis,
    /// When it was written last.
    pub updated_at: Millis,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// How it ended.
    pub ending: Ending,
    /// When the handler was started, if it was.
    pub started: Option<Millis>,
    /// Milliseconds by the monotonic clock, if anybody was there to measure.
    pub duration: Option<Millis>,
    /// SHA-256 of the source, hexadecimal.
    pub handler_hash: Option<String>,
    /// Whether lines were dropped.
    pub output_truncated: bool,
    /// What it used, if that is known.
    pub usage: Option<Usage>,
}

impl Verdict {
    /// An attempt that failed before or without its handler.
    #[must_use]
    pub fn failed(reason: Reason, error: impl Into<String>) -> Self {
        Self::of(Ending::Failed { reason, error: error.into(), stack: None, result: None })
    }

    /// An attempt that `who` cancelled before its handler started.
    #[must_use]
    pub fn cancelled(who: impl Into<String>) -> Self {
        Self::of(Ending::Cancelled { error: who.into() })
    }

    /// An attempt of which only the ending is known.
    #[must_use]
    pub fn of(ending: Ending) -> Self {
        Self {
            ending,
            started: None,
            duration: None,
            handler_hash: None,
            output_truncated: false,
            usage: None,
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The handler returned this.
    Completed {
        /// JSON.
        result: Value,
    },
    /// It failed.
    Failed {
        /// Why.
        reason: Reason,
        /// For people.
        error: String,
        /// Frames in the handler's own files.
        stack: Option<String>,
        /// What it returned, if it did.
        result: Option<Value>,
    },
    /// It was ended on request.
    Cancelled {
        /// Who asked, for people.
        error: String,
    },
}
