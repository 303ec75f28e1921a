//! Documents of the API, with the fields that pages read. The API's own types are in
//! `crate::api`; a page reads the JSON that everybody gets.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::{
    Millis,
    access::Role,
    execution::{Execution, ExecutionStatus, Line, Progress},
    facts::{LastExecution, TaskStatus},
    schedule::Schedule,
};

/// A page of the list of tasks.
#[derive(Deserialize)]
pub(super) struct TaskList {
    pub(super) tasks: Vec<Task>,
    pub(super) total: u64,
    pub(super) skip: usize,
    pub(super) limit: usize,
}

/// A task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Task {
    #[serde(rename = "_key")]
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) handler: String,
    pub(super) params: Map<String, Value>,
    pub(super) schedule: String,
    pub(super) timezone: String,
    pub(super) recurring: bool,
    pub(super) max_retries: u32,
    pub(super) retry_delay: Millis,
    pub(super) retry_backoff: String,
    pub(super) timeout: Millis,
    pub(super) overlap: String,
    pub(super) misfire: String,
    pub(super) on_exhausted: String,
    pub(super) keep_executions: u64,
    pub(super) next_run: Option<Millis>,
    pub(super) retry_count: u32,
    pub(super) status: TaskStatus,
    pub(super) managed_by: Option<String>,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
    pub(super) last_execution: Option<LastExecution>,
    /// The newest ended occurrences, newest first.
    #[serde(default)]
    pub(super) recent: Vec<Recent>,
    #[serde(default)]
    pub(super) stats: Stats,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// The newest executions.
    #[serde(default)]
    pub(super) executions: Vec<Execution>,
}

/// An ended occurrence, in short.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Recent {
    pub(super) status: ExecutionStatus,
    pub(super) duration: Option<Millis>,
}

/// Figures about the newest occurrences of a task.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Stats {
    /// The median duration.
    pub(super) p50: Option<Millis>,
    pub(super) p95: Option<Millis>,
    /// Consecutive failures.
    pub(super) streak: u64,
    pub(super) last_success: Option<Millis>,
    pub(super) last_failure: Option<Millis>,
}

impl Task {
    /// The schedule in words.
    pub(super) fn in_words(&self) -> String {
        Schedule::parse(&self.schedule).map_or_else(|_| self.schedule.clone(), |schedule| schedule.describe())
    }

    /// The newest ended occurrences, from the executions where the document has no others.
    pub(super) fn newest(&self) -> Vec<Recent> {
        if !self.recent.is_empty() {
            return self.recent.clone();
        }
        let ended = self.executions.iter().filter(|run| run.status != ExecutionStatus::Running);
        ended.map(|run| Recent { status: run.status, duration: run.duration }).collect()
    }

    /// Whether a run is in progress.
    pub(super) fn is_running(&self) -> bool {
        self.status == TaskStatus::Running
    }

    /// Whether runs by schedule are paused.
    pub(super) fn is_paused(&self) -> bool {
        self.status == TaskStatus::Paused
    }

    /// Whether the last occurrence has failed.
    pub(super) fn is_failed(&self) -> bool {
        self.status == TaskStatus::Failed
    }

    /// The action that ends or begins a pause.
    pub(super) fn toggle(&self) -> &'static str {
        if self.is_paused() { "resume" } else { "pause" }
    }

    /// The parameters, as people write them.
    pub(super) fn shown_params(&self) -> String {
        shown_json(&Value::Object(self.params.clone()))
    }
}

/// JSON on several lines.
pub(super) fn shown_json(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The answer about one task.
#[derive(Deserialize)]
pub(super) struct TaskFound {
    pub(super) task: Task,
}

/// A page of a task's history.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct History {
    pub(super) executions: Vec<Run>,
    pub(super) total_executions: u64,
    pub(super) skip: usize,
    pub(super) limit: usize,
}

