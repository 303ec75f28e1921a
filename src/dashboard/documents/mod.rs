//! Documents of the API, with the fields that pages read. The API's own types are in
//! `crate::api`; a page reads the JSON that everybody gets.

mod alerts;
mod audit;
mod server;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::{
    Millis,
    alerts::{PausedBy, Rule},
    definition::after::After,
    execution::{Execution, ExecutionStatus, Line},
    facts::{LastExecution, TaskStatus},
    schedule::Schedule,
};

pub(in crate::dashboard) use self::{alerts::*, audit::*, server::*};

/// A page of the list of tasks.
#[derive(Deserialize)]
pub(in crate::dashboard) struct TaskList {
    pub(in crate::dashboard) tasks: Vec<Task>,
    pub(in crate::dashboard) total: u64,
    pub(in crate::dashboard) skip: usize,
    pub(in crate::dashboard) limit: usize,
}

/// A task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct Task {
    #[serde(rename = "_key")]
    pub(in crate::dashboard) id: String,
    pub(in crate::dashboard) name: String,
    pub(in crate::dashboard) description: String,
    pub(in crate::dashboard) handler: String,
    pub(in crate::dashboard) params: Map<String, Value>,
    pub(in crate::dashboard) schedule: String,
    pub(in crate::dashboard) timezone: String,
    pub(in crate::dashboard) recurring: bool,
    pub(in crate::dashboard) max_retries: u32,
    pub(in crate::dashboard) retry_delay: Millis,
    pub(in crate::dashboard) retry_backoff: String,
    pub(in crate::dashboard) timeout: Millis,
    pub(in crate::dashboard) overlap: String,
    pub(in crate::dashboard) misfire: String,
    pub(in crate::dashboard) on_exhausted: String,
    pub(in crate::dashboard) keep_executions: u64,
    pub(in crate::dashboard) next_run: Option<Millis>,
    pub(in crate::dashboard) retry_count: u32,
    pub(in crate::dashboard) status: TaskStatus,
    pub(in crate::dashboard) managed_by: Option<String>,
    pub(in crate::dashboard) created_at: Millis,
    pub(in crate::dashboard) updated_at: Millis,
    pub(in crate::dashboard) last_execution: Option<LastExecution>,
    /// The newest ended occurrences, newest first.
    #[serde(default)]
    pub(in crate::dashboard) recent: Vec<Recent>,
    #[serde(default)]
    pub(in crate::dashboard) stats: Stats,
    #[serde(default)]
    pub(in crate::dashboard) tags: Vec<String>,
    /// The own rules of alerts; `None` for those of the settings.
    #[serde(default)]
    pub(in crate::dashboard) alerts: Option<Vec<Rule>>,
    /// The task that it runs after.
    #[serde(default)]
    pub(in crate::dashboard) after: Option<After>,
    #[serde(default)]
    pub(in crate::dashboard) concurrency_key: Option<String>,
    /// The cause of a pause that no user asked for.
    #[serde(default)]
    pub(in crate::dashboard) paused_by: Option<PausedBy>,
    /// The newest executions.
    #[serde(default)]
    pub(in crate::dashboard) executions: Vec<Execution>,
}

/// An ended occurrence, in short.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(in crate::dashboard) struct Recent {
    pub(in crate::dashboard) status: ExecutionStatus,
    pub(in crate::dashboard) duration: Option<Millis>,
}

/// Figures about the newest occurrences of a task.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::dashboard) struct Stats {
    /// The median duration.
    pub(in crate::dashboard) p50: Option<Millis>,
    pub(in crate::dashboard) p95: Option<Millis>,
    /// Consecutive failures.
    pub(in crate::dashboard) streak: u64,
    pub(in crate::dashboard) last_success: Option<Millis>,
    pub(in crate::dashboard) last_failure: Option<Millis>,
}

impl Task {
    /// The schedule in words.
    pub(in crate::dashboard) fn in_words(&self) -> String {
        Schedule::parse(&self.schedule).map_or_else(|_| self.schedule.clone(), |schedule| schedule.describe())
    }

