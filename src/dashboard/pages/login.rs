//! Login and logout.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
};

use crate::dashboard::{
    Shared,
    ask::Fault,
    forms::Form,
    links::Query,
    session,
    visit::{Bare, Preferences},
};

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    bare: Bare<'a>,
    /// The page to go to afterwards, without the base.
    next: &'a str,
    problem: Option<&'a str>,
}

/// `GET /login`.
pub(in crate::dashboard) async fn form(
    State(dashboard): State<Shared>,
    headers: HeaderMap,
    uri: axum::http::Uri,
) -> Result<Response, Fault> {
    let query = Query::read(uri.query().unwrap_or_default());
    let bare = Bare { links: &dashboard.links, preferences: Preferences::read(&headers) };
    show(&Login { bare, next: query.get("next"), problem: None }, StatusCode::OK)
}

/// `POST /login`.
pub(in crate::dashboard) async fn enter(
    State(dashboard): State<Shared>,
    parts: Parts,
    form: Form,
) -> Result<Response, Fault> {
    let links = &dashboard.links;
    let opened = session::open(&dashboard, &parts, form.get("token").trim()).await;
    let (problem, status) = match opened {
        Ok(cookie) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            let next = links.to(form.get("next"));
            let next = if links.within(&next).is_some() { next } else { links.root() };
            let headers = response.headers_mut();
            headers.extend(HeaderValue::try_from(next).ok().map(|next| (header::LOCATION, next)));
            headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
            return Ok(response);
        }
        Err(Fault::NoSession) => {
            ("This token is not known. Check that it is complete.".to_owned(), StatusCode::UNAUTHORIZED)
        }
        Err(Fault::Refused(refusal)) if refusal.code == 429 => {
            (refusal.message, StatusCode::TOO_MANY_REQUESTS)
        }
        Err(fault) => return Err(fault),
    };
    let bare = Bare { links, preferences: Preferences::read(&parts.headers) };
    show(&Login { bare, next: form.get("next"), problem: Some(&problem) }, status)
}

/// `POST /logout`.
pub(in crate::dashboard) async fn leave(State(dashboard): State<Shared>, parts: Parts) -> Response {
    let cookie = session::close(&dashboard, &parts).await;
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(login) = HeaderValue::try_from(dashboard.links.login()) {
        headers.insert(header::LOCATION, login);
    }
    headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    headers.insert(
        HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"cache\", \"storage\""),
    );
    response
}

fn show(page: &Login<'_>, status: StatusCode) -> Result<Response, Fault> {
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Html(page.render()?)).into_response())
}
