//! Measures: each request is counted by its route, its status and its time.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use super::state::Shared;
use crate::clock::Stopwatch;

/// Counts a request and its answer.
pub(super) async fn measure(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let stopwatch = Stopwatch::start();
    let response = next.run(request).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    api.metrics.count_request(route, response.status().as_u16(), stopwatch.seconds());
    response
}
