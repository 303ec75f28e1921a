//! Documents: what tasks and executions look like outside. The names are a contract.

use serde_json::{Map, Value, json};

use super::error::ApiError;
use crate::{
    domain::{Millis, execution::Execution, facts::Task},
    store::{ExecutionQuery, Store},
};

/// Executions shown inside a task.
const NEWEST: usize = 10;
/// In lists an execution shows this many bytes of its output's end.
const TAIL: usize = 8 * 1024;

/// The document of a task.
pub(super) fn task(store: &dyn Store, task: &Task, now: Millis) -> Result<Value, ApiError> {
    let newest = ExecutionQuery { limit: NEWEST, ..ExecutionQuery::default() };
    let rows = store.executions(task.id, &newest)?.items;
    let executions = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
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

/// The document of an execution as lists show it: with the end of its output.
pub(super) fn listed(store: &dyn Store, execution: &Execution) -> Result<Value, ApiError> {
    with_output(store, execution, Some(TAIL))
}

/// The document of an execution with its whole output.
pub(super) fn whole(store: &dyn Store, execution: &Execution) -> Result<Value, ApiError> {
    with_output(store, execution, None)
}

fn with_output(store: &dyn Store, execution: &Execution, tail: Option<usize>) -> Result<Value, ApiError> {
    let mut document = row(execution)?;
    document["output"] = json!(store.output(execution.id, tail)?);
    Ok(document)
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
