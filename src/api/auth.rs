//! Access: a token gives a request its [`Caller`], and a route names the role that it needs.
//!
//! Everything below `/admin` needs a token, whether there is a route or not, so that a
//! stranger does not learn which routes and ids exist. A route that needs a role also checks for
//! itself that there is a caller: a route outside `/admin` is not open by mistake.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{error::ApiError, request::RequestInfo, state::Shared};
use crate::{
    domain::{
        access::{Grant, Role},
        ids::TaskId,
    },
    scheduler::Actor,
    store::StoreError,
};

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
}

impl Caller {
    /// The name of the token, for bounds per token.
    pub(super) fn token_name(&self) -> &'static str {
        "config"
    }

    /// The rights of the token by now; `None` if it has none any more. For answers that go on.
    #[expect(clippy::unused_async, reason = "tokens that end are in the store")]
    pub(super) async fn look_again(&self, _api: &Shared) -> Option<Grant> {
        Some(self.grant.clone())
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

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::no_token)
    }
}

/// Lets only requests with the token pass below `/admin`, each with its caller.
pub(super) async fn guard(State(api): State<Shared>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != "/admin" && !path.starts_with("/admin/") {
        return next.run(request).await;
    }
    if let Err(error) = check_token(&api, &request) {
        return error.into_response();
    }
    if let Some(info) = request.extensions().get::<RequestInfo>() {
        let caller = Caller { actor: info.actor(), grant: Grant::admin() };
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

fn check_token(api: &Shared, request: &Request) -> Result<(), ApiError> {
    let header = request.headers().get(header::AUTHORIZATION).ok_or_else(ApiError::no_token)?;
    let token = match header.as_bytes().split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => token.trim_ascii(),
        _ => {
            return Err(ApiError::unauthorized(
                "The Authorization header must have the form: Bearer <token>",
            ));
        }
    };
    if api.token.accepts(token) { Ok(()) } else { Err(ApiError::unauthorized("The token is not known")) }
}

/// Refuses requests without a known token, and those whose token has a lower role.
pub(super) async fn require_role(
    State(needed): State<Role>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    if caller.grant.allows(needed) {
        next.run(request).await
    } else {
        ApiError::role_too_low(needed, caller.grant.role).into_response()
    }
}
