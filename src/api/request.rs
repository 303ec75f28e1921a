//! The envelope of every request: its id, its time, the shape of its errors.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{documents::Meta, error::ApiError, input::with_whole_body, state::Shared};
use crate::{access::address::client_address, clock::Stopwatch, scheduler::Actor};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Makes the id of a request.
pub(super) fn new_id() -> String {
    crate::clock::random_token()[..16].to_owned()
}

/// The address of the client behind a request.
fn address_of(api: &Shared, request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let forwarded = request.headers().get_all("x-forwarded-for").iter();
    client_address(peer, forwarded.filter_map(|value| value.to_str().ok()), &api.trusted_proxies)
}

/// The id of a request, and the time since it came.
#[derive(Debug, Clone)]
pub(super) struct RequestInfo {
    id: String,
    address: Option<IpAddr>,
    stopwatch: Stopwatch,
}

impl RequestInfo {
    /// `meta` with the seconds spent so far.
    pub(super) fn meta(&self) -> Meta {
        Meta { message: None, exec_time: self.stopwatch.seconds() }
    }

    /// `meta` with a message.
    pub(super) fn meta_saying(&self, message: impl Into<String>) -> Meta {
        Meta { message: Some(message.into()), ..self.meta() }
    }

    /// The address of the client.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The actor of a request whose token has a name.
    pub(super) fn actor(&self, name: &str) -> Actor {
        Actor { request_id: self.id.clone(), name: Some(name.to_owned()) }
    }
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
pub(super) async fn envelope(State(api): State<Shared>, mut request: Request, next: Next) -> Response {
    let address = address_of(&api, &request);
    let info = RequestInfo { id: new_id(), address, stopwatch: Stopwatch::start() };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(info.clone());
    let request = with_whole_body(request).await;
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&method);
    let mut response = if !reads && api.scheduler.is_stopping() {
        ApiError::unavailable("The server is shutting down").into_response()
    } else {
        next.run(request).await
    };
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        if let Some(inside) = error.inside.as_deref().filter(|_| error.is_server_side()) {
            tracing::error!(request = info.id, %method, path, error = inside, "a request failed");
        }
        let allow = response.headers_mut().remove(header::ALLOW);
        response = error.body(&info.id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    tracing::debug!(
        request = info.id, %method, path, status = response.status().as_u16(),
        seconds = info.stopwatch.seconds(), "request"
    );
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&info.id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
