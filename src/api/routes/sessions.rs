//! Sessions of browsers, and who the caller is.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{Identity, cookie},
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        input::{NoBody, NoQuery},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        access::{Role, pattern::Pattern, public_url::PublicUrl, record::TokenHash, session::Session},
        audit::{Action, Target},
        ids::TokenId,
    },
};

/// The id under which a caller names the own session.
const CURRENT: &str = "current";

/// The holder of the token that a request brings.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Me {
    /// Null for the token of the configuration.
    id: Option<TokenId>,
    name: String,
    role: Role,
    /// Null: the tasks of all handlers.
    handlers: Option<Vec<Pattern>>,
    /// Null: the token does not end.
    expires_at: Option<Millis>,
    /// `token` or `session`.
    via: &'static str,
    meta: Meta,
}

/// A session of a browser.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
struct Document {
    id: String,
    /// The name of the token that opened it.
    token: String,
    role: Role,
    created_at: Millis,
    seen_at: Millis,
    /// When it ends if no request comes.
    ends_at: Millis,
    address: Option<String>,
    agent: Option<String>,
    /// Whether the request came with it.
    current: bool,
}

impl Document {
    fn new(session: Session, holder: &Identity, caller: &Caller) -> Self {
        Self {
            id: session.id(),
            token: holder.name.clone(),
            role: holder.role(),
            created_at: session.created_at,
            seen_at: session.seen_at,
            ends_at: session.ends_at(),
            current: caller.identity.session == Some(session.hash),
            address: session.address,
            agent: session.agent,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct List {
    /// The newest login first.
    sessions: Vec<Document>,
    total: usize,
    meta: Meta,
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Opened {
    session: Document,
    meta: Meta,
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Ended {
    success: bool,
    /// The number of sessions that have ended.
    ended: usize,
    meta: Meta,
}

pub(in crate::api) async fn me(info: RequestInfo, caller: Caller, _: NoQuery) -> Result<Json<Me>, ApiError> {
    let Identity { token, name, grant, expires_at, session, .. } = caller.identity;
    let via = if session.is_some() { "session" } else { "token" };
    let meta = info.meta();
    Ok(Json(Me { id: token, name, role: grant.role, handlers: grant.handlers, expires_at, via, meta }))
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    _: NoQuery,
) -> Result<Json<List>, ApiError> {
    let sessions: Vec<_> = visible(&api, &caller)
        .await
        .into_iter()
        .map(|(session, holder)| Document::new(session, &holder, &caller))
        .collect();
    Ok(Json(List { total: sessions.len(), sessions, meta: info.meta() }))
}

/// Opens a session with the token of the request.
pub(in crate::api) async fn open(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    headers: HeaderMap,
    _: NoQuery,
    _: NoBody,
) -> Result<Response, ApiError> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.get(7..));
    let token = token.ok_or_else(|| {
        ApiError::conflict("A session is opened with a token in the Authorization header, not with a session")
    })?;
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let opened = api
        .access
        .log_in(token.trim(), info.address(), agent, Some(caller.record(&api, Action::Login)))
        .await?;
    // The token has ended since the guard.
    let (text, identity) = opened.map_err(|denied| ApiError::unauthorized(&denied.to_string()))?;
    tracing::info!(
        token = identity.name,
        address = info.address().map(tracing::field::display),
        "a session is opened"
    );
    let found =
        visible(&api, &caller).await.into_iter().find(|(session, _)| Some(session.hash) == identity.session);
    let (session, holder) = found.ok_or_else(|| ApiError::internal("a session is gone at once"))?;
    let caller = Caller { identity, ..caller };
    let body = Opened { session: Document::new(session, &holder, &caller), meta: info.meta() };
    let cookie = cookie::set(&text, api.base(), needs_secure(&api, &headers));
    Ok((StatusCode::CREATED, set_cookie(&cookie), Json(body)).into_response())
}

/// Ends all sessions that the token of the request has opened.
pub(in crate::api) async fn end_all(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    headers: HeaderMap,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let own = visible(&api, &caller).await.into_iter().filter(|(_, holder)| is_own(holder, &caller));
    let sessions: Vec<_> = own.map(|(session, _)| session.hash).collect();
    end(&api, &info, &caller, &headers, &sessions).await
}

/// Ends a session: one of the own ones; an admin ends any.
pub(in crate::api) async fn end_one(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let is_named = |session: &Session| {
        session.id() == id || id == CURRENT && caller.identity.session == Some(session.hash)
    };
    let found = visible(&api, &caller).await.into_iter().find(|(session, _)| is_named(session));
    let (session, _) = found.ok_or_else(|| ApiError::not_found("Session not found"))?;
    end(&api, &info, &caller, &headers, &[session.hash]).await
}

async fn end(
    api: &Shared,
    info: &RequestInfo,
    caller: &Caller,
    headers: &HeaderMap,
    sessions: &[TokenHash],
) -> Result<Response, ApiError> {
    let target = match sessions {
        [one] => Target::new("session", Session::id_of(*one)),
        _ => Target::new("session", "all"),
    };
    let audit = (!sessions.is_empty()).then(|| caller.record(api, Action::Logout).on(target));
    api.access.end_sessions(sessions, audit).await?;
    let body = Json(Ended { success: true, ended: sessions.len(), meta: info.meta() });
    if !caller.identity.session.is_some_and(|own| sessions.contains(&own)) {
        return Ok(body.into_response());
    }
    let cookie = cookie::clear(api.base(), needs_secure(api, headers));
    let forget = [(HeaderName::from_static("clear-site-data"), "\"cache\", \"cookies\", \"storage\"")];
    Ok((forget, set_cookie(&cookie), body).into_response())
}

/// The sessions that a caller sees: the own ones; an admin without handlers sees all.
async fn visible(api: &Shared, caller: &Caller) -> Vec<(Session, Identity)> {
    let sees_all = caller.grant.allows(Role::Admin) && caller.grant.handlers.is_none();
    let sessions = api.access.sessions().await.into_iter();
    sessions.filter(|(_, holder)| sees_all || is_own(holder, caller)).collect()
}

fn is_own(holder: &Identity, caller: &Caller) -> bool {
    holder.token == caller.identity.token
}

fn set_cookie(line: &str) -> HeaderMap {
    HeaderValue::from_str(line).map(|value| (header::SET_COOKIE, value)).into_iter().collect()
}

/// Whether a cookie may be sent with encryption only: unless the browser is on this machine.
fn needs_secure(api: &Shared, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let local = host.is_some_and(|host| {
        let name = host.host().trim_matches(['[', ']']);
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    !local || api.public_url.as_ref().is_some_and(PublicUrl::is_secure)
}
