//! Session: the cookie of a visitor who has logged in.

use axum::http::{HeaderMap, HeaderValue, header, request::Parts};

use super::{Shared, ask::Ask, links::Links, visit};

/// The name of the cookie.
const NAME: &str = "isochron";

/// Checks a token; the error is a sentence for the login page.
pub(super) async fn check(dashboard: &Shared, token: &str) -> Result<(), String> {
    let refused = || "This token is not known. Check that it is complete.".to_owned();
    let mut headers = HeaderMap::new();
    headers.insert(
        header::AUTHORIZATION,
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| refused())?,
    );
    let ask = Ask::with(dashboard.api.clone(), headers);
    ask.get::<serde_json::Value>("/admin/scheduler?limit=1").await.map(drop).map_err(|_| refused())
}

/// The header that sets the cookie.
pub(super) fn cookie(links: &Links, token: &str) -> Option<HeaderValue> {
    let end = if token.is_empty() { "; Max-Age=0" } else { "" };
    let cookie = format!("{NAME}={token}; Path={}; HttpOnly; SameSite=Strict{end}", links.root());
    HeaderValue::try_from(cookie).ok()
}

/// The credentials of a request.
pub(super) fn credentials(parts: &Parts) -> Option<HeaderValue> {
    let token = visit::cookie(&parts.headers, NAME)?;
    HeaderValue::try_from(format!("Bearer {token}")).ok()
}