/// An execution with the end of its output, or all of it.
#[derive(Deserialize)]
pub(super) struct Run {
    #[serde(flatten)]
    pub(super) execution: Execution,
    #[serde(default)]
    pub(super) output: Vec<Line>,
}

impl Run {
    /// The moment of its start, or of its claim.
    pub(super) fn began(&self) -> Millis {
        self.execution.start_time.unwrap_or(self.execution.created_at)
    }
}

/// The answer about one execution.
#[derive(Deserialize)]
pub(super) struct RunFound {
    pub(super) execution: Run,
}

/// The list of handlers.
#[derive(Deserialize)]
pub(super) struct HandlerList {
    pub(super) handlers: Vec<Handler>,
}

/// A handler.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Handler {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) description: String,
    pub(super) hash: String,
    /// Bytes.
    pub(super) size: u64,
    pub(super) modified_at: Millis,
    /// Why it does not load.
    pub(super) error: Option<String>,
    /// Whether a check goes on.
    #[serde(default)]
    pub(super) checking: bool,
}

/// The ends of runs over time.
#[derive(Deserialize)]
pub(super) struct Activity {
    pub(super) buckets: Vec<Ended>,
}

/// The runs that ended within a bucket.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    pub(super) time: Millis,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    pub(super) skipped: u64,
    #[serde(rename = "latenessP95")]
    pub(super) lateness_p95: Option<Millis>,
}

/// The number of planned runs over time.
#[derive(Deserialize)]
pub(super) struct Forecast {
    pub(super) buckets: Vec<Starts>,
    pub(super) exact: bool,
}

/// The planned runs of a bucket.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Starts {
    pub(super) time: Millis,
    pub(super) starts: u64,
}

/// Planned runs in the order of time.
#[derive(Default, Deserialize)]
pub(super) struct Upcoming {
    pub(super) occurrences: Vec<Planned>,
    pub(super) truncated: bool,
}

/// A planned run.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Planned {
    pub(super) time: Millis,
    pub(super) task_id: String,
    pub(super) task_name: String,
    pub(super) handler: String,
}

/// The present of the server.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    /// Tasks by status.
    pub(super) tasks: BTreeMap<String, u64>,
    pub(super) running: Vec<InProgress>,
    pub(super) running_total: usize,
    pub(super) waiting: usize,
    pub(super) failures: Vec<Failure>,
    pub(super) next: Vec<Planned>,
    pub(super) today: Today,
    pub(super) lateness: Lateness,
    pub(super) ready: Ready,
}

/// A run in progress.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InProgress {
    pub(super) id: String,
    pub(super) task_id: String,
    pub(super) task_name: String,
    pub(super) handler: String,
    pub(super) start_time: Option<Millis>,
    pub(super) usual: Option<Millis>,
    pub(super) progress: Option<Progress>,
}

impl InProgress {
    /// The moment of its start; `now` until its handler has started.
    pub(super) fn began(&self, now: &Millis) -> Millis {
        self.start_time.unwrap_or(*now)
    }
}

/// A run that has failed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Failure {
    pub(super) id: String,
    pub(super) task_id: String,
    pub(super) task_name: String,
    pub(super) error: Option<String>,
    pub(super) scheduled_for: Millis,
    pub(super) start_time: Option<Millis>,
}

impl Failure {
    /// The moment of its start, or its planned time.
    pub(super) fn began(&self) -> Millis {
        self.start_time.unwrap_or(self.scheduled_for)
    }
}

/// The runs that have ended today.
#[derive(Deserialize)]
pub(super) struct Today {
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
}

/// The lateness of starts.
#[derive(Deserialize)]
pub(super) struct Lateness {
    pub(super) p95: Option<Millis>,
}

/// The state of the server, as `/ready` tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ready {
    pub(super) ready: bool,
    pub(super) runners: Runners,
    pub(super) cage: String,
    pub(super) store: ReadyStore,
    #[serde(default)]
    pub(super) secrets: Option<String>,
    #[serde(default)]
    pub(super) task_file: ReadyFile,
}

