//! Actions on a task: run, pause, resume, reset-retries, cancel.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Serialize;
use tokio::time::sleep;
use utoipa::ToSchema;

use super::{show_changed, show_execution};
use crate::{
    api::{
        auth::Caller,
        documents::{ExecutionDocument, Meta, TaskDocument},
        error::ApiError,
        input::{Body, Fields, NoBody, NoQuery, OptionalBody, TaskPath},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        draft::{read_backfill, read_run},
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    scheduler::ControlError,
};

/// Between two attempts to read what a client waits for.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The answer to a run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Started {
    success: bool,
    task_id: TaskId,
    task_name: String,
    execution_id: ExecutionId,
    /// With `?wait=true`: the execution at its end, or null if it has been removed by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ExecutionDocument>)]
    execution: Option<Option<ExecutionDocument>>,
    meta: Meta,
}

/// The answer to an action that changes a task.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Acted {
    success: bool,
    task: TaskDocument,
    meta: Meta,
}

/// The answer to a cancel.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Cancelled {
    success: bool,
    cancelled: Vec<ExecutionId>,
    meta: Meta,
}

pub(in crate::api) async fn run(
    State(api): State<Shared>,
    info: RequestInfo,
    Caller { actor, .. }: Caller,
    TaskPath(id): TaskPath,
    mut fields: Fields,
    OptionalBody(body): OptionalBody,
) -> Result<Json<Started>, ApiError> {
    let wait = fields.choice("wait", &[("true", true), ("false", false)]).unwrap_or(false);
    fields.finish()?;
    let params = read_run(&body).map_err(ApiError::invalid)?;
    // Listen before the run is asked for, so that its end cannot be missed.
    let events = api.events.listen();
    let (task, execution_id) = api.scheduler.run_by_hand(id, params, &actor).await?;
    let mut execution = None;
    if wait {
        api.scheduler.wait_for_end(events, id, execution_id).await;
        execution = Some(read_ended(&api, id, execution_id).await?);
    }
    let meta = info.meta_saying(say_begun(&task, execution_id));
    let task_name = task.definition.name;
    Ok(Json(Started { success: true, task_id: task.id, task_name, execution_id, execution, meta }))
}

/// Reads an execution that has ended, if it is still there. Waits for a store that does not answer: an error
/// would deny that the run was made.
async fn read_ended(
    api: &Shared,
    task: TaskId,
    execution: ExecutionId,
) -> Result<Option<ExecutionDocument>, ApiError> {
    loop {
        let read = async {
            match api.store.execution(task, execution).await? {
                Some(row) => show_execution(api, row).await.map(Some),
                None => Ok(None),
            }
        };
        match read.await {
            Err(error) if error.passes() => sleep(AGAIN_AFTER).await,
            read => return read,
        }
    }
}

/// The message about a run that was asked for: it has started, or waits.
pub(super) fn say_begun(task: &Task, execution: ExecutionId) -> String {
    let name = &task.definition.name;
    match task.wait_of(execution) {
        None => format!("Task \"{name}\" execution started"),
        Some(wait) => format!("Task \"{name}\" execution {wait}"),
    }
}

/// The answer to a backfill.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Backfilled {
    success: bool,
    task: TaskDocument,
    /// Planned times that run.
    planned: u64,
    /// Whether the span has more, which do not run.
    truncated: bool,
    meta: Meta,
}

pub(in crate::api) async fn backfill(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    TaskPath(id): TaskPath,
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<Backfilled>, ApiError> {
    caller.ensure_covers(&api, id).await?;
    let (span, most) = read_backfill(&body).map_err(ApiError::invalid)?;
    let task = api.scheduler.backfill(id, span, most, &caller.actor).await?;
    let (planned, truncated) =
        task.facts.backfill.as_ref().map_or((0, false), |begun| (begun.total, begun.left_out > 0));
    let meta = info.meta_saying(format!("Task \"{}\" backfill started", task.definition.name));
    let task = show_changed(&api, task).await?;
    Ok(Json(Backfilled { success: true, task, planned, truncated, meta }))
}

pub(in crate::api) async fn pause(
    State(api): State<Shared>,
    info: RequestInfo,
    Caller { actor, .. }: Caller,
    TaskPath(id): TaskPath,
    _: NoQuery,
    _: NoBody,
) -> Result<Json<Acted>, ApiError> {
    let change = api.scheduler.pause(id, &actor);
    act(&api, &info, change, |name| format!("Task \"{name}\" paused successfully")).await
}

pub(in crate::api) async fn resume(
    State(api): State<Shared>,
    info: RequestInfo,
    Caller { actor, .. }: Caller,
    TaskPath(id): TaskPath,
    _: NoQuery,
    _: NoBody,
) -> Result<Json<Acted>, ApiError> {
    let change = api.scheduler.resume(id, &actor);
    act(&api, &info, change, |name| format!("Task \"{name}\" resumed successfully")).await
}

pub(in crate::api) async fn reset_retries(
    State(api): State<Shared>,
    info: RequestInfo,
    Caller { actor, .. }: Caller,
    TaskPath(id): TaskPath,
    _: NoQuery,
    _: NoBody,
) -> Result<Json<Acted>, ApiError> {
    let change = api.scheduler.reset_retries(id, &actor);
    let say = |name: &str| format!("Retry count for task \"{name}\" has been reset");
    act(&api, &info, change, say).await
}

pub(in crate::api) async fn cancel(
    State(api): State<Shared>,
    info: RequestInfo,
    Caller { actor, .. }: Caller,
    TaskPath(id): TaskPath,
    _: NoQuery,
    _: NoBody,
) -> Result<Json<Cancelled>, ApiError> {
    let (task, cancelled) = api.scheduler.cancel(id, &actor).await?;
    let meta = info.meta_saying(format!("Task \"{}\" cancelled successfully", task.definition.name));
    Ok(Json(Cancelled { success: true, cancelled, meta }))
}

/// Makes a change, and shows the task as it is then. `say` makes the message
/// of the task's name.
async fn act(
    api: &Shared,
    info: &RequestInfo,
    change: impl Future<Output = Result<Task, ControlError>>,
    say: impl FnOnce(&str) -> String,
) -> Result<Json<Acted>, ApiError> {
    let task = change.await?;
    let message = say(&task.definition.name);
    let task = show_changed(api, task).await?;
    Ok(Json(Acted { success: true, task, meta: info.meta_saying(message) }))
}
