//! Tokens. The text of a token is in the answers to its making and to a rotation, and nowhere else.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    access::NewToken,
    api::{
        auth::Caller,
        documents::{Deleted, Meta},
        error::ApiError,
        input::{Body, NoQuery, OptionalBody, read_patterns},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        access::{
            Role,
            pattern::Pattern,
            record::{Previous, TokenRecord},
        },
        audit::{Action, Audit, Target, changed},
        draft::{Problems, whole_number},
        ids::TokenId,
    },
};

/// The longest time for which a rotated token's old text works, in milliseconds: a week.
pub(in crate::api) const LONGEST_OVERLAP: Millis = 604_800_000;

/// A token as the API shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Token)]
struct Document {
    id: TokenId,
    name: String,
    role: Role,
    /// Null: the tasks of all handlers.
    handlers: Option<Vec<Pattern>>,
    created_at: Millis,
    /// The name of the token that made it.
    created_by: String,
    expires_at: Option<Millis>,
    rotated_at: Option<Millis>,
    /// The text of before the last rotation works until then.
    previous_until: Option<Millis>,
    /// To the minute.
    last_used_at: Option<Millis>,
    last_address: Option<String>,
}

impl Document {
    fn new(token: TokenRecord, now: Millis) -> Self {
        let previous = token.previous.filter(|Previous { until, .. }| *until > now);
        Self {
            id: token.id,
            name: token.name,
            role: token.role,
            handlers: token.handlers,
            created_at: token.created_at,
            created_by: token.created_by,
            expires_at: token.expires_at,
            rotated_at: token.rotated_at,
            previous_until: previous.map(|Previous { until, .. }| until),
            last_used_at: token.last_used_at,
            last_address: token.last_address,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct List {
    /// In the order in which they were made.
    tokens: Vec<Document>,
    total: usize,
    meta: Meta,
}

/// A token with its text.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Given {
    #[serde(rename = "token")]
    text: String,
    record: Document,
    meta: Meta,
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    _: NoQuery,
) -> Result<Json<List>, ApiError> {
    let now = api.clock.now();
    let tokens = api.access.tokens().await;
    let tokens: Vec<_> = tokens.into_iter().map(|token| Document::new(token, now)).collect();
    Ok(Json(List { total: tokens.len(), tokens, meta: info.meta() }))
}

pub(in crate::api) async fn create(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    _: NoQuery,
    Body(body): Body,
) -> Result<Response, ApiError> {
    let wanted = read_new(&body)?;
    let (text, token) =
        api.access.make_token(wanted, &caller.identity, |token| Some(created(&api, &caller, token))).await?;
    tracing::info!(
        token = token.name,
        role = token.role.name(),
        by = caller.identity.name,
        "a token is made"
    );
    let location = HeaderValue::from_str(&format!("{}/admin/tokens/{}", api.base(), token.id));
    let meta = info.meta_saying(format!("Token \"{}\" created successfully", token.name));
    let body = Given { text, record: Document::new(token, api.clock.now()), meta };
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    response.headers_mut().extend(location.ok().map(|location| (header::LOCATION, location)));
    Ok(response)
}

pub(in crate::api) async fn delete(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Json<Deleted>, ApiError> {
    let token = api
        .access
        .remove_token(read_id(&id)?, |token| Some(record(&api, &caller, Action::Delete, token)))
        .await?;
    tracing::info!(token = token.name, by = caller.identity.name, "a token is taken back");
    let meta = info.meta_saying(format!("Token \"{}\" deleted successfully", token.name));
    Ok(Json(Deleted::with(meta)))
}

pub(in crate::api) async fn rotate(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    Path(id): Path<String>,
    _: NoQuery,
    OptionalBody(body): OptionalBody,
) -> Result<Response, ApiError> {
    let id = read_id(&id)?;
    let overlap = read_overlap(&body)?;
    let (text, token) = api
        .access
        .rotate_token(id, overlap, |token| Some(record(&api, &caller, Action::Rotate, token)))
        .await?;
    tracing::info!(token = token.name, by = caller.identity.name, "a token is rotated");
    let meta = info.meta_saying(format!("Token \"{}\" rotated successfully", token.name));
    Ok(Json(Given { text, record: Document::new(token, api.clock.now()), meta }).into_response())
}

/// The audit record of an action on a token.
fn record(api: &Shared, caller: &Caller, action: Action, token: &TokenRecord) -> Audit {
    let target = Target::new("token", token.id.to_string());
    caller.record(api, action).on(Target { name: Some(token.name.clone()), ..target })
}

/// The audit record of a new token.
fn created(api: &Shared, caller: &Caller, token: &TokenRecord) -> Audit {
    let fields = [
        ("role", json!(token.role)),
        ("handlers", json!(token.handlers)),
        ("expiresAt", json!(token.expires_at)),
    ];
    let changes = fields.into_iter().filter_map(|(field, to)| changed(field, Value::Null, to)).collect();
    Audit { changes, ..record(api, caller, Action::Create, token) }
}

fn read_id(text: &str) -> Result<TokenId, ApiError> {
    // A text that can be no id names no token.
    text.parse().map_err(|_| ApiError::not_found("Token not found"))
}

/// Reads `{name, role, expiresAt?, handlers?}`.
fn read_new(body: &Map<String, Value>) -> Result<NewToken, ApiError> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["name", "role", "expiresAt", "handlers"]);
    let name = match body.get("name") {
        Some(Value::String(name)) => name.clone(),
        Some(_) => {
            problems.report("name", "must be a string");
            String::new()
        }
        None => {
            problems.report("name", "is required");
            String::new()
        }
    };
    let roles = Role::ALL.map(|role| (role.name(), role));
    let role = match body.get("role") {
        Some(Value::String(role)) => problems.choose("role", role, &roles),
        Some(_) => {
            problems.report("role", "must be a string");
            None
        }
        None => {
            problems.report("role", "is required");
            None
        }
    };
    let expires_at = match body.get("expiresAt") {
        None | Some(Value::Null) => None,
        Some(end) => {
            let end = whole_number(end).and_then(|end| Millis::try_from(end).ok());
            if end.is_none() {
                problems.report("expiresAt", "must be a time in epoch milliseconds, or null");
            }
            end
        }
    };
    let handlers = match body.get("handlers") {
        None | Some(Value::Null) => None,
        Some(list) => match read_patterns(list) {
            Ok(handlers) => Some(handlers),
            Err(problem) => {
                problems.report("handlers", problem);
                None
            }
        },
    };
    problems.finish().map_err(ApiError::invalid)?;
    // Without a role there has been a problem.
    let role = role.unwrap_or(Role::Viewer);
    Ok(NewToken { name, role, handlers, expires_at })
}

/// Reads `{overlap?}`.
fn read_overlap(body: &Map<String, Value>) -> Result<Millis, ApiError> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["overlap"]);
    let overlap = match body.get("overlap") {
        None => 0,
        Some(value) => {
            let overlap = whole_number(value).and_then(|overlap| Millis::try_from(overlap).ok());
            let overlap = overlap.filter(|overlap| (0..=LONGEST_OVERLAP).contains(overlap));
            if overlap.is_none() {
                let problem = format!("must be a whole number of milliseconds from 0 to {LONGEST_OVERLAP}");
                problems.report("overlap", problem);
            }
            overlap.unwrap_or_default()
        }
    };
    problems.finish().map_err(ApiError::invalid)?;
    Ok(overlap)
}
