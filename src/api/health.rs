//! Whether the process is up, and whether it can do its work.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::Shared;
use crate::{backup::BackupState, domain::text::one_line};

/// How the runners stand.
#[derive(Debug, Clone, Serialize)]
pub struct RunnersReady {
    /// Ready or running.
    pub alive: usize,
    /// Ready.
    pub idle: usize,
    /// Runs that wait for one.
    pub waiting: usize,
}

/// Tells about the parts that the API does not see itself.
pub trait Readiness: Send + Sync + 'static {
    /// The runners.
    fn runners(&self) -> RunnersReady;
    /// Their cage: what holds a handler besides V8 and its process, in a line for people.
    fn cage(&self) -> String;
    /// The backups.
    fn backup(&self) -> BackupState;
    /// Whether the scheduler's loop is running.
    fn scheduler(&self) -> bool;
}

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

pub(super) async fn ready(State(api): State<Shared>) -> Response {
    let store = api.store.next_due().await;
    let (runners, scheduler) = (api.readiness.runners(), api.readiness.scheduler());
    let ready = store.is_ok() && scheduler && runners.alive > 0 && !api.scheduler.is_stopping();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({
        "ready": ready,
        "store": {
            "open": store.is_ok(),
            "start": api.store.report(),
            "backup": api.readiness.backup(),
        },
        "scheduler": { "running": scheduler, "stopping": api.scheduler.is_stopping() },
        "runners": runners,
        "cage": api.readiness.cage(),
    });
    flatten(&mut body);
    (status, Json(body)).into_response()
}

/// Makes each text one line: an operator's tools show them as they are.
fn flatten(value: &mut Value) {
    match value {
        Value::String(text) => *text = one_line(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(flatten),
        Value::Object(fields) => fields.values_mut().for_each(flatten),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_one_line() {
        let mut body =
            json!({"store": {"start": {"setAside": ["value system/a\nb\u{1b}[2J: no"]}}, "cage": "a\nb"});
        flatten(&mut body);
        let expected =
            json!({"store": {"start": {"setAside": ["value system/a\\nb\\u001b[2J: no"]}}, "cage": "a\\nb"});
        assert_eq!(body, expected);
    }
}
