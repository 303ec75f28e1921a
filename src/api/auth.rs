//! Access: a token gives a request its [`Caller`], and a route asks for a role.
//!
//! Everything below `/admin` needs the token, whether there is a route or not, so that a
//! stranger does not learn which routes and ids exist. A route of [`Role::Admin`] also checks for
//! itself that there is a caller: a route outside `/admin` is not open by mistake.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{error::ApiError, request::RequestInfo, state::Shared};
use crate::scheduler::Actor;

/// The role that a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// No token is needed.
    Anyone,
    /// The admin token is needed.
    Admin,
}

/// The actor of a request, for handlers that change something.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) Actor);

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
        let caller = Caller(info.actor());
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

/// Refuses requests without a known token.
pub(super) async fn require_caller(_caller: Caller, request: Request, next: Next) -> Response {
    next.run(request).await
}
