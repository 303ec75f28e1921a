//! Execution: one attempt to run an occurrence of a task, as it is recorded.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Millis,
    ids::{ExecutionId, NodeId, TaskId},
};

/// The state of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecutionStatus {
    /// Claimed; its handler runs or is about to.
    Running,
    /// The handler returned and did not report failure.
    Completed,
    /// See [`Reason`].
    Failed,
    /// A user, `replace` or the server's stop ended it.
    Cancelled,
    /// It stands for occurrences that were not run.
    Skipped,
}

impl ExecutionStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Running, Self::Completed, Self::Failed, Self::Cancelled, Self::Skipped];

    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// Why an execution is not completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The handler threw, or its promise was rejected.
    Exception,
    /// The handler returned an object whose own `success` is `false`.
    ReturnedFailure,
    /// The task's `timeout` passed.
    Timeout,
    /// The run used more CPU time than `limits.cpu`.
    CpuLimit,
    /// The run used more memory than its limits.
    MemoryLimit,
    /// The handler's promise waits for something that cannot happen.
    NeverSettled,
    /// The returned value has no JSON form.
    BadResult,
    /// The file is missing, does not compile, throws while loading or exports no function.
    LoadError,
    /// A user, `replace` or the server's stop ended it.
    Cancelled,
    /// The runner process died.
    Crashed,
    /// The server died during the run.
    Lost,
    /// Skipped: the task was still running.
    Overlap,
    /// Skipped: its time was missed.
    Misfire,
    /// Skipped: an earlier occurrence was waiting for its retry.
    Retrying,
    /// Skipped: it waited when the last of the task's `maxRuns` started.
    Ended,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::Exception,
        Self::ReturnedFailure,
        Self::Timeout,
        Self::CpuLimit,
        Self::MemoryLimit,
        Self::NeverSettled,
        Self::BadResult,
        Self::LoadError,
        Self::Cancelled,
        Self::Crashed,
        Self::Lost,
        Self::Overlap,
        Self::Misfire,
        Self::Retrying,
        Self::Ended,
    ];

    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exception => "exception",
            Self::ReturnedFailure => "returned-failure",
            Self::Timeout => "timeout",
            Self::CpuLimit => "cpu-limit",
            Self::MemoryLimit => "memory-limit",
            Self::NeverSettled => "never-settled",
            Self::BadResult => "bad-result",
            Self::LoadError => "load-error",
            Self::Cancelled => "cancelled",
            Self::Crashed => "crashed",
            Self::Lost => "lost",
            Self::Overlap => "overlap",
            Self::Misfire => "misfire",
            Self::Retrying => "retrying",
            Self::Ended => "ended",
        }
    }
}

/// The cause of an execution's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// The planned time came.
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
    /// A user asked for the planned times of a past span.
    Backfill,
    /// An occurrence of the task's predecessor has ended.
    After,
    /// An alert of another task asked for it.
    Alert,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 8] = [
        Self::Schedule,
        Self::Immediate,
        Self::Retry,
        Self::Manual,
        Self::CatchUp,
        Self::Backfill,
        Self::After,
        Self::Alert,
    ];

    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Immediate => "immediate",
            Self::Retry => "retry",
            Self::Manual => "manual",
            Self::CatchUp => "catch-up",
            Self::Backfill => "backfill",
            Self::After => "after",
            Self::Alert => "alert",
        }
    }
}

/// The console method that wrote a line; the least important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

impl Level {
    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Log => "log",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line of a handler's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Epoch milliseconds.
    pub time: Millis,
    /// The console method that wrote it.
    pub level: Level,
    /// The formatted text.
    pub message: String,
}

/// The resources that a run used. Fields that a record of an earlier version lacks are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// CPU time of the runner's JavaScript thread, milliseconds.
    pub cpu_ms: u64,
    /// The largest JS heap seen, bytes.
    pub peak_heap_bytes: u64,
    /// HTTP requests, those that a redirect led to included.
    pub requests: u64,
    /// Bytes received from the network for them: heads, bodies and TLS.
    pub bytes_received: u64,
    /// Bytes sent to the network for them.
    pub bytes_sent: u64,
}

/// The requests that a run has made, as the server counts them; see [`Usage`] for the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// HTTP requests.
    pub requests: u64,
    /// Bytes.
    pub bytes_received: u64,
    /// Bytes.
    pub bytes_sent: u64,
}

impl Usage {
    /// The same usage with these requests.
    #[must_use]
    pub fn with_traffic(self, traffic: Traffic) -> Self {
        let Traffic { requests, bytes_received, bytes_sent } = traffic;
        Self { requests, bytes_received, bytes_sent, ..self }
    }
}

/// The files of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    /// SHA-256 of the handler's own file, hexadecimal.
    pub handler: String,
    /// SHA-256 over the hashes and names of all files that the run was given, hexadecimal.
    pub files: String,
}

