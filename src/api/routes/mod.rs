//! The functions behind the routes, one file per resource; the table of routes and roles is
//! `every_route` in `api/mod.rs`. A function reads its request strictly, asks the
//! scheduler for changes and the store for reads, and answers with a document.

pub(super) mod actions;
pub(super) mod alerts;
pub(super) mod audit;
pub(super) mod bulk;
pub(super) mod executions;
pub(super) mod figures;
pub(super) mod handlers;
pub(super) mod health;
pub(super) mod history;
pub(super) mod kv;
pub(super) mod outlook;
pub(super) mod schedule;
pub(super) mod secrets;
pub(super) mod sessions;
pub(super) mod tasks;
pub(super) mod tokens;

use super::{
    auth::Caller,
    documents::{ExecutionDocument, NEWEST, TaskDocument},
    error::ApiError,
    state::Shared,
};
use crate::{
    domain::{
        execution::{Execution, ExecutionStatus, Hashes},
        facts::Task,
        ids::ExecutionId,
    },
    store::{ExecutionQuery, TaskView},
};

/// Bytes of the end of its output that an execution shows in lists.
const TAIL: usize = 8 * 1024;

/// The last steps that an execution shows in lists.
const STEPS: usize = 50;

/// The document of a task that a change has just made.
async fn show_changed(api: &Shared, task: Task) -> Result<TaskDocument, ApiError> {
    let query = ExecutionQuery { limit: NEWEST, ..ExecutionQuery::default() };
    let newest = match api.store.executions(task.id, query).await {
        Ok(page) => page.items,
        // An error would deny that the change was made.
        Err(error) if error.passes() => {
            tracing::warn!(task = %task.id, %error, "a change is answered without the task's executions");
            Vec::new()
        }
        Err(error) => return Err(error.into()),
    };
    Ok(TaskDocument::new(TaskView { task, newest }, api.clock.now()))
}

/// The documents of executions, each with its output or the last `tail` bytes of it.
async fn show_executions(
    api: &Shared,
    executions: Vec<Execution>,
    tail: Option<usize>,
) -> Result<Vec<ExecutionDocument>, ApiError> {
    let outputs = api.store.outputs(executions.iter().map(|row| row.id).collect(), tail).await?;
    let pairs = executions.into_iter().zip(outputs);
    let documents = pairs.map(|(execution, output)| ExecutionDocument {
        execution: add_live(api, execution, tail.is_some()),
        output,
    });
    Ok(documents.collect())
}

/// Adds hashes, progress and steps to an execution in progress. In a list it shows the last steps alone.
fn add_live(api: &Shared, mut execution: Execution, listed: bool) -> Execution {
    if execution.status == ExecutionStatus::Running
        && let Some(live) = api.scheduler.live(execution.id)
    {
        execution.progress = live.progress().or(execution.progress);
        execution.steps = live.steps();
        if let Some(Hashes { handler, files }) = live.hashes() {
            (execution.handler_hash, execution.files_hash) = (Some(handler), Some(files));
        }
    }
    if listed {
        execution.steps.drain(..execution.steps.len().saturating_sub(STEPS));
    }
    execution
}

/// The row of an execution, by its id alone.
///
/// # Errors
/// 404 when there is none, or the token is not for its task.
pub(super) async fn find_execution(
    api: &Shared,
    caller: &Caller,
    id: ExecutionId,
) -> Result<Execution, ApiError> {
    let absent = || ApiError::not_found("Execution not found");
    let task = api.store.locate(id).await?.ok_or_else(absent)?;
    let row = api.store.execution(task, id).await?.ok_or_else(absent)?;
    if caller.grant.covers(&row.handler) { Ok(row) } else { Err(absent()) }
}

/// The JSON of an execution without its output.
pub(super) fn show_row(api: &Shared, caller: &Caller, row: Execution) -> Result<String, ApiError> {
    let broken = |error: serde_json::Error| ApiError::internal(error.to_string());
    let row = add_live(api, row, false);
    if caller.sees_all_values() {
        return serde_json::to_string(&row).map_err(broken);
    }
    let mut document = serde_json::to_value(&row).map_err(broken)?;
    api.redaction.mask_document(&mut document);
    Ok(document.to_string())
}

/// The document of an execution with its whole output.
async fn show_execution(api: &Shared, execution: Execution) -> Result<ExecutionDocument, ApiError> {
    let documents = show_executions(api, vec![execution], None).await?;
    documents.into_iter().next().ok_or_else(|| ApiError::internal("an execution without output"))
}
