//! Text: the JSON of an event. The names and their order are a contract.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::{
    Millis,
    execution::{ExecutionStatus, Progress, Reason, Trigger},
    facts::TaskStatus,
    ids::{ExecutionId, TaskId},
    step::{Event, News, Row, TaskState},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    time: Millis,
    #[serde(flatten)]
    subject: Option<SubjectDocument<'a>>,
    #[serde(flatten)]
    row: Option<RowDocument<'a>>,
    #[serde(flatten)]
    progress: Option<ProgressDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a Map<String, Value>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubjectDocument<'a> {
    task_id: TaskId,
    task_name: &'a str,
    handler: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowDocument<'a> {
    execution_id: ExecutionId,
    status: ExecutionStatus,
    reason: Option<Reason>,
    trigger: Trigger,
    scheduled_for: Millis,
    attempt: u32,
    start_time: Option<Millis>,
    duration: Option<Millis>,
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped_count: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProgressDocument<'a> {
    execution_id: ExecutionId,
    progress: &'a Progress,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskDocument {
    status: TaskStatus,
    next_run: Option<Millis>,
    streak: u32,
}

/// The JSON of an event.
pub(super) fn of(event: &Event) -> String {
    let mut document = Document {
        kind: event.news.name(),
        time: event.time,
        subject: event.subject.as_ref().map(|subject| SubjectDocument {
            task_id: subject.task,
            task_name: &subject.name,
            handler: &subject.handler,
        }),
        row: None,
        progress: None,
        task: None,
        detail: None,
    };
    match &event.news {
        News::TaskCreated(task) | News::TaskUpdated(task) => document.task = Some((*task).into()),
        News::Started(row, task) | News::Ended(row, task) | News::Skipped(row, task) => {
            document.row = Some((&**row).into());
            document.task = Some((*task).into());
        }
        News::Progress(execution_id, progress) => {
            document.progress = Some(ProgressDocument { execution_id: *execution_id, progress });
        }
        News::Alert(detail) | News::Config(detail) => document.detail = Some(detail),
        News::TaskDeleted | News::HandlersChanged => {}
    }
    // Names, numbers and JSON values: nothing that has no JSON form.
    serde_json::to_string(&document).unwrap_or_default()
}

impl<'a> From<&'a Row> for RowDocument<'a> {
    fn from(row: &'a Row) -> Self {
        Self {
            execution_id: row.execution,
            status: row.status,
            reason: row.reason,
            trigger: row.trigger,
            scheduled_for: row.scheduled_for,
            attempt: row.attempt,
            start_time: row.start_time,
            duration: row.duration,
            error: row.error.as_deref(),
            skipped_count: (row.skipped > 0).then_some(row.skipped),
        }
    }
}

impl From<TaskState> for TaskDocument {
    fn from(task: TaskState) -> Self {
        Self { status: task.status, next_run: task.next_run, streak: task.streak }
    }
}