/// The processes of handlers.
#[derive(Deserialize)]
pub(super) struct Runners {
    pub(super) alive: usize,
    pub(super) idle: usize,
}

/// The store.
#[derive(Deserialize)]
pub(super) struct ReadyStore {
    pub(super) backup: Backup,
}

/// The last backup.
#[derive(Deserialize)]
pub(super) struct Backup {
    pub(super) time: Option<Millis>,
    pub(super) error: Option<String>,
}

/// The file of tasks.
#[derive(Default, Deserialize)]
pub(super) struct ReadyFile {
    #[serde(default)]
    pub(super) problems: Vec<String>,
}

/// Past and planned runs, a lane for each task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timeline {
    pub(super) lanes: Vec<Lane>,
    pub(super) load: Vec<Load>,
    pub(super) capacity: usize,
    pub(super) next_cursor: Option<String>,
    pub(super) complete: bool,
}

/// The runs of one task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lane {
    pub(super) task_id: String,
    pub(super) task_name: String,
    pub(super) handler: String,
    pub(super) runs: Vec<LaneRun>,
    pub(super) more: bool,
    pub(super) planned: Vec<Millis>,
    pub(super) planned_more: bool,
}

/// A run in a lane.
#[derive(Deserialize)]
pub(super) struct LaneRun {
    pub(super) id: String,
    pub(super) start: Millis,
    /// None while it runs.
    pub(super) end: Option<Millis>,
    pub(super) status: ExecutionStatus,
}

/// The runs of a stretch of time; `running` is none for those that are planned.
#[derive(Deserialize)]
pub(super) struct Load {
    pub(super) time: Millis,
    pub(super) started: u64,
    pub(super) running: Option<f64>,
}

/// The answer about one handler.
#[derive(Deserialize)]
pub(super) struct HandlerFound {
    #[serde(flatten)]
    pub(super) handler: Handler,
    /// None for those who may not read it.
    pub(super) source: Option<String>,
    pub(super) tasks: Vec<Task>,
    /// Newest first.
    pub(super) versions: Vec<Version>,
}

/// A version of a handler's source that has run.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) hash: String,
    pub(super) first_seen: Millis,
    pub(super) last_seen: Millis,
    pub(super) runs: u64,
}

/// A source that has run.
#[derive(Deserialize)]
pub(super) struct Source {
    pub(super) handler: String,
}

/// The changes between two sources.
#[derive(Deserialize)]
pub(super) struct Difference {
    pub(super) hunks: Vec<Hunk>,
}

/// Changed lines with those around them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hunk {
    pub(super) old_start: usize,
    pub(super) new_start: usize,
    pub(super) lines: Vec<DifferenceLine>,
}

/// A line: `=`, `+` or `-`.
#[derive(Deserialize)]
pub(super) struct DifferenceLine {
    pub(super) op: char,
    pub(super) text: String,
}

/// The list of tokens.
#[derive(Deserialize)]
pub(super) struct TokenList {
    pub(super) tokens: Vec<Token>,
}

/// A token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) handlers: Option<Vec<String>>,
    pub(super) created_at: Millis,
    pub(super) created_by: String,
    pub(super) expires_at: Option<Millis>,
    pub(super) last_used_at: Option<Millis>,
    pub(super) last_address: Option<String>,
}

/// The list of secrets, or of variables.
#[derive(Deserialize)]
pub(super) struct BindingList {
    #[serde(default)]
    pub(super) secrets: Vec<Binding>,
    #[serde(default)]
    pub(super) variables: Vec<Binding>,
}

/// A secret or a variable.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Binding {
    pub(super) name: String,
    /// Of a variable only.
    pub(super) value: Option<String>,
    pub(super) handlers: Vec<String>,
    pub(super) env: bool,
    pub(super) updated_at: Millis,
}
