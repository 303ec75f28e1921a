//! The predecessor in the form of a task: people know it by its name, the API by its id.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::segment;
use crate::dashboard::{
    ask::{Fault, Problem},
    documents::{Found, TaskFound},
    links::Query,
    visit::Visit,
};

/// The fields of the form: the name of the predecessor, and the ends after which the task runs.
const NAME: &str = "after";
const ON: &str = "after.on";

/// The texts of a task's predecessor.
pub(super) async fn write(visit: &Visit, texts: &mut BTreeMap<String, String>, after: &Value) {
    let (Some(id), Some(on)) = (after["taskId"].as_str(), after["on"].as_str()) else { return };
    // A visitor who may not see the predecessor sees its id.
    let found = visit.api.get::<TaskFound>(&format!("/admin/scheduler/{}", segment(id))).await;
    let name = found.map_or_else(|_| id.to_owned(), |found| found.task.name);
    texts.insert(NAME.to_owned(), name);
    texts.insert(ON.to_owned(), on.to_owned());
}

/// Adds the predecessor to a body. A task that follows needs no schedule.
///
/// # Errors
/// The problem with the name; a fault of the API.
pub(super) async fn read(
    visit: &Visit,
    texts: &BTreeMap<String, String>,
    body: &mut Map<String, Value>,
) -> Result<Option<Problem>, Fault> {
    let Some(name) = texts.get(NAME).map(|name| name.trim()) else { return Ok(None) };
    if name.is_empty() {
        body.insert(NAME.to_owned(), Value::Null);
        return Ok(None);
    }
    let Some(id) = find(visit, name).await? else {
        let problem = format!("no task has the name \"{name}\"");
        return Ok(Some(Problem { field: NAME.to_owned(), problem }));
    };
    let on = texts.get(ON).map_or("success", String::as_str);
    body.insert(NAME.to_owned(), json!({ "taskId": id, "on": on }));
    if body.get("schedule").and_then(Value::as_str) == Some("") {
        body.insert("schedule".to_owned(), "never".into());
        body.insert("recurring".to_owned(), false.into());
    }
    Ok(None)
}

/// The id of the task with a name; an id may be written too.
async fn find(visit: &Visit, name: &str) -> Result<Option<String>, Fault> {
    // The search has the names that begin with a text in their order, and so the whole name first.
    let found: Found = visit.api.get(&Query::default().with("q", name).after("/admin/search")).await?;
    let task = found.tasks.into_iter().find(|task| task.name == name);
    Ok(task.map(|task| task.id).or_else(|| name.starts_with("task-").then(|| name.to_owned())))
}
