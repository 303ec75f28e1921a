//! Errors as pages: the login for those who have no session, and a page for everything else.

use askama::Template;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{Bare, Preferences};
use crate::dashboard::{
    Dashboard,
    ask::{Fault, Refusal},
    links::Query,
    markup::show_turns,
};

/// The mark in the address of a page that was asked for a second time, see [`hop`].
const HERE: &str = "here";

/// The parts of a request that decide about its error page.
pub(in crate::dashboard) struct Asked {
    /// The address, without the base.
    address: String,
    query: Query,
    reads: bool,
    /// By a script, for a part of a page.
    by_script: bool,
    from_elsewhere: bool,
    preferences: Preferences,
}

impl Asked {
    pub(in crate::dashboard) fn of(request: &Request) -> Self {
        let headers = request.headers();
        let uri = request.uri();
        Self {
            address: uri.path_and_query().map_or("/", |address| address.as_str()).to_owned(),
            query: Query::read(uri.query().unwrap_or_default()),
            reads: request.method() == Method::GET,
            by_script: headers.contains_key("hx-request"),
            from_elsewhere: headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site"),
            preferences: Preferences::read(headers),
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    bare: Bare<'a>,
    status: u16,
    title: &'a str,
    message: &'a str,
    problems: Vec<String>,
}

#[derive(Template)]
#[template(path = "hop.html")]
struct Hop {
    address: String,
}

/// Puts a page in the place of a [`Fault`].
pub(in crate::dashboard) fn dress(dashboard: &Dashboard, asked: &Asked, mut response: Response) -> Response {
    let Some(fault) = response.extensions_mut().remove::<Fault>() else { return response };
    let links = &dashboard.links;
    if let Fault::Broken(why) = &fault {
        tracing::error!(address = asked.address, error = why, "a page cannot be shown");
    }
    if matches!(fault, Fault::NoSession) {
        let next = if asked.reads && asked.address != "/" { asked.address.as_str() } else { "" };
        let login = Query::default().with("next", next).after(&links.login());
        if asked.by_script {
            return (StatusCode::UNAUTHORIZED, one("hx-redirect", &login)).into_response();
        }
        if asked.reads && asked.from_elsewhere && asked.query.get(HERE).is_empty() {
            let (path, _) = asked.address.split_once('?').unwrap_or((&asked.address, ""));
            return hop(asked.query.with(HERE, 1).after(&links.to(path)));
        }
        return (StatusCode::SEE_OTHER, one("location", &login)).into_response();
    }
    let (message, problems) = match &fault {
        Fault::Refused(Refusal { message, details, .. }) => {
            let problems =
                details.iter().map(|detail| crate::domain::draft::sentence(&detail.field, &detail.problem));
            (message.as_str(), problems.collect())
        }
        _ => ("The server could not show this page. Its log says why.", Vec::new()),
    };
    let status = fault.status();
    let title = match status.as_u16() {
        403 => "Not allowed",
        404 => "Not found",
        409 => "Not possible now",
        503 => "Not now",
        500.. => "Something went wrong",
        _ => "Not accepted",
    };
    let bare = Bare { links, preferences: asked.preferences };
    let page = ErrorPage { bare, status: status.as_u16(), title, message, problems };
    let mut response = match page.render() {
        Ok(html) => (status, Html(show_turns(html))).into_response(),
        Err(_) => status.into_response(),
    };
    if asked.by_script {
        // A part of a page stays as it was.
        response.headers_mut().insert("hx-reswap", HeaderValue::from_static("none"));
    }
    response
}

/// A page that asks for the same address again. A link on another site brings no cookie with it;
/// the second request comes from this page, and so from this site.
fn hop(address: String) -> Response {
    match (Hop { address }).render() {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn one(name: &'static str, value: &str) -> HeaderMap {
    let value = HeaderValue::try_from(value).ok();
    value.map(|value| (HeaderName::from_static(name), value)).into_iter().collect()
}
