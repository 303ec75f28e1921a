//! One execution by its id alone: what it was, its output, and actions on it.

use std::fmt::Write;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        documents::{ExecutionDocument, Meta},
        error::ApiError,
        input::{Fields, NoBody, NoQuery, OptionalBody, RunPath},
        request::RequestInfo,
        routes::{actions::say_begun, find_execution, show_execution},
        state::Shared,
    },
    domain::{
        Millis,
        draft::read_run,
        execution::{Execution, ExecutionStatus, Level, Line},
        ids::{ExecutionId, TaskId},
    },
    store::{Direction, HistoryPlace, HistoryQuery},
};

/// Attempts of an occurrence that are shown: more than a task may have.
const ATTEMPTS: usize = 20;
/// An attempt is made this many milliseconds before its planned time at most: the run of a user is planned
/// for the next free millisecond.
const EARLY: Millis = 60_000;

/// An execution, the other attempts of its occurrence, and its neighbours.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Found {
    execution: ExecutionDocument,
    /// The attempts of its occurrence, this one among them, oldest first.
    occurrence: Vec<Attempt>,
    /// The execution of the task before it, and the one after it.
    previous: Option<ExecutionId>,
    next: Option<ExecutionId>,
    meta: Meta,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AttemptOfOccurrence)]
struct Attempt {
    id: ExecutionId,
    attempt: u32,
    status: ExecutionStatus,
    start_time: Option<Millis>,
    duration: Option<Millis>,
}

impl From<Execution> for Attempt {
    fn from(row: Execution) -> Self {
        let Execution { id, attempt, status, start_time, duration, .. } = row;
        Self { id, attempt, status, start_time, duration }
    }
}

pub(in crate::api) async fn read(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    RunPath(id): RunPath,
    _: NoQuery,
) -> Result<Json<Found>, ApiError> {
    let row = find_execution(&api, &caller, id).await?;
    let of_task = HistoryQuery { task: Some(row.task_id), ..HistoryQuery::default() };
    let beside = |direction| HistoryQuery {
        direction,
        after: Some(HistoryPlace::of(&row)),
        limit: 1,
        ..of_task.clone()
    };
    let attempts = HistoryQuery {
        scheduled_for: Some(row.scheduled_for),
        from: row.scheduled_for.min(row.created_at).saturating_sub(EARLY),
        direction: Direction::Ascending,
        limit: ATTEMPTS,
        ..of_task.clone()
    };
    let occurrence = api.store.history(attempts).await?.rows.into_iter().map(Attempt::from).collect();
    let previous = api.store.history(beside(Direction::Descending)).await?.rows.pop().map(|row| row.id);
    let next = api.store.history(beside(Direction::Ascending)).await?.rows.pop().map(|row| row.id);
    let execution = show_execution(&api, row).await?;
    Ok(Json(Found { execution, occurrence, previous, next, meta: info.meta() }))
}

/// The forms of an output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Text,
    Lines,
}

/// A part of an output.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Part {
    lines: Vec<NumberedLine>,
    /// The `after` of the next part, if there is one.
    next: Option<usize>,
    /// Whether lines were dropped while it ran.
    truncated: bool,
    meta: Meta,
}

#[derive(Serialize, ToSchema)]
struct NumberedLine {
    /// Counts the lines from 0.
    n: usize,
    #[serde(flatten)]
    line: Line,
}

