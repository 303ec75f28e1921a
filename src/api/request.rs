//! The envelope of every request: its id, its time, the shape of its errors.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use super::{documents::Meta, error::ApiError, input::body::with_whole_body, state::Api};
use crate::{
    access::address::client_address,
    clock::Stopwatch,
    domain::audit::{Actor, Holder},
    traces::{About, Open, Traces},
};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Makes the id of a request.
pub(super) fn new_id() -> String {
    crate::clock::random_token()[..16].to_owned()
}

/// The id of a request, the time since it came, and its route.
#[derive(Debug, Clone)]
pub(super) struct RequestInfo(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    id: String,
    address: Option<IpAddr>,
    stopwatch: Stopwatch,
    /// The path of the route in the table, once it is found.
    route: OnceLock<&'static str>,
    /// The span of the request, if traces are recorded.
    span: Option<Open>,
}

impl RequestInfo {
    /// Begins with a request.
    pub(super) fn of(api: &Api, request: &Request) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let forwarded = request.headers().get_all("x-forwarded-for").iter();
        let forwarded = forwarded.filter_map(|value| value.to_str().ok());
        let address = client_address(peer, forwarded, &api.trusted_proxies);
        let (id, stopwatch) = (new_id(), Stopwatch::start());
        let span = if api.traces.is_on() { begin_span(&api.traces, request) } else { None };
        Self(Arc::new(Inside { id, address, stopwatch, route: OnceLock::new(), span }))
    }

    /// Ends the span of the request.
    pub(super) fn end_span(&self, traces: &Traces, method: &Method, status: StatusCode) {
        traces.end(self.0.span, || {
            let route = self.route().unwrap_or("nothing");
            About {
                link: None,
                name: format!("{method} {route}"),
                serves: true,
                attributes: vec![
                    ("http.request.method", method.as_str().into()),
                    ("http.route", route.into()),
                    ("http.response.status_code", u32::from(status.as_u16()).into()),
                ],
                error: status.is_server_error().then(|| status.to_string()),
            }
        });
    }

    /// The seconds since the request came.
    pub(super) fn seconds(&self) -> f64 {
        self.0.stopwatch.seconds()
    }

    /// The path of the request's route in the table; `None`: there is none.
    pub(super) fn route(&self) -> Option<&'static str> {
        self.0.route.get().copied()
    }

    /// Notes the route.
    pub(super) fn found(&self, route: &'static str) {
        let _ = self.0.route.set(route);
    }

    /// `meta` with the seconds spent so far.
    pub(super) fn meta(&self) -> Meta {
        Meta { message: None, exec_time: self.seconds() }
    }

    /// `meta` with a message.
    pub(super) fn meta_saying(&self, message: impl Into<String>) -> Meta {
        Meta { message: Some(message.into()), ..self.meta() }
    }

    /// The answer of an error to a request that passes no envelope.
    pub(super) fn answer_with(&self, error: &ApiError) -> Response {
        let mut response = error.body(&self.0.id);
        response.headers_mut().extend(HeaderValue::from_str(&self.0.id).ok().map(|id| (REQUEST_ID, id)));
        response
    }

    /// The address of the client.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.0.address
    }

    /// The actor of the request.
    pub(super) fn actor(&self, holder: Holder) -> Actor {
        let address = self.address().map(|address| address.to_canonical().to_string());
        let trace = self.0.span.map(|span| span.context);
        Actor { holder, address, request_id: self.0.id.clone(), trace }
    }
}

/// Begins the span of a request, below that of its caller. Questions of monitors are left out.
fn begin_span(traces: &Traces, request: &Request) -> Option<Open> {
    if !request.uri().path().starts_with("/admin/") {
        return None;
    }
    let parent = request.headers().get("traceparent").and_then(|value| value.to_str().ok()?.parse().ok());
    traces.begin(parent)
}

impl<S: Send + Sync> FromRequestParts<S> for RequestInfo {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::internal("a request without envelope"))
    }
}

/// Gives a request its id, refuses changes while the server stops, and puts errors into shape.
pub(super) async fn envelope(
    api: &Api,
    info: &RequestInfo,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let id = &*info.0.id;
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&method);
    let request = with_whole_body(request).await;
    let mut response = if !reads && api.scheduler.is_stopping() {
        ApiError::unavailable("The server is shutting down").into_response()
    } else {
        next(request).await
    };
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        if let Some(inside) = error.inside.as_deref().filter(|_| error.is_server_side()) {
            tracing::error!(request = id, %method, path = uri.path(), error = inside, "a request failed");
        }
        let allow = response.headers_mut().remove(header::ALLOW);
        response = error.body(id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    tracing::debug!(
        request = id, %method, path = uri.path(), status = response.status().as_u16(),
        seconds = info.seconds(), "request"
    );
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
