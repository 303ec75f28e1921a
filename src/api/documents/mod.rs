//! Documents: the JSON of tasks and executions. The names and their order are a contract.
//!
//! A document is made of data that a route has read; nothing here reads a store.

mod fields;
pub(super) mod read_only;

use serde::{Serialize, Serializer, ser};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use self::fields::TaskFields;
use crate::{
    domain::{
        Millis,
        alerts::PausedBy,
        definition::Definition,
        draft::fields::FIELDS,
        execution::{Execution, ExecutionStatus, Line, Progress, Reason, Trigger},
        facts::{Backfill, LastExecution, Task, TaskStatus, Waiting},
        ids::{ExecutionId, NodeId, TaskId},
        recent::{Ended, Stats},
        schedule::ScheduleType,
    },
    store::TaskView,
};

/// The number of newest executions inside a task's document.
pub(super) const NEWEST: usize = 10;

/// The answer to a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deleted {
    success: bool,
    meta: Meta,
}

impl Deleted {
    /// A deletion that has happened.
    pub(super) fn with(meta: Meta) -> Self {
        Self { success: true, meta }
    }
}

/// The number of waiting runs inside a task's document.
const WAITING: usize = 10;

/// A run that waits, as a task's document shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WaitingRun {
    /// The id that its execution will have.
    execution_id: ExecutionId,
    trigger: Trigger,
    scheduled_for: Millis,
    /// Epoch milliseconds at which the wait began.
    since: Millis,
}

impl WaitingRun {
    fn of(waiting: &Waiting) -> Self {
        let Waiting { execution, trigger, since, occurrence, .. } = waiting;
        Self {
            execution_id: *execution,
            trigger: *trigger,
            scheduled_for: occurrence.scheduled_for,
            since: *since,
        }
    }
}

/// The part of every answer that is about the request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Seconds that the server spent on the request.
    pub(super) exec_time: f64,
}

/// A task as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Task)]
pub(super) struct TaskDocument {
    #[serde(rename = "_key")]
    key: TaskId,
    #[serde(flatten, serialize_with = "serialize_fields")]
    #[schema(value_type = TaskFields)]
    definition: Definition,
    schedule_type: ScheduleType,
    next_run: Option<Millis>,
    /// Nominal milliseconds between two runs.
    period: Millis,
    retry_count: u32,
    last_retry: Option<Millis>,
    status: TaskStatus,
    /// The runs that `maxRuns` leaves; null without it.
    runs_left: Option<u64>,
    /// The backfill under way.
    backfill: Option<Backfill>,
    /// The first [`WAITING`] runs that wait for the task or for a slot of its key, in order.
    waiting: Vec<WaitingRun>,
    /// The file that has the task.
    managed_by: Option<String>,
    /// The cause of a pause that no user asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<Box<PausedBy>>,
    created_at: Millis,
    updated_at: Millis,
    last_execution: Option<LastExecution>,
    /// The newest 10, newest first, without output and steps; left out of rows of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    executions: Option<Vec<Execution>>,
    stats: Stats,
    /// The last ended occurrences, newest first.
    recent: Vec<Ended>,
}

impl TaskDocument {
    /// The document at `now`.
    pub(super) fn new(view: TaskView, now: Millis) -> Self {
        let TaskView { task, newest: mut executions } = view;
        executions.truncate(NEWEST);
        executions.iter_mut().for_each(|execution| execution.steps.clear());
        Self { executions: Some(executions), ..Self::brief(task, now) }
    }

    /// The document at `now` without executions.
    pub(super) fn brief(task: Task, now: Millis) -> Self {
        let (next_run, status) = (task.next_run(), task.status());
        let managed_by = task.managed_by().map(str::to_owned);
        let runs_left = task.runs_left();
        let plan = task.plan();
        let schedule_type = plan.schedule.schedule_type();
        let after = next_run.map_or(now, |next| next.saturating_sub(1));
        let period = plan.schedule.period(after, plan.anchor, plan.zone);
        Self {
            key: task.id,
            schedule_type,
            next_run,
            period,
            retry_count: task.facts.retry_count,
            last_retry: task.facts.last_retry,
            status,
            runs_left,
            backfill: task.facts.backfill.clone(),
            waiting: task.facts.waiting.iter().take(WAITING).map(WaitingRun::of).collect(),
            managed_by,
            paused_by: task.facts.paused_by.clone(),
            created_at: task.created_at,
            updated_at: task.updated_at,
            stats: task.stats(),
            recent: task.facts.recent.list(),
            definition: task.definition,
            last_execution: task.facts.last_execution,
            executions: None,
        }
    }
}

/// Writes the fields that a user decides about in the order of their table.
fn serialize_fields<S: Serializer>(definition: &Definition, serializer: S) -> Result<S::Ok, S::Error> {
    let stored = serde_json::to_value(definition).map_err(ser::Error::custom)?;
    serializer.collect_map(FIELDS.iter().map(|field| (field.name, field.show(&stored))))
}

/// An execution as a row of a list of all tasks: the fields that tell executions apart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecutionRow {
    id: ExecutionId,
    task_id: TaskId,
    task_name: String,
    handler: String,
    handler_hash: Option<String>,
    status: ExecutionStatus,
    reason: Option<Reason>,
    trigger: Trigger,
    scheduled_for: Millis,
    lateness: Option<Millis>,
    attempt: u32,
    start_time: Option<Millis>,
    duration: Option<Millis>,
    error: Option<String>,
    output_truncated: bool,
    params: Option<Map<String, Value>>,
    params_hash: Option<String>,
    progress: Option<Progress>,
    skipped_count: Option<u64>,
    by: Option<String>,
    rerun_of: Option<ExecutionId>,
    /// Absent with the embedded store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    node: Option<NodeId>,
    created_at: Millis,
    updated_at: Millis,
}

impl From<Execution> for ExecutionRow {
    fn from(row: Execution) -> Self {
        Self {
            id: row.id,
            task_id: row.task_id,
            task_name: row.task_name,
            handler: row.handler,
            handler_hash: row.handler_hash,
            status: row.status,
            reason: row.reason,
            trigger: row.trigger,
            scheduled_for: row.scheduled_for,
            lateness: row.lateness,
            attempt: row.attempt,
            start_time: row.start_time,
            duration: row.duration,
            error: row.error,
            output_truncated: row.output_truncated,
            params: row.params,
            params_hash: row.params_hash,
            progress: row.progress,
            skipped_count: row.skipped_count,
            by: row.by,
            rerun_of: row.rerun_of,
            node: row.node,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// An execution as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExecutionWithOutput)]
pub(super) struct ExecutionDocument {
    #[serde(flatten)]
    pub(super) execution: Execution,
    /// All of its output, or the end of it.
    pub(super) output: Vec<Line>,
}
