//! The frames, in both directions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::host_calls::{Answer, HostCall};

use crate::domain::{
    Millis,
    execution::{Level, Progress, Reason, Trigger, Usage},
    source::Source,
};

/// A frame of the server.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToRunner {
    /// The first frame, sent once: settings that hold for the life of the process.
    Start(Settings),
    /// Starts a run of one handler, or a load check.
    Run(Box<Run>),
    /// Cancels the run with this id, if it is still in progress.
    Cancel {
        /// The `run` of a [`Run`].
        run: u64,
    },
    /// The answer to a [`FromRunner::Call`].
    Reply {
        /// The `call` of the [`FromRunner::Call`].
        call: u32,
        /// An error is a sentence for the handler's author.
        answer: Result<Answer, String>,
    },
    /// Runs may go on until then: a runner that has one in progress ends at that time. A server that has its store
    /// alone never sends it.
    Lease {
        /// Milliseconds since the machine started, those of its sleep included.
        until: u64,
    },
}

/// A frame of a runner.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromRunner {
    /// An isolate stands and waits for a [`ToRunner::Run`].
    Ready {
        /// The engine's version and flags; a code cache is valid for one engine only.
        engine: String,
        /// The runner's sandbox; in the first `Ready` only.
        sandbox: Option<Sandbox>,
        /// The process in which handlers run, if it is not the runner itself.
        process: Option<u32>,
    },
    /// One call of the console.
    Line {
        /// Epoch milliseconds.
        time: i64,
        /// The level of the console's method.
        level: Level,
        /// The formatted text, without its final newline.
        message: String,
    },
    /// The output limit was reached: the lines after this one are not sent.
    OutputCut,
    /// The run's usage so far.
    Usage(Usage),
    /// How far the run is.
    Progress(Progress),
    /// A question of the handler to the server.
    Call {
        /// Chosen by the runner, unique within a run.
        call: u32,
        /// The question.
        question: HostCall,
    },
    /// A limit was reached that the process may not survive: the reason holds if it dies now.
    Dying(Reason),
    /// The run is over.
    Done(Box<Done>),
}

impl FromRunner {
    /// Its name, for people. The rest of it is of any length and of a handler's making.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "Ready",
            Self::Line { .. } => "Line",
            Self::OutputCut => "OutputCut",
            Self::Usage(_) => "Usage",
            Self::Progress(_) => "Progress",
            Self::Call { .. } => "Call",
            Self::Dying(_) => "Dying",
            Self::Done(_) => "Done",
        }
    }
}

/// The means that hold a runner besides its isolates and its process. Shown as
/// `full: Landlock ABI 7, seccomp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The part of it that this system has.
    pub level: SandboxLevel,
    /// For people: the parts, and the reason for each that is missing.
    pub text: String,
}

/// The part of the sandbox that a system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SandboxLevel {
    /// All of it.
    Full,
    /// A part of it.
    Partial,
    /// None: a handler is held by its isolate and its process alone.
    ProcessBoundary,
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            SandboxLevel::Full => "full",
            SandboxLevel::Partial => "partial",
            SandboxLevel::ProcessBoundary => "process boundary only",
        };
        write!(f, "{level}: {}", self.text)
    }
}

/// Settings of one runner process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// JS heap in bytes.
    pub heap: u64,
    /// All ArrayBuffers of a run together, in bytes.
    pub buffers: u64,
    /// CPU milliseconds of one run.
    pub cpu: u64,
    /// Bytes of console output of one run.
    pub output_bytes: u64,
    /// Lines (console calls) of one run.
    pub output_lines: u64,
    /// Characters of the JSON text of a result that are kept whole.
    pub result: u64,
    /// Whether handlers see `WebAssembly`.
    pub web_assembly: bool,
    /// Whether `eval` and `new Function` work.
    pub eval: bool,
    /// Whether the runner puts its memory back after a run, where the system can.
    pub rewind: bool,
}

/// How far a run goes with its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Loads it, calls it and waits for its result.
    Call,
    /// Loads it and looks at its exports.
    Load,
}

/// One run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// Unique among the runs of one server.
    pub run: u64,
    /// How far it goes.
    pub mode: Mode,
    /// The handler's own file.
    pub entry: Source,
    /// The parameters as JSON text.
    pub params: String,
    /// The handler's `ctx`.
    pub context: Context,
    /// Wall-clock milliseconds for the whole run.
    pub timeout: u64,
    /// Whether `require('isochron:system')` works.
    pub system: bool,
    /// Variables of `process.env`, by name.
    pub environment: Vec<(String, Result<String, String>)>,
}

/// The handler's `ctx`, without its signal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Context {
    /// `task-…`
    pub task_id: String,
    /// The task's name.
    pub task_name: String,
    /// `exec-…`
    pub execution_id: String,
    /// 1-based.
    pub attempt: u32,
    /// 1 + `maxRetries`.
    pub max_attempts: u32,
    /// Why it runs.
    pub trigger: Trigger,
    /// The planned time.
    pub scheduled_for: Millis,
    /// The span of the run, as the header `traceparent` has it; `None` unless traces are recorded.
    pub traceparent: Option<String>,
    /// The ended occurrence of the task's predecessor, JSON.
    pub after: Option<String>,
}

/// The end of a run, with its usage.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// The `run` of the [`Run`].
    pub run: u64,
    /// Its end.
    pub end: End,
    /// Its usage.
    pub usage: Usage,
    /// Code caches made by this run: hash of the source, bytes.
    pub caches: Vec<([u8; 32], Vec<u8>)>,
}

/// The end of a run, as its runner reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum End {
    /// The handler loaded and exports a function ([`Mode::Load`] only).
    Loaded,
    /// The handler returned.
    Returned {
        /// JSON text, already cut to size.
        result: String,
    },
    /// The handler failed.
    Failed {
        /// The kind of failure.
        reason: Reason,
        /// A text for people.
        error: String,
        /// Frames in the handler's own files, one per line, or nothing.
        stack: Option<String>,
        /// The returned value, if there is one: JSON text, already cut to size.
        result: Option<String>,
    },
}