    /// The newest ended occurrences, from the executions where the document has no others.
    pub(in crate::dashboard) fn newest(&self) -> Vec<Recent> {
        if !self.recent.is_empty() {
            return self.recent.clone();
        }
        let ended = self.executions.iter().filter(|run| run.status != ExecutionStatus::Running);
        ended.map(|run| Recent { status: run.status, duration: run.duration }).collect()
    }

    /// Whether a run is in progress.
    pub(in crate::dashboard) fn is_running(&self) -> bool {
        self.status == TaskStatus::Running
    }

    /// Whether runs by schedule are paused.
    pub(in crate::dashboard) fn is_paused(&self) -> bool {
        self.status == TaskStatus::Paused
    }

    /// Whether the last occurrence has failed.
    pub(in crate::dashboard) fn is_failed(&self) -> bool {
        self.status == TaskStatus::Failed
    }

    /// Whether the newest run has failed, whatever the task's status is.
    pub(in crate::dashboard) fn failed_last(&self) -> bool {
        self.last_execution.as_ref().is_some_and(|last| last.status == ExecutionStatus::Failed)
    }

    /// The action that ends or begins a pause.
    pub(in crate::dashboard) fn toggle(&self) -> &'static str {
        if self.is_paused() { "resume" } else { "pause" }
    }

    /// The parameters, as people write them.
    pub(in crate::dashboard) fn shown_params(&self) -> String {
        shown_json(&Value::Object(self.params.clone()))
    }
}

/// JSON on several lines.
pub(in crate::dashboard) fn shown_json(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The answer about one task.
#[derive(Deserialize)]
pub(in crate::dashboard) struct TaskFound {
    pub(in crate::dashboard) task: Task,
}

/// A page of a task's history.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct History {
    pub(in crate::dashboard) executions: Vec<Run>,
    pub(in crate::dashboard) total_executions: u64,
    pub(in crate::dashboard) skip: usize,
    pub(in crate::dashboard) limit: usize,
}

/// An execution with the end of its output, or all of it.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Run {
    #[serde(flatten)]
    pub(in crate::dashboard) execution: Execution,
    #[serde(default)]
    pub(in crate::dashboard) output: Vec<Line>,
    /// The name of the token that has started it by hand.
    #[serde(default)]
    pub(in crate::dashboard) by: Option<String>,
    /// The parameters that it was given; `None` if they are not kept.
    #[serde(default)]
    pub(in crate::dashboard) params: Option<Value>,
}

/// A page of the runs of all tasks.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dashboard) struct RunList {
    pub(in crate::dashboard) executions: Vec<Run>,
    pub(in crate::dashboard) next_cursor: Option<String>,
    /// Whether the page ends with its last run, and not because the search has looked far enough.
    pub(in crate::dashboard) complete: bool,
}

impl Run {
    /// Whether it has not ended.
    pub(in crate::dashboard) fn is_running(&self) -> bool {
        self.execution.status == ExecutionStatus::Running
    }

    /// The moment of its start, or of its claim.
    pub(in crate::dashboard) fn began(&self) -> Millis {
        self.execution.start_time.unwrap_or(self.execution.created_at)
    }
}

/// The answer about one execution.
#[derive(Deserialize)]
pub(in crate::dashboard) struct RunFound {
    pub(in crate::dashboard) execution: Run,
    /// The attempts of its occurrence, oldest first.
    pub(in crate::dashboard) occurrence: Vec<Attempt>,
    /// The execution of the task before it.
    pub(in crate::dashboard) previous: Option<String>,
    /// The execution of the task after it.
    pub(in crate::dashboard) next: Option<String>,
}

/// An attempt of an occurrence, in short.
#[derive(Deserialize)]
pub(in crate::dashboard) struct Attempt {
    pub(in crate::dashboard) id: String,
    pub(in crate::dashboard) attempt: u32,
    pub(in crate::dashboard) status: ExecutionStatus,
    pub(in crate::dashboard) duration: Option<Millis>,
}

/// The answer about one handler.
#[derive(Deserialize)]
pub(in crate::dashboard) struct HandlerFound {
    #[serde(flatten)]
    pub(in crate::dashboard) handler: Handler,
    /// None for those who may not read it.
    pub(in crate::dashboard) source: Option<String>,
    pub(in crate::dashboard) tasks: Vec<Task>,
    /// Newest first.
    pub(in crate::dashboard) versions: Vec<Version>,
}
