//! Access: a token or a session gives a request its [`Caller`], and a route names the role that it needs.
//!
//! Everything below `/admin` needs a caller, whether there is a route or not, so that a
//! stranger does not learn which routes and ids exist. A route that needs a role also checks for
//! itself that there is a caller: a route outside `/admin` is not open by mistake.

use axum::{
    RequestExt,
    extract::{FromRequestParts, RawPathParams, Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{error::ApiError, notes, request::RequestInfo, state::Shared, things::About};
use crate::{
    access::{Identity, cookie},
    domain::{
        Millis,
        access::{Grant, Role},
        audit::{Action, Audit},
        ids::TaskId,
    },
    scheduler::Actor,
    store::StoreError,
};

/// When the token of the request ends, in epoch milliseconds.
const EXPIRES_AT: HeaderName = HeaderName::from_static("x-token-expires-at");
/// Answers tell the end of a token that is no further away than this, in milliseconds.
const ENDS_SOON: Millis = 30 * 24 * 3_600_000;

/// The least that a request must show for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// No token.
    Anyone,
    /// A token with this role, or one above it.
    Role(Role),
}

impl From<Role> for Need {
    fn from(role: Role) -> Self {
        Self::Role(role)
    }
}

/// The actor of a request, and the rights of its token.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// For the audit of a change.
    pub(super) actor: Actor,
    /// The rights.
    pub(super) grant: Grant,
    /// The token and the session behind it.
    pub(super) identity: Identity,
}

impl Caller {
    /// The name of the token, for bounds per token.
    pub(super) fn token_name(&self) -> &str {
        &self.identity.name
    }

    /// The audit record of an action of the caller.
    pub(super) fn record(&self, api: &Shared, action: Action) -> Audit {
        self.actor.record(action, api.clock.now())
    }

    /// The rights of the token by now; `None` if it has none any more. For answers that go on.
    pub(super) async fn look_again(&self, api: &Shared) -> Option<Grant> {
        api.access.look_again(&self.identity).await
    }

    /// Refuses a token that is for some handlers where an answer is about the tasks of all.
    ///
    /// # Errors
    /// 403.
    pub(super) fn ensure_covers_all(&self) -> Result<(), ApiError> {
        if self.grant.handlers.is_none() { Ok(()) } else { Err(ApiError::beyond_handlers()) }
    }

    /// Refuses a caller whose role is below that of a route, or whose token is for some handlers where the
    /// route does not look at them.
    ///
    /// # Errors
    /// 403.
    fn ensure_may(&self, role: Role, is_bounded: bool) -> Result<(), ApiError> {
        if !self.grant.allows(role) {
            return Err(ApiError::role_too_low(role, self.grant.role));
        }
        if self.grant.handlers.is_some() && !is_bounded {
            let problem = "The token is bound to handlers: this is about the tasks of all of them";
            return Err(ApiError::forbidden(problem));
        }
        Ok(())
    }

    /// The caller of a request.
    ///
    /// # Errors
    /// 401 that says why there is none.
    fn of(extensions: &Extensions) -> Result<&Self, ApiError> {
        let refused = || extensions.get::<Refused>().map(|refused| refused.0.clone());
        extensions.get::<Self>().ok_or_else(|| refused().unwrap_or_else(ApiError::no_token))
    }

    /// Whether nothing in params and results is masked for the caller.
    pub(super) fn sees_all_values(&self) -> bool {
        self.grant.allows(Role::Editor)
    }

    /// Refuses a handler that the token is not for.
    ///
    /// # Errors
    /// 403 that names the handler.
    pub(super) fn ensure_handler(&self, handler: &str) -> Result<(), ApiError> {
        if self.grant.covers(handler) {
            return Ok(());
        }
        Err(ApiError::forbidden(format!("The token is not for the handler \"{handler}\"")))
    }

    /// Refuses a task of another handler than those of the token, as if there were no such task.
    /// A token without handlers costs no read.
    ///
    /// # Errors
    /// 404 `Task not found`; an error of the store.
    pub(super) async fn ensure_covers(&self, api: &Shared, id: TaskId) -> Result<(), ApiError> {
        if self.grant.handlers.is_none() {
            return Ok(());
        }
        let task = api.store.task(id).await?.ok_or(StoreError::NotFound)?;
        if self.grant.covers(&task.definition.handler) { Ok(()) } else { Err(StoreError::NotFound.into()) }
    }
}

