//! Who may use the admin API.

use axum::{
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Shared, error::ApiError};

/// The admin token, of which only the hash is kept.
pub struct Token([u8; 32]);

impl Token {
    /// The token with this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    fn accepts(&self, text: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(text).into();
        given.ct_eq(&self.0).into()
    }
}

/// Lets requests below `/admin` pass that bring the token.
pub(super) async fn guard(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != "/admin" && !path.starts_with("/admin/") {
        return next.run(request).await;
    }
    let Some(header) = request.headers().get(header::AUTHORIZATION) else {
        return ApiError::unauthorized("A token is needed: send the header Authorization: Bearer <token>")
            .into_response();
    };
    let bytes = header.as_bytes();
    let token = match bytes.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => token.trim_ascii(),
        _ => {
            return ApiError::unauthorized("The Authorization header must have the form: Bearer <token>")
                .into_response();
        }
    };
    if api.token.accepts(token) {
        next.run(request).await
    } else {
        ApiError::unauthorized("The token is not known").into_response()
    }
}
