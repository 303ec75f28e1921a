//! Documents about the server: handlers, figures, what will run, tokens, secrets.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::{
    Millis,
    access::Role,
    execution::{ExecutionStatus, Progress},
};

/// The list of handlers.
#[derive(Deserialize)]
pub(in crate::dashboard) struct HandlerList {
    pub(in crate::dashboard) handlers: Vec<Handler>,
}

/// A handler.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Handler {
    pub(in crate::dashboard) name: String,
    pub(in crate::dashboard) file: String,
    pub(in crate::dashboard) description: String,
    pub(in crate::dashboard) hash: String,
    /// Bytes.
    pub(in crate::dashboard) size: u64,
    pub(in crate::dashboard) modified_at: Millis,
    /// Why it does not load.
    pub(in crate::dashboard) error: Option<String>,
    /// Whether a check goes on.
    #[serde(default)]
    pub(in crate::dashboard) checking: bool,
}

/// The ends of runs over time.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Activity {
    pub(in crate::dashboard) buckets: Vec<Ended>,
}

/// The runs that ended within a bucket.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Ended {
    pub(in crate::dashboard) time: Millis,
    pub(in crate::dashboard) completed: u64,
    pub(in crate::dashboard) failed: u64,
    pub(in crate::dashboard) cancelled: u64,
    pub(in crate::dashboard) skipped: u64,
    #[serde(rename = "latenessP95")]
    pub(in crate::dashboard) lateness_p95: Option<Millis>,
}

/// The number of planned runs over time.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Forecast {
    pub(in crate::dashboard) buckets: Vec<Starts>,
    pub(in crate::dashboard) exact: bool,
}

/// The planned runs of a bucket.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(in crate::dashboard) struct Starts {
    pub(in crate::dashboard) time: Millis,
    pub(in crate::dashboard) starts: u64,
}

/// Planned runs in the order of time.
#[derive(Default, Deserialize)]
pub(in crate::dashboard) struct Upcoming {
    pub(in crate::dashboard) occurrences: Vec<Planned>,
    pub(in crate::dashboard) truncated: bool,
}

/// A planned run.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Planned {
    pub(in crate::dashboard) time: Millis,
    pub(in crate::dashboard) task_id: String,
    pub(in crate::dashboard) task_name: String,
    pub(in crate::dashboard) handler: String,
}

/// The present of the server.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Overview {
    /// Tasks by status.
    pub(in crate::dashboard) tasks: BTreeMap<String, u64>,
    pub(in crate::dashboard) running: Vec<InProgress>,
    pub(in crate::dashboard) running_total: usize,
    pub(in crate::dashboard) waiting: usize,
    pub(in crate::dashboard) failures: Vec<Failure>,
    pub(in crate::dashboard) next: Vec<Planned>,
    pub(in crate::dashboard) today: Today,
    pub(in crate::dashboard) lateness: Lateness,
    pub(in crate::dashboard) alerts: AlertFigures,
    pub(in crate::dashboard) ready: Ready,
}

/// The alerts of the present.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct AlertFigures {
    /// Tasks that have a message whose occasion lasts.
    pub(in crate::dashboard) firing: usize,
    /// Messages that wait for their delivery.
    pub(in crate::dashboard) undelivered: u64,
    /// The channels whose last attempt has failed.
    pub(in crate::dashboard) troubled: Vec<String>,
    pub(in crate::dashboard) muted_until: Option<Millis>,
}

/// A run in progress.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct InProgress {
    pub(in crate::dashboard) id: String,
    pub(in crate::dashboard) task_name: String,
    pub(in crate::dashboard) handler: String,
    pub(in crate::dashboard) start_time: Option<Millis>,
    pub(in crate::dashboard) usual: Option<Millis>,
    pub(in crate::dashboard) progress: Option<Progress>,
}

impl InProgress {
    /// The moment of its start; `now` until its handler has started.
    pub(in crate::dashboard) fn began(&self, now: &Millis) -> Millis {
        self.start_time.unwrap_or(*now)
    }
}

/// A run that has failed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Failure {
    pub(in crate::dashboard) id: String,
    pub(in crate::dashboard) task_name: String,
    pub(in crate::dashboard) error: Option<String>,
    pub(in crate::dashboard) scheduled_for: Millis,
    pub(in crate::dashboard) start_time: Option<Millis>,
}

impl Failure {
    /// The moment of its start, or its planned time.
    pub(in crate::dashboard) fn began(&self) -> Millis {
        self.start_time.unwrap_or(self.scheduled_for)
    }
}

/// The runs that have ended today.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Today {
    pub(in crate::dashboard) completed: u64,
    pub(in crate::dashboard) failed: u64,
    pub(in crate::dashboard) cancelled: u64,
}

/// The lateness of starts.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Lateness {
    pub(in crate::dashboard) p95: Option<Millis>,
}

/// The state of the server, as `/ready` tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Ready {
    pub(in crate::dashboard) ready: bool,
    pub(in crate::dashboard) runners: Runners,
    pub(in crate::dashboard) cage: String,
    pub(in crate::dashboard) store: ReadyStore,
    #[serde(default)]
    pub(in crate::dashboard) secrets: Option<String>,
    #[serde(default)]
    pub(in crate::dashboard) task_file: ReadyFile,
}

