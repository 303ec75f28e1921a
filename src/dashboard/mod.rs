//! Dashboard: the pages that people see.
//!
//! A page is a client of the API inside the same process: a [`visit::Visit`] (one request of one
//! person) asks the routes of [`crate::api`] with the visitor's own credentials ([`ask`]), reads the
//! [`documents`] that come back and shows them in a template. So roles, scopes, masks, audit and limits hold
//! for pages without a second check, and a page cannot show more than the API tells.
//!
//! A page is whole without script: links, forms and a redirect after each change. Scripts add to it:
//! a region of a page has its own address (`?part=rows`), and is fetched again when something in
//! it has changed.
//!
//! Misuse to avoid: a path in a template (every address is in [`links`]); HTML made by hand
//! ([`markup`] and the templates escape, so no template says `safe`); a second read beside the API.

mod ansi;
mod ask;
mod assets;
mod documents;
mod forms;
mod links;
mod markup;
mod pages;
mod session;
mod shown;
mod status;
mod svg;
mod times;
mod visit;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::compression::{
    CompressionLayer, CompressionLevel,
    predicate::{DefaultPredicate, Predicate, SizeAbove},
};
use tower_service::Service;

use self::{
    ask::Fault,
    assets::Assets,
    links::Links,
    pages::{
        admin::{audit, bindings, tokens},
        alerts, bulk,
        code::{difference, handler, handlers},
        edit, login, overview,
        plan::{calendar, timeline},
        reference,
        run::{execution, executions, rerun},
        search, settings, task, task_actions, tasks, why,
    },
};
use crate::{api::Front, clock::Clock};

/// All that the pages share.
pub(crate) struct Dashboard {
    /// The API, called without a connection.
    api: Front,
    links: Links,
    assets: Assets,
    clock: Arc<dyn Clock>,
}

type Shared = Arc<Dashboard>;

/// Pages smaller than this are sent as they are, in bytes.
const WORTH_PACKING: u64 = 1024;

/// The dashboard in front of the API.
#[derive(Clone)]
pub struct Site {
    api: Front,
    pages: Router,
}

impl Site {
    /// Every address in a page begins with `base`, the path of the public URL; the paths of requests come
    /// without it.
    pub fn new(api: Front, base: &str, clock: Arc<dyn Clock>) -> Self {
        let assets = Assets::load();
        let links = Links::new(base, assets.version());
        let dashboard = Arc::new(Dashboard { api: api.clone(), links, assets, clock });
        let packed = CompressionLayer::new()
            .quality(CompressionLevel::Fastest)
            .compress_when(DefaultPredicate::new().and(SizeAbove::new(WORTH_PACKING)));
        let pages = every_page()
            .layer(middleware::from_fn_with_state(dashboard.clone(), dress))
            .layer(packed)
            .route("/assets/{version}/{*name}", get(assets::serve))
            .layer(middleware::map_response(protect))
            .fallback(elsewhere)
            .with_state(dashboard);
        Self { api, pages }
    }

    /// Answers a request. Requests for the API pass no route, and no layer, of the pages.
    pub async fn answer(mut self, request: Request) -> Response {
        if is_of_api(request.uri().path()) {
            return self.api.answer(request).await;
        }
        let Ok(response) = self.pages.call(request).await;
        response
    }
}

/// Whether a path belongs to the API alone.
fn is_of_api(path: &str) -> bool {
    const STARTS: [&str; 5] = ["/admin", "/health", "/ready", "/metrics", "/openapi.json"];
    STARTS.iter().any(|start| path.starts_with(start))
}

/// Every page: its path and its handlers.
#[rustfmt::skip]
fn every_page() -> Router<Shared> {
    Router::new()
        .route("/", get(overview::show))
        .route("/login", get(login::form).post(login::enter))
        .route("/logout", post(login::leave))
        .route("/settings", post(settings::save))
        .route("/calendar", get(calendar::show))
        .route("/timeline", get(timeline::show))
        .route("/handlers", get(handlers::show))
        .route("/handlers/{*name}", get(handler::show))
        .route("/sources/{old}/{new}", get(difference::show))
        .route("/docs", get(reference::show))
        .route("/search", get(search::show))
        .route("/alerts", get(alerts::show))
        .route("/alerts/mute", get(alerts::ask_mute).post(alerts::mute))
        .route("/alerts/test", post(alerts::test))
        .route("/tokens", get(tokens::show).post(tokens::create))
        .route("/tokens/{id}/{action}", post(tokens::act))
        .route("/secrets", get(bindings::show).post(bindings::set))
        .route("/secrets/{kind}/{name}/delete", post(bindings::delete))
        .route("/audit", get(audit::show))
        .route("/preview", get(edit::preview))
        .route("/tasks", get(tasks::list))
        .route("/executions", get(executions::list))
        .route("/tasks/bulk", get(bulk::ask).post(bulk::act))
        .route("/tasks/new", get(edit::new).post(edit::create))
        .route("/tasks/{id}", get(task::show))
        .route("/tasks/{id}/why", get(why::show))
        .route("/tasks/{id}/edit", get(edit::edit).post(edit::update))
        .route("/tasks/{id}/{action}", get(task_actions::ask).post(task_actions::act))
        .route("/executions/{id}", get(execution::show))
        .route("/executions/{id}/{action}", get(rerun::ask).post(rerun::act))
}

/// Requests for no page: a browser that has followed a wrong link sees a page, every other client
/// the answer of the API.
async fn elsewhere(State(dashboard): State<Shared>, request: Request) -> Response {
    let path = request.uri().path();
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if request.method() != Method::GET || !accepts.is_some_and(|kinds| kinds.contains("text/html")) {
        return dashboard.api.answer(request).await;
    }
    let fault = Fault::not_found(&format!("There is no page at {path}"));
    let asked = visit::Asked::of(&request);
    protect(visit::dress(&dashboard, &asked, fault.into_response())).await
}

/// Gives an error its page.
async fn dress(State(dashboard): State<Shared>, request: Request, next: Next) -> Response {
    let asked = visit::Asked::of(&request);
    let response = next.run(request).await;
    visit::dress(&dashboard, &asked, response)
}

/// The headers of every page and asset: nothing is loaded from elsewhere, no script or style is in
/// a page itself, and no other page may frame one.
async fn protect(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
