//! The history of a task.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{TAIL, show_execution, show_executions};
use crate::{
    api::{
        documents::{ExecutionDocument, Meta},
        error::ApiError,
        input::{ExecutionPath, Fields, LARGEST_SKIP, NoQuery, TaskPath},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        execution::{ExecutionStatus, Trigger},
        ids::TaskId,
    },
    store::{ExecutionQuery, StoreError},
};

/// A page of a task's history.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct History {
    task_id: TaskId,
    task_name: String,
    /// Newest first, each with the end of its output.
    executions: Vec<ExecutionDocument>,
    total_executions: u64,
    skip: usize,
    limit: usize,
    meta: Meta,
}

/// One execution.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Found {
    execution: ExecutionDocument,
    meta: Meta,
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    TaskPath(id): TaskPath,
    mut fields: Fields,
) -> Result<Json<History>, ApiError> {
    let query = ExecutionQuery {
        skip: fields.number("skip", 0, LARGEST_SKIP, 0),
        limit: fields.number("limit", 1, 50, 10),
        status: fields.choice("status", &ExecutionStatus::ALL.map(|status| (status.name(), status))),
        trigger: fields.choice("trigger", &Trigger::ALL.map(|trigger| (trigger.name(), trigger))),
    };
    fields.finish()?;
    let task = api.store.task(id).await?.ok_or(StoreError::NotFound)?;
    let page = api.store.executions(id, query).await?;
    Ok(Json(History {
        task_id: task.id,
        task_name: task.definition.name,
        executions: show_executions(&api, page.items, Some(TAIL)).await?,
        total_executions: page.total,
        skip: query.skip,
        limit: query.limit,
        meta: info.meta(),
    }))
}

pub(in crate::api) async fn read(
    State(api): State<Shared>,
    info: RequestInfo,
    ExecutionPath(task, id): ExecutionPath,
    _: NoQuery,
) -> Result<Json<Found>, ApiError> {
    if api.store.task(task).await?.is_none() {
        return Err(StoreError::NotFound.into());
    }
    let row =
        api.store.execution(task, id).await?.ok_or_else(|| ApiError::not_found("Execution not found"))?;
    Ok(Json(Found { execution: show_execution(&api, row).await?, meta: info.meta() }))
}
