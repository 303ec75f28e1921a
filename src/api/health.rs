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
use crate::backup::BackupState;

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
    let store = api.store.next_due();
    let (runners, scheduler) = (api.readiness.runners(), api.readiness.scheduler());
    let ready = store.is_ok() && scheduler && runners.alive > 0 && !api.scheduler.is_stopping();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
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
    (status, Json(body)).into_response()
}
