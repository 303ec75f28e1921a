//! Secrets and variables. A secret's value is in no answer.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        documents::{Deleted, Meta},
        error::ApiError,
        input::{Body, NamePath, NoQuery, read_patterns},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        access::pattern::Pattern,
        audit::Action,
        binding::{Binding, Content, Kind, check_name, check_value},
        draft::Problems,
    },
    secrets::Change,
};

/// A secret or a variable as the API shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Binding)]
struct Document {
    name: String,
    /// Of a variable only.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    handlers: Vec<Pattern>,
    env: bool,
    created_at: Millis,
    updated_at: Millis,
}

impl Document {
    fn new(binding: Binding) -> Self {
        let Binding { name, content, handlers, env, created_at, updated_at } = binding;
        let value = match content {
            Content::Plain(value) => Some(value),
            Content::Sealed(_) => None,
        };
        Self { name, value, handlers, env, created_at, updated_at }
    }
}

/// All of a kind, by name.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct List {
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<Vec<Document>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<Vec<Document>>,
    total: usize,
    meta: Meta,
}

/// One of a kind.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct One {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Document>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<Document>,
    meta: Meta,
}

impl One {
    fn new(binding: Binding, meta: Meta) -> Self {
        let kind = binding.kind();
        let document = Some(Document::new(binding));
        match kind {
            Kind::Secret => Self { secret: document, variable: None, meta },
            Kind::Variable => Self { secret: None, variable: document, meta },
        }
    }
}

/// The four functions of a kind.
macro_rules! functions {
    ($kind:expr, $list:ident, $read:ident, $set:ident, $delete:ident) => {
        pub(in crate::api) async fn $list(
            State(api): State<Shared>,
            info: RequestInfo,
            _: NoQuery,
        ) -> Result<Response, ApiError> {
            Ok(list(&api, &info, $kind).await)
        }

        pub(in crate::api) async fn $read(
            State(api): State<Shared>,
            info: RequestInfo,
            NamePath(name): NamePath,
            _: NoQuery,
        ) -> Result<Response, ApiError> {
            let found = api.vault.find($kind, &name).await?;
            Ok(Json(One::new(found, info.meta())).into_response())
        }

        pub(in crate::api) async fn $set(
            State(api): State<Shared>,
            info: RequestInfo,
            caller: Caller,
            NamePath(name): NamePath,
            _: NoQuery,
            Body(body): Body,
        ) -> Result<Response, ApiError> {
            set(&api, &info, &caller, $kind, &name, &body).await
        }

        pub(in crate::api) async fn $delete(
            State(api): State<Shared>,
            info: RequestInfo,
            caller: Caller,
            NamePath(name): NamePath,
            _: NoQuery,
        ) -> Result<Response, ApiError> {
            api.vault.delete($kind, &name, caller.record(&api, Action::Delete)).await?;
            tracing::info!(name, "a {} is deleted", $kind.word());
            let meta = info.meta_saying(format!("{} \"{name}\" deleted successfully", $kind.title()));
            Ok(Json(Deleted::with(meta)).into_response())
        }
    };
}

functions!(Kind::Secret, list_secrets, read_secret, set_secret, delete_secret);
functions!(Kind::Variable, list_variables, read_variable, set_variable, delete_variable);

async fn list(api: &Shared, info: &RequestInfo, kind: Kind) -> Response {
    let documents: Vec<_> = api.vault.list(kind).await.into_iter().map(Document::new).collect();
    let (total, meta) = (documents.len(), info.meta());
    let list = match kind {
        Kind::Secret => List { secrets: Some(documents), variables: None, total, meta },
        Kind::Variable => List { secrets: None, variables: Some(documents), total, meta },
    };
    Json(list).into_response()
}

async fn set(
    api: &Shared,
    info: &RequestInfo,
    caller: &Caller,
    kind: Kind,
    name: &str,
    body: &Map<String, Value>,
) -> Result<Response, ApiError> {
    let change = read_change(name, body)?;
    let (is_new, binding) = api.vault.set(kind, name, change, caller.record(api, Action::Set)).await?;
    tracing::info!(name, "a {} is set", kind.word());
    let done = if is_new { "created" } else { "updated" };
    let meta = info.meta_saying(format!("{} \"{name}\" {done} successfully", kind.title()));
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(One::new(binding, meta))).into_response())
}

/// Reads `{value?, handlers?, env?}`. No problem repeats a value.
fn read_change(name: &str, body: &Map<String, Value>) -> Result<Change, ApiError> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["value", "handlers", "env"]);
    if let Err(problem) = check_name(name) {
        problems.report("name", problem);
    }
    let mut change = Change::default();
    match body.get("value") {
        None => {}
        Some(Value::String(value)) => match check_value(value) {
            Ok(()) => change.value = Some(value.clone()),
            Err(problem) => problems.report("value", problem),
        },
        Some(_) => problems.report("value", "must be a string"),
    }
    match body.get("handlers").map(read_patterns) {
        None => {}
        Some(Ok(handlers)) => change.handlers = Some(handlers),
        Some(Err(problem)) => problems.report("handlers", problem),
    }
    match body.get("env") {
        None => {}
        Some(Value::Bool(env)) => change.env = Some(*env),
        Some(_) => problems.report("env", "must be true or false"),
    }
    problems.finish().map_err(ApiError::invalid)?;
    Ok(change)
}