/// The processes of handlers.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Runners {
    pub(in crate::dashboard) alive: usize,
    pub(in crate::dashboard) idle: usize,
}

/// The store.
#[derive(Deserialize)]
pub(in crate::dashboard) struct ReadyStore {
    pub(in crate::dashboard) backup: Backup,
}

/// The last backup.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Backup {
    pub(in crate::dashboard) time: Option<Millis>,
    pub(in crate::dashboard) error: Option<String>,
}

/// The file of tasks.
#[derive(Default, Deserialize)]
pub(in crate::dashboard) struct ReadyFile {
    #[serde(default)]
    pub(in crate::dashboard) problems: Vec<String>,
}

/// Past and planned runs, a lane for each task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Timeline {
    pub(in crate::dashboard) lanes: Vec<Lane>,
    pub(in crate::dashboard) load: Vec<Load>,
    pub(in crate::dashboard) capacity: usize,
    pub(in crate::dashboard) next_cursor: Option<String>,
    pub(in crate::dashboard) complete: bool,
}

/// The runs of one task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Lane {
    pub(in crate::dashboard) task_id: String,
    pub(in crate::dashboard) task_name: String,
    pub(in crate::dashboard) handler: String,
    pub(in crate::dashboard) runs: Vec<LaneRun>,
    pub(in crate::dashboard) more: bool,
    pub(in crate::dashboard) planned: Vec<Millis>,
    pub(in crate::dashboard) planned_more: bool,
}

/// A run in a lane.
#[derive(Deserialize)]
pub(in crate::dashboard) struct LaneRun {
    pub(in crate::dashboard) id: String,
    pub(in crate::dashboard) start: Millis,
    /// None while it runs.
    pub(in crate::dashboard) end: Option<Millis>,
    pub(in crate::dashboard) status: ExecutionStatus,
}

/// The runs of a stretch of time; `running` is none for those that are planned.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Load {
    pub(in crate::dashboard) time: Millis,
    pub(in crate::dashboard) started: u64,
    pub(in crate::dashboard) running: Option<f64>,
}

/// A version of a handler's source that has run.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Version {
    pub(in crate::dashboard) hash: String,
    pub(in crate::dashboard) first_seen: Millis,
    pub(in crate::dashboard) last_seen: Millis,
    pub(in crate::dashboard) runs: u64,
}

/// A source that has run.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Source {
    pub(in crate::dashboard) handler: String,
    pub(in crate::dashboard) source: String,
}

/// The changes between two sources.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Difference {
    pub(in crate::dashboard) hunks: Vec<Hunk>,
}

/// Changed lines with those around them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Hunk {
    pub(in crate::dashboard) old_start: usize,
    pub(in crate::dashboard) new_start: usize,
    pub(in crate::dashboard) lines: Vec<DifferenceLine>,
}

/// A line: `=`, `+` or `-`.
#[derive(Deserialize)]
pub(in crate::dashboard) struct DifferenceLine {
    pub(in crate::dashboard) op: char,
    pub(in crate::dashboard) text: String,
}

/// The list of tokens.
#[derive(Deserialize)]
pub(in crate::dashboard) struct TokenList {
    pub(in crate::dashboard) tokens: Vec<Token>,
}

/// A token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Token {
    pub(in crate::dashboard) id: String,
    pub(in crate::dashboard) name: String,
    pub(in crate::dashboard) role: Role,
    pub(in crate::dashboard) handlers: Option<Vec<String>>,
    pub(in crate::dashboard) created_at: Millis,
    pub(in crate::dashboard) created_by: String,
    pub(in crate::dashboard) expires_at: Option<Millis>,
    pub(in crate::dashboard) last_used_at: Option<Millis>,
    pub(in crate::dashboard) last_address: Option<String>,
}

/// The list of secrets, or of variables.
#[derive(Deserialize)]
pub(in crate::dashboard) struct BindingList {
    #[serde(default)]
    pub(in crate::dashboard) secrets: Vec<Binding>,
    #[serde(default)]
    pub(in crate::dashboard) variables: Vec<Binding>,
}

/// A secret or a variable.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Binding {
    pub(in crate::dashboard) name: String,
    /// Of a variable only.
    pub(in crate::dashboard) value: Option<String>,
    pub(in crate::dashboard) handlers: Vec<String>,
    pub(in crate::dashboard) env: bool,
    pub(in crate::dashboard) updated_at: Millis,
}

/// The results of a search.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Found {
    pub(in crate::dashboard) tasks: Vec<TaskHit>,
    pub(in crate::dashboard) handlers: Vec<HandlerHit>,
    pub(in crate::dashboard) executions: Vec<RunHit>,
    /// Whether all names were looked at.
    pub(in crate::dashboard) complete: bool,
}

/// A task that is found.
#[derive(Deserialize)]
pub(in crate::dashboard) struct TaskHit {
    pub(in crate::dashboard) id: String,
    pub(in crate::dashboard) name: String,
    pub(in crate::dashboard) handler: String,
}

/// The name of a handler that is found.
pub(in crate::dashboard) type HandlerHit = String;

/// A run that is found.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct RunHit {
    pub(in crate::dashboard) id: String,
    pub(in crate::dashboard) task_name: String,
    pub(in crate::dashboard) status: ExecutionStatus,
}
