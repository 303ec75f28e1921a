//! Documents of the API, with the fields that pages read. The API's own types are in
//! `crate::api`; a page reads the JSON that everybody gets.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::{
    Millis,
    execution::{Execution, ExecutionStatus, Line},
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
    pub(super) description: String,
    pub(super) error: Option<String>,
}
