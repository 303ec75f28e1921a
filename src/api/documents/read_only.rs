//! Fields of a task's document that only the server sets, in bodies that send them back.
//!
//! A client may read a task, change a field and send the whole document. The fields that the
//! server sets are left out of the change when they are as they were; a value of the client's
//! own is refused, because ignoring it would look like success.

use serde_json::{Map, Value};

use super::TaskDocument;
use crate::{api::error::ApiError, domain::draft::Problem};

/// The fields that stay as they are until the task's definition changes.
const LASTING: [&str; 3] = ["_key", "createdAt", "scheduleType"];
/// The fields that also change by themselves, when the task runs or its time passes.
const CHANGING: [&str; 15] = [
    "nextRun",
    "period",
    "retryCount",
    "lastRetry",
    "status",
    "runsLeft",
    "backfill",
    "waiting",
    "managedBy",
    "pausedBy",
    "updatedAt",
    "lastExecution",
    "executions",
    "stats",
    "recent",
];

/// The task's document in a body that is the whole answer of a read; any other body as it is.
pub(in crate::api) fn unwrap_answer(mut body: Map<String, Value>) -> Map<String, Value> {
    let is_answer = body.keys().all(|name| ["task", "executions", "meta"].contains(&name.as_str()));
    match body.get_mut("task") {
        Some(Value::Object(task)) if is_answer => std::mem::take(task),
        _ => body,
    }
}

/// Takes the read-only fields out of `body`, and names those that differ from `document`, the
/// task as it is now. In a document from before the task's last change, the fields that change
/// by themselves may differ.
pub(in crate::api) fn take_out(
    body: &mut Map<String, Value>,
    document: &TaskDocument,
) -> Result<Vec<Problem>, ApiError> {
    let document = serde_json::to_value(document).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(compare(body, &document))
}

fn compare(body: &mut Map<String, Value>, document: &Value) -> Vec<Problem> {
    let is_old = is_older(body.get("updatedAt"), document);
    let lasting = LASTING.into_iter().map(|name| (name, true));
    let changing = CHANGING.into_iter().map(|name| (name, !is_old));
    let mut problems = Vec::new();
    for (name, must_match) in lasting.chain(changing) {
        let Some(sent) = body.shift_remove(name) else { continue };
        if must_match && !is_same(&sent, &document[name]) {
            problems.push(Problem::new(name, "is read-only: leave it out, or send it as the task has it"));
        }
    }
    problems
}

fn is_older(updated_at: Option<&Value>, document: &Value) -> bool {
    let Some(sent) = updated_at.and_then(Value::as_i64) else { return false };
    let range = document["createdAt"].as_i64().zip(document["updatedAt"].as_i64());
    range.is_some_and(|(created, updated)| (created..updated).contains(&sent))
}

/// Whether two values are the same JSON to a client for which all numbers are floats.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| is_same(left, right)))
        }
        (left, right) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_the_server_sets_are_left_out_if_they_are_as_they_were_and_named_if_not() {
        let document = json!({"_key": "task-1", "createdAt": 5, "updatedAt": 9, "period": 1, "status": "active",
            "lastExecution": {"duration": 3}, "executions": [{"result": 2}], "nextRun": null});
        let check = |change: Value| {
            let mut body = change.as_object().expect("an object").clone();
            let problems = compare(&mut body, &document);
            (body, problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>())
        };
        let (rest, wrong) = check(document.clone());
        assert!(rest.is_empty() && wrong.is_empty(), "{rest:?} {wrong:?}");
        // A client that knows floats only writes them back as it likes.
        let (_, wrong) = check(json!({"period": 1.0, "executions": [{"result": 2.0}], "updatedAt": 9.0}));
        assert!(wrong.is_empty(), "{wrong:?}");
        let (rest, wrong) =
            check(json!({"name": "n", "status": "paused", "updatedAt": 10, "executions": [{}]}));
        assert_eq!(rest.keys().collect::<Vec<_>>(), ["name"]);
        assert_eq!(wrong, ["status", "updatedAt", "executions"]);
        let (_, wrong) = check(json!({"status": "paused", "updatedAt": 8, "_key": "task-2", "createdAt": 6}));
        assert_eq!(wrong, ["_key", "createdAt"], "an older document: the others may have changed since");
        let (_, wrong) = check(json!({"updatedAt": 4}));
        assert_eq!(wrong, ["updatedAt"], "older than the task");
    }
}
