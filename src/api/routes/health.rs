//! Health: whether the process is up, and whether it can do its work.

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        error::ApiError,
        state::{ClusterReady, LeaseState, RunnersReady, Shared},
    },
    backup::BackupState,
    domain::text::to_one_line,
    store::{Report, disk::LEAST_FREE},
    taskfile::TaskFileState,
};

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Health {
    status: &'static str,
}

/// How the parts of the server stand.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Ready {
    /// Whether due tasks run.
    ready: bool,
    store: StoreReady,
    scheduler: SchedulerReady,
    runners: RunnersReady,
    task_file: TaskFileState,
    /// Its place among the servers that share its store; absent with a store of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterReady>,
    /// The sandbox of the runners, under the name that clients know.
    cage: String,
    /// The reason why secrets cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct StoreReady {
    /// Whether it can be read.
    open: bool,
    #[serde(flatten)]
    space: Space,
    /// The findings of the check that began at the start.
    start: Report,
    backup: BackupState,
}

/// The free space on the store's disk.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Space {
    /// Whether there is so little that changes and backups are refused. Due tasks still run.
    full: bool,
    /// Bytes; `None` if the system does not say.
    free_bytes: Option<u64>,
}

impl Space {
    fn new(free_bytes: Option<u64>) -> Self {
        Self { full: free_bytes.is_some_and(|free| free < LEAST_FREE), free_bytes }
    }
}

#[derive(Serialize, ToSchema)]
struct SchedulerReady {
    running: bool,
    stopping: bool,
}

pub(in crate::api) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

pub(in crate::api) async fn ready(
    State(api): State<Shared>,
    caller: Option<Extension<Caller>>,
) -> Result<Response, ApiError> {
    let (ready, mut body) = describe(&api).await?;
    if caller.is_none_or(|Extension(caller)| caller.grant.handlers.is_some()) {
        hide_names(&mut body);
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(body)).into_response())
}

/// Whether the server can do its work, and how its parts stand.
pub(in crate::api) async fn describe(api: &Shared) -> Result<(bool, Value), ApiError> {
    let open = api.store.next_due().await.is_ok();
    let runners = api.readiness.runners();
    let (running, stopping) = (api.readiness.scheduler(), api.scheduler.is_stopping());
    let cluster = api.readiness.cluster();
    let has_lease = cluster.as_ref().is_none_or(|cluster| cluster.lease == LeaseState::Held);
    let ready = open && running && runners.alive > 0 && !stopping && has_lease;
    let document = Ready {
        ready,
        store: StoreReady {
            open,
            space: Space::new(api.readiness.free_bytes()),
            start: api.store.report(),
            backup: api.readiness.backup(),
        },
        scheduler: SchedulerReady { running, stopping },
        runners,
        task_file: api.readiness.task_file(),
        cluster,
        cage: api.readiness.sandbox(),
        secrets: api.vault.problem(),
    };
    let mut body = serde_json::to_value(document).map_err(|error| ApiError::internal(error.to_string()))?;
    flatten(&mut body);
    Ok((ready, body))
}

/// Leaves the lengths of the lists that name tasks, handlers or records: for callers who may not see all of them.
fn hide_names(body: &mut Value) {
    let mistakes = body["taskFile"]["mistakes"].as_u64();
    let lists = [
        ("/taskFile/problems", "mistake", mistakes),
        ("/store/start/setAside", "record", None),
        ("/store/start/missing", "record", None),
        ("/cluster/differing", "server", None),
    ];
    for (list, noun, count) in lists {
        let Some(Value::Array(items)) = body.pointer_mut(list) else { continue };
        if !items.is_empty() {
            let count = count.unwrap_or(items.len() as u64);
            let plural = if count == 1 { "" } else { "s" };
            let text = format!("{count} {noun}{plural}: a token that is for all handlers shows more");
            *items = vec![Value::from(text)];
        }
    }
}

/// Makes each text one line: an operator's tools show them as they are.
fn flatten(value: &mut Value) {
    match value {
        Value::String(text) => *text = to_one_line(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(flatten),
        Value::Object(fields) => fields.values_mut().for_each(flatten),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_disk_is_full_before_its_last_byte_is_taken() {
        let shown = |free| serde_json::to_value(Space::new(free)).expect("JSON");
        assert_eq!(shown(Some(LEAST_FREE)), json!({ "full": false, "freeBytes": LEAST_FREE }));
        assert_eq!(shown(Some(LEAST_FREE - 1))["full"], true);
        assert_eq!(shown(None), json!({ "full": false, "freeBytes": null }));
    }

    #[test]
    fn a_list_that_names_tasks_is_its_length_for_those_without_a_token() {
        let mut body = json!({
            "taskFile": {"mistakes": 27, "problems": ["tasks.json:1:1: \"pay\" is no handler", "more"]},
            "store": {"start": {"setAside": [], "missing": ["task a"]}},
        });
        hide_names(&mut body);
        let expected = json!({
            "taskFile": {
                "mistakes": 27,
                "problems": ["27 mistakes: a token that is for all handlers shows more"],
            },
            "store": {
                "start": {
                    "setAside": [],
                    "missing": ["1 record: a token that is for all handlers shows more"],
                },
            },
        });
        assert_eq!(body, expected);
    }

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