pub(in crate::api) async fn output(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    RunPath(id): RunPath,
    mut fields: Fields,
) -> Result<Response, ApiError> {
    let after: Option<usize> = fields.optional_number("after", 0, 1_000_000_000);
    let limit = fields.number("limit", 1, 10_000, 1000);
    let levels = [Level::Debug, Level::Log, Level::Info, Level::Warn, Level::Error];
    let least = fields.choice("level", &levels.map(|level| (level.name(), level))).unwrap_or(Level::Debug);
    let form = fields
        .choice("format", &[("json", Form::Json), ("text", Form::Text), ("ndjson", Form::Lines)])
        .unwrap_or(Form::Json);
    fields.finish()?;
    let row = find_execution(&api, &caller, id).await?;
    let output = api.store.outputs(vec![id], None).await?.pop().unwrap_or_default();
    let first = after.map_or(0, |after| after + 1);
    let mut lines = output
        .into_iter()
        .enumerate()
        .skip(first)
        .filter(|(_, line)| line.level >= least)
        .map(|(n, line)| NumberedLine { n, line });
    match form {
        Form::Json => {
            let part: Vec<_> = lines.by_ref().take(limit).collect();
            let next = part.last().map(|line| line.n).filter(|_| lines.next().is_some());
            let part = Part { lines: part, next, truncated: row.output_truncated, meta: info.meta() };
            Ok(Json(part).into_response())
        }
        Form::Text => Ok(download(
            id,
            "txt",
            "text/plain; charset=utf-8",
            &lines.map(|line| write_text(&line)).collect::<String>(),
        )),
        Form::Lines => {
            let lines: Result<Vec<_>, _> = lines.map(|line| serde_json::to_string(&line)).collect();
            let mut text = lines.map_err(|error| ApiError::internal(error.to_string()))?.join("\n");
            text.extend((!text.is_empty()).then_some('\n'));
            Ok(download(id, "ndjson", "application/x-ndjson", &text))
        }
    }
}

/// A line as a person reads it: time, level, text.
fn write_text(NumberedLine { line, .. }: &NumberedLine) -> String {
    let time = DateTime::from_timestamp_millis(line.time).unwrap_or_default();
    let mut text = time.to_rfc3339_opts(SecondsFormat::Millis, true);
    // Writing to a text does not fail.
    let _ = writeln!(text, " {:5} {}", line.level.name(), line.message);
    text
}

fn download(id: ExecutionId, ending: &str, kind: &'static str, text: &str) -> Response {
    let mut response = text.to_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{id}.{ending}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

/// The answer to a rerun.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Rerun {
    success: bool,
    task_id: TaskId,
    task_name: String,
    execution_id: ExecutionId,
    rerun_of: ExecutionId,
    meta: Meta,
}

pub(in crate::api) async fn rerun(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    RunPath(id): RunPath,
    _: NoQuery,
    OptionalBody(body): OptionalBody,
) -> Result<Json<Rerun>, ApiError> {
    let given = read_run(&body).map_err(ApiError::invalid)?;
    let row = find_execution(&api, &caller, id).await?;
    let params = match given {
        Some(params) => Some(params),
        None => earlier_params(&api, &row).await?,
    };
    let (task, execution_id) = api.scheduler.rerun(row.task_id, id, params, &caller.actor).await?;
    let meta = info.meta_saying(say_begun(&task, execution_id));
    let task_name = task.definition.name;
    Ok(Json(Rerun { success: true, task_id: task.id, task_name, execution_id, rerun_of: id, meta }))
}

/// The parameters that an execution had; `None` for a skip, which is made up for with those of the task.
async fn earlier_params(api: &Shared, row: &Execution) -> Result<Option<Map<String, Value>>, ApiError> {
    if row.status == ExecutionStatus::Skipped {
        return Ok(None);
    }
    let kept = match &row.params_hash {
        Some(hash) => api.store.params(row.task_id, hash.clone()).await?,
        None => row.params.clone(),
    };
    let gone =
        || ApiError::conflict("The parameters of the execution are no longer kept: send them as \"params\"");
    kept.map(Some).ok_or_else(gone)
}

/// The answer to a cancel.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Cancelled {
    success: bool,
    cancelled: [ExecutionId; 1],
    meta: Meta,
}

pub(in crate::api) async fn cancel(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    RunPath(id): RunPath,
    _: NoQuery,
    _: NoBody,
) -> Result<Json<Cancelled>, ApiError> {
    let row = find_execution(&api, &caller, id).await?;
    let task = api.scheduler.cancel_one(row.task_id, id, &caller.actor).await?;
    let meta = info.meta_saying(format!("Task \"{}\" cancelled successfully", task.definition.name));
    Ok(Json(Cancelled { success: true, cancelled: [id], meta }))
}
