//! Actions on a task: run, pause, resume, reset-retries, cancel.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{
    Shared,
    error::ApiError,
    input::{Fields, OptionalBody, TaskPath},
    model,
    request::RequestInfo,
};
use crate::domain::{draft::read_run, facts::Task};

pub(super) async fn run(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    mut fields: Fields,
    OptionalBody(body): OptionalBody,
) -> Result<Json<Value>, ApiError> {
    let wait = fields.choice("wait", &[("true", true), ("false", false)]).unwrap_or(false);
    fields.finish()?;
    let params = read_run(&body).map_err(ApiError::invalid)?;
    // Before the run is asked for, so that its end cannot be missed.
    let events = api.events.listen();
    let (task, execution) = api.scheduler.run_by_hand(id, params, &info.asker()).await?;
    let mut answer = json!({
        "success": true,
        "taskId": task.id,
        "taskName": task.definition.name,
        "executionId": execution,
    });
    if wait {
        api.scheduler.ended(events, id, execution).await;
        answer["execution"] = match api.store.execution(id, execution).await? {
            Some(row) => model::whole(&*api.store, &row).await?,
            None => Value::Null,
        };
    }
    answer["meta"] = info.meta_saying(&format!("Task \"{}\" execution started", task.definition.name));
    Ok(Json(answer))
}

pub(super) async fn pause(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    fields: Fields,
    body: OptionalBody,
) -> Result<Json<Value>, ApiError> {
    takes_nothing(fields, &body)?;
    let task = api.scheduler.pause(id, &info.asker()).await?;
    let message = format!("Task \"{}\" paused successfully", task.definition.name);
    changed(&api, &info, task, &message).await
}

pub(super) async fn resume(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    fields: Fields,
    body: OptionalBody,
) -> Result<Json<Value>, ApiError> {
    takes_nothing(fields, &body)?;
    let task = api.scheduler.resume(id, &info.asker()).await?;
    let message = format!("Task \"{}\" resumed successfully", task.definition.name);
    changed(&api, &info, task, &message).await
}

pub(super) async fn reset_retries(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    fields: Fields,
    body: OptionalBody,
) -> Result<Json<Value>, ApiError> {
    takes_nothing(fields, &body)?;
    let task = api.scheduler.reset_retries(id, &info.asker()).await?;
    let message = format!("Retry count for task \"{}\" has been reset", task.definition.name);
    changed(&api, &info, task, &message).await
}

pub(super) async fn cancel(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    fields: Fields,
    body: OptionalBody,
) -> Result<Json<Value>, ApiError> {
    takes_nothing(fields, &body)?;
    let (task, cancelled) = api.scheduler.cancel(id, &info.asker()).await?;
    let message = format!("Task \"{}\" cancelled successfully", task.definition.name);
    Ok(Json(json!({ "success": true, "cancelled": cancelled, "meta": info.meta_saying(&message) })))
}

fn takes_nothing(fields: Fields, body: &OptionalBody) -> Result<(), ApiError> {
    fields.finish()?;
    body.refuse_keys()
}

async fn changed(
    api: &Shared,
    info: &RequestInfo,
    task: Task,
    message: &str,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({
        "success": true,
        "task": model::changed(&*api.store, task, api.clock.now()).await?,
        "meta": info.meta_saying(message),
    })))
}
