//! API: the admin interface over HTTP.
//!
//! A request passes [`request::envelope`] (an id, the time it takes, the one shape of errors),
//! then, below `/admin`, [`auth`]; then its handler reads the body or query strictly
//! ([`input`]), asks the scheduler for changes or the store for reads, and answers with a
//! document of [`model`]. Every route is on this screen.

mod actions;
mod auth;
mod error;
mod executions;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handlers;
mod health;
mod input;
mod json;
mod model;
mod read_only;
mod request;
mod schedule;
mod tasks;

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    http::Uri,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::{catch_panic::CatchPanicLayer, normalize_path::NormalizePath};

use self::error::ApiError;
pub use self::{
    auth::Token,
    health::{Readiness, RunnersReady},
};
use crate::{
    clock::Clock,
    domain::{draft::Defaults, panic::text_of},
    events::Events,
    handlers::catalog::Catalog,
    scheduler::Scheduler,
    store::Store,
};

/// What the routes need.
pub struct Api {
    /// For changes.
    pub scheduler: Arc<Scheduler>,
    /// For reads.
    pub store: Arc<dyn Store>,
    /// The handlers there are.
    pub catalog: Catalog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What has happened.
    pub events: Events,
    /// Who may use it.
    pub token: Token,
    /// For fields that a body leaves out.
    pub defaults: Defaults,
    /// For `/ready`.
    pub readiness: Arc<dyn Readiness>,
}

type Shared = Arc<Api>;

/// Every route.
pub fn router(api: Api) -> Router {
    let api = Arc::new(api);
    let routes = Router::new()
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/admin/scheduler", get(tasks::list).post(tasks::create))
        .route(
            "/admin/scheduler/{id}",
            get(tasks::read).put(tasks::update).patch(tasks::update).delete(tasks::delete),
        )
        .route("/admin/scheduler/{id}/actions/run", post(actions::run))
        .route("/admin/scheduler/{id}/actions/pause", post(actions::pause))
        .route("/admin/scheduler/{id}/actions/resume", post(actions::resume))
        .route("/admin/scheduler/{id}/actions/reset-retries", post(actions::reset_retries))
        .route("/admin/scheduler/{id}/actions/cancel", post(actions::cancel))
        .route("/admin/scheduler/{id}/executions", get(executions::list))
        .route("/admin/scheduler/{id}/executions/{execution}", get(executions::read))
        .route("/admin/handlers", get(handlers::list))
        .route("/admin/schedule/preview", get(schedule::preview))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(api.clone(), auth::guard))
        .layer(middleware::from_fn_with_state(api.clone(), request::envelope))
        .with_state(api);
    // A slash at a path's end is dropped before the routes, and so the guard, see the path.
    Router::new().fallback_service(NormalizePath::trim_trailing_slash(routes))
}

async fn no_route(uri: Uri) -> ApiError {
    ApiError::not_found(format!("There is nothing at {}", uri.path()))
}

async fn no_method(method: axum::http::Method, uri: Uri) -> ApiError {
    ApiError::method_not_allowed(format!("{method} is not allowed at {}", uri.path()))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    ApiError::internal(format!("a handler of the API panicked: {}", text_of(&*panic))).into_response()
}
