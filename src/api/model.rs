//! Documents: what tasks and executions look like outside. The names are a contract.

use serde_json::{Map, Value, json};

use super::error::ApiError;
use crate::{
    domain::{Millis, execution::Execution, facts::Task},
    store::{ExecutionQuery, Store, TaskView},
};

/// Executions shown inside a task.
pub(super) const NEWEST: usize = 10;
/// In lists an execution shows this many bytes of its output's end.
const TAIL: usize = 8 * 1024;

/// The document of a task.
pub(super) fn task(view: &TaskView, now: Millis) -> Result<Value, ApiError> {
    let TaskView { task, newest } = view;
    let executions = newest.iter().take(NEWEST).map(row).collect::<Result<Vec<_>, _>>()?;
    let mut document = Map::new();
    document.insert("_key".to_owned(), json!(task.id));
    let definition = object(json_of(&task.definition)?);
    for (key, value) in definition {
        document.insert(key.clone(), value);
        if key == "description" {
            document.insert("type".to_owned(), json!("script"));
        }
    }
    let facts = &task.facts;
    let next_run = task.next_run();
    let plan = task.plan();
    let after = next_run.map_or(now, |next| next.saturating_sub(1));
    let derived = json!({
        "scheduleType": plan.schedule.schedule_type(),
        "nextRun": next_run,
        "period": plan.schedule.period(after, plan.anchor, plan.zone),
        "retryCount": facts.retry_count,
        "lastRetry": facts.last_retry,
        "status": task.status(),
        "createdAt": task.created_at,
        "updatedAt": task.updated_at,
        "lastExecution": facts.last_execution,
        "executions": executions,
    });
    document.extend(object(derived));
    Ok(Value::Object(document))
}

/// The document of an execution without its output.
fn row(execution: &Execution) -> Result<Value, ApiError> {
    json_of(execution)
}

/// The documents of executions as lists show them: each with the end of its output.
pub(super) async fn listed(store: &dyn Store, executions: &[Execution]) -> Result<Vec<Value>, ApiError> {
    with_output(store, executions, Some(TAIL)).await
}

/// The document of an execution with its whole output.
pub(super) async fn whole(store: &dyn Store, execution: &Execution) -> Result<Value, ApiError> {
    let documents = with_output(store, std::slice::from_ref(execution), None).await?;
    Ok(documents.into_iter().next().unwrap_or_default())
}

async fn with_output(
    store: &dyn Store,
    executions: &[Execution],
    tail: Option<usize>,
) -> Result<Vec<Value>, ApiError> {
    let outputs = store.outputs(executions.iter().map(|row| row.id).collect(), tail).await?;
    let documents = executions.iter().zip(outputs).map(|(execution, output)| {
        let mut document = row(execution)?;
        document["output"] = json!(output);
        Ok(document)
    });
    documents.collect()
}

/// The document of a task that a change has just made, with its newest executions.
pub(super) async fn changed(store: &dyn Store, task: Task, now: Millis) -> Result<Value, ApiError> {
    let query = ExecutionQuery { limit: NEWEST, ..ExecutionQuery::default() };
    let newest = store.executions(task.id, query).await?.items;
    self::task(&TaskView { task, newest }, now)
}

fn json_of<T: serde::Serialize>(value: &T) -> Result<Value, ApiError> {
    serde_json::to_value(value).map_err(|e| ApiError::internal(format!("a record does not become JSON: {e}")))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
