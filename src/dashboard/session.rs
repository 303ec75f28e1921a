//! Session: a visitor logs in and out. The API opens and ends the session, and makes its cookie.

use axum::http::{HeaderValue, Method, header, request::Parts};

use super::{
    Shared,
    ask::{Ask, Fault},
};

/// Opens a session with a token: the header that sets its cookie.
///
/// # Errors
/// When the token does not let in, or the session cannot be opened.
pub(super) async fn open(
    dashboard: &Shared,
    parts: &Parts,
    token: &str,
) -> Result<Option<HeaderValue>, Fault> {
    let credentials = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Fault::NoSession)?;
    let ask = Ask::like(dashboard.api.clone(), parts).with(header::AUTHORIZATION, credentials);
    ask.cookie(Method::POST, "/admin/sessions").await
}

/// Ends the session of a request: the header that makes the browser forget its cookie.
pub(super) async fn close(dashboard: &Shared, parts: &Parts) -> Option<HeaderValue> {
    let ask = Ask::like(dashboard.api.clone(), parts);
    ask.cookie(Method::DELETE, "/admin/sessions/current").await.ok().flatten()
}