/// Why a token that a request brought does not let it in.
#[derive(Debug, Clone)]
struct Refused(ApiError);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::of(&parts.extensions).cloned()
    }
}

/// Finds the caller of a request by its token or its session. Below `/admin` only requests with a caller
/// pass.
pub(super) async fn guard(
    api: &Shared,
    info: &RequestInfo,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let path = request.uri().path();
    let is_admin = path == "/admin" || path.starts_with("/admin/");
    let found = identify(api, request.headers(), info).await;
    let end = found.as_ref().ok().and_then(|identity| identity.expires_at);
    match found {
        Ok(identity) => {
            let actor = info.actor(notes::holder(&identity));
            let caller = Caller { actor, grant: identity.grant.clone(), identity };
            request.extensions_mut().insert(caller);
        }
        Err(error) if is_admin => return error.into_response(),
        Err(error) => drop(request.extensions_mut().insert(Refused(error))),
    }
    let mut response = next(request).await;
    // So that a program that uses the token can warn in time.
    if let Some(end) = end.filter(|end| end - api.clock.now() <= ENDS_SOON) {
        response.headers_mut().insert(EXPIRES_AT, HeaderValue::from(end));
    }
    response
}

/// The holder of the token or the session that a request brings. A token counts before a session.
async fn identify(api: &Shared, headers: &HeaderMap, info: &RequestInfo) -> Result<Identity, ApiError> {
    if let Some(header) = headers.get(header::AUTHORIZATION) {
        let token = match header.as_bytes().split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => token.trim_ascii(),
            _ => {
                return Err(ApiError::unauthorized(
                    "The Authorization header must have the form: Bearer <token>",
                ));
            }
        };
        // A right token always passes: whoever fails behind the same proxy must not lock it out.
        let denied = match api.access.find_token(token, info.address()).await {
            Ok(identity) => return Ok(identity),
            Err(denied) => denied.to_string(),
        };
        // Boxed, as a refusal below: what seldom happens makes the future of each request no larger.
        Box::pin(notes::note_failed_login(api, info, &denied)).await;
        return Err(match api.access.note_failure(info.address()) {
            Ok(()) => ApiError::unauthorized(&denied),
            Err(seconds) => ApiError::too_many_failures(seconds),
        });
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let text = cookie::read(cookies).ok_or_else(ApiError::no_token)?;
    let found = api.access.find_session(text, info.address()).await;
    found.map_err(|denied| ApiError::unauthorized(&denied.to_string()))
}

/// The rule of a route.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) api: Shared,
    /// The path in the table.
    pub(super) path: &'static str,
    pub(super) need: Need,
    pub(super) about: About,
    /// Whether a token that is bound to handlers may pass.
    pub(super) is_bounded: bool,
}

/// Holds the rule of a route: refuses callers without the role, and masks the answer for those who must
/// not see all of it.
pub(super) async fn hold(State(rule): State<Rule>, mut request: Request, next: Next) -> Response {
    if let Some(info) = request.extensions().get::<RequestInfo>() {
        info.found(rule.path);
    }
    let Need::Role(role) = rule.need else { return next.run(request).await };
    let caller = match Caller::of(request.extensions()) {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    let refused = caller.ensure_may(role, rule.is_bounded).err();
    let sees_all = caller.sees_all_values();
    // A read that passes is not in the audit, and costs nothing for it.
    let noted = (refused.is_some() || !request.method().is_safe()).then(|| caller.clone());
    let names = if noted.is_some() { request.extract_parts::<RawPathParams>().await.ok() } else { None };
    let response = match refused {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    };
    if let (Some(why), Some(caller)) = (notes::refusal_of(&response), noted) {
        let who = (&caller.actor, &caller.identity);
        Box::pin(notes::note_refusal(&rule.api, who, rule.about, names, why)).await;
    }
    if sees_all { response } else { mask(&rule.api, response).await }
}

/// Masks values in the params and results of a JSON answer.
async fn mask(api: &Shared, response: Response) -> Response {
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !json {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return ApiError::internal("an answer without an end").into_response();
    };
    let Ok(mut document) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
        return ApiError::internal("an answer that is no JSON").into_response();
    };
    api.redaction.mask_document(&mut document);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, document.to_string().into())
}
