//! The history of a task.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{
    Shared,
    error::ApiError,
    input::{ExecutionPath, Fields, LARGEST_SKIP, TaskPath},
    model,
    request::RequestInfo,
};
use crate::{
    domain::execution::{ExecutionStatus, Trigger},
    store::{ExecutionQuery, StoreError},
};

pub(super) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let query = ExecutionQuery {
        skip: fields.number("skip", 0, LARGEST_SKIP, 0),
        limit: fields.number("limit", 1, 50, 10),
        status: fields.choice(
            "status",
            &[
                ("running", ExecutionStatus::Running),
                ("completed", ExecutionStatus::Completed),
                ("failed", ExecutionStatus::Failed),
                ("cancelled", ExecutionStatus::Cancelled),
                ("skipped", ExecutionStatus::Skipped),
            ],
        ),
        trigger: fields.choice(
            "trigger",
            &[
                ("schedule", Trigger::Schedule),
                ("immediate", Trigger::Immediate),
                ("retry", Trigger::Retry),
                ("manual", Trigger::Manual),
                ("catch-up", Trigger::CatchUp),
            ],
        ),
    };
    fields.finish()?;
    let task = api.store.task(id).await?.ok_or(StoreError::NotFound)?;
    let page = api.store.executions(id, query).await?;
    let executions = model::listed(&*api.store, &page.items).await?;
    Ok(Json(json!({
        "taskId": task.id,
        "taskName": task.definition.name,
        "executions": executions,
        "totalExecutions": page.total,
        "skip": query.skip,
        "limit": query.limit,
        "meta": info.meta(),
    })))
}

pub(super) async fn read(
    State(api): State<Shared>,
    info: RequestInfo,
    ExecutionPath(task, id): ExecutionPath,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    fields.finish()?;
    if api.store.task(task).await?.is_none() {
        return Err(StoreError::NotFound.into());
    }
    let row =
        api.store.execution(task, id).await?.ok_or_else(|| ApiError::not_found("Execution not found"))?;
    Ok(Json(json!({ "execution": model::whole(&*api.store, &row).await?, "meta": info.meta() })))
}