/// How far a run says that it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Progress {
    /// From 0 to 1.
    pub fraction: f64,
    /// A text for people.
    pub text: Option<String>,
}

/// The state of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// Its function has been called and has not ended.
    Running,
    /// Its result is kept: no later attempt calls its function again.
    Completed,
    /// Its function threw, or the run ended first.
    Failed,
}

/// A step of a run (`ctx.step`), without its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepNote {
    /// Unique within the run.
    pub name: String,
    /// The state.
    pub status: StepStatus,
    /// Milliseconds that its function took; `None` if it has not ended.
    pub duration: Option<Millis>,
    /// The attempt that called its function: an earlier one if the result was handed back.
    pub attempt: u32,
}

/// The row of one attempt, or of occurrences that were skipped; its output is kept apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Unique, in the order of creation.
    pub id: ExecutionId,
    /// The task.
    pub task_id: TaskId,
    /// The task's name when it started.
    pub task_name: String,
    /// The name of the handler.
    pub handler: String,
    /// SHA-256 of the handler's own file, hexadecimal.
    pub handler_hash: Option<String>,
    /// SHA-256 over the hashes and names of all files that the run was given, hexadecimal.
    pub files_hash: Option<String>,
    /// Running, the end, or skipped.
    pub status: ExecutionStatus,
    /// The cause, of an execution that is neither running nor completed.
    pub reason: Option<Reason>,
    /// The cause of the start.
    pub trigger: Trigger,
    /// The planned time, epoch milliseconds; for a skip, the first planned time in it.
    pub scheduled_for: Millis,
    /// 1-based; 0 for a skip.
    pub attempt: u32,
    /// Epoch milliseconds at which the handler started.
    pub start_time: Option<Millis>,
    /// Milliseconds by the monotonic clock.
    pub duration: Option<Millis>,
    /// A text for people.
    pub error: Option<String>,
    /// Frames in the handler's own files.
    pub stack: Option<String>,
    /// The returned value.
    pub result: Option<Value>,
    /// Whether lines of output were dropped.
    pub output_truncated: bool,
    /// The resources that the run used.
    pub usage: Option<Usage>,
    /// The last progress that the run reported.
    #[serde(default)]
    pub progress: Option<Progress>,
    /// The steps that the run asked for, in that order.
    #[serde(default)]
    pub steps: Vec<StepNote>,
    /// The number of occurrences in a skip.
    pub skipped_count: Option<u64>,
    /// The parameters, up to [`INLINE`](super::draft::INLINE) bytes; `None` for a skip.
    #[serde(default)]
    pub params: Option<Map<String, Value>>,
    /// SHA-256, hexadecimal, of longer parameters, which are kept apart.
    #[serde(default)]
    pub params_hash: Option<String>,
    /// Milliseconds from the planned time to the start; `None` for a skip.
    #[serde(default)]
    pub lateness: Option<Millis>,
    /// The name of the token of the user who asked for it.
    #[serde(default)]
    pub by: Option<String>,
    /// The execution that it runs again.
    #[serde(default)]
    pub rerun_of: Option<ExecutionId>,
    /// The node that ran it; `None` with a store that is not shared, and for a skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// Epoch milliseconds of the first write.
    pub created_at: Millis,
    /// Epoch milliseconds of the last write.
    pub updated_at: Millis,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The end.
    pub ending: Ending,
    /// Epoch milliseconds at which the handler started, if it did.
    pub started: Option<Millis>,
    /// Milliseconds by the monotonic clock; `None` if the server died during the run.
    pub duration: Option<Millis>,
    /// SHA-256 of the handler's own file, hexadecimal.
    pub handler_hash: Option<String>,
    /// SHA-256 over the hashes and names of all files that the run was given, hexadecimal.
    pub files_hash: Option<String>,
    /// Whether lines of output were dropped.
    pub output_truncated: bool,
    /// The resources that the run used, if they are known.
    pub usage: Option<Usage>,
    /// The last progress that the run reported.
    pub progress: Option<Progress>,
    /// The steps that the run asked for, in that order.
    pub steps: Vec<StepNote>,
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
            files_hash: None,
            output_truncated: false,
            usage: None,
            progress: None,
            steps: Vec::new(),
        }
    }
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The handler returned this.
    Completed {
        /// JSON.
        result: Value,
    },
    /// It failed.
    Failed {
        /// The kind of failure.
        reason: Reason,
        /// For people.
        error: String,
        /// Frames in the handler's own files.
        stack: Option<String>,
        /// The returned value, if the handler returned.
        result: Option<Value>,
    },
    /// It was ended on request.
    Cancelled {
        /// A text for people that says who asked.
        error: String,
    },
}
