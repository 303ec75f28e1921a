//! Login and logout.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use crate::dashboard::{
    Shared,
    ask::Fault,
    forms::Form,
    links::Query,
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
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Fault> {
    let links = &dashboard.links;
    let token = form.get("token").trim();
    if let Err(problem) = super::super::session::check(&dashboard, token).await {
        let bare = Bare { links, preferences: Preferences::read(&headers) };
        let page = Login { bare, next: form.get("next"), problem: Some(&problem) };
        return show(&page, StatusCode::UNAUTHORIZED);
    }
    let next = links.to(form.get("next"));
    let next = if links.within(&next).is_some() { next } else { links.root() };
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(next) = HeaderValue::try_from(next) {
        response.headers_mut().insert(header::LOCATION, next);
    }
    response
        .headers_mut()
        .extend(super::super::session::cookie(links, token).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// `POST /logout`.
pub(in crate::dashboard) async fn leave(State(dashboard): State<Shared>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(login) = HeaderValue::try_from(dashboard.links.login()) {
        headers.insert(header::LOCATION, login);
    }
    headers.extend(
        super::super::session::cookie(&dashboard.links, "").map(|cookie| (header::SET_COOKIE, cookie)),
    );
    headers.insert(
        HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"cache\", \"storage\""),
    );
    response
}

fn show(page: &Login<'_>, status: StatusCode) -> Result<Response, Fault> {
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Html(page.render()?)).into_response())
}
