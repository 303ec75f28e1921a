//! Front: the way of every request to its route and back.
//!
//! One function instead of layers around each route: axum clones a route with all its layers for each
//! request.

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use tower_http::catch_panic::{CatchPanic, CatchPanicLayer};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    auth,
    error::ApiError,
    notes,
    request::{RequestInfo, envelope},
    state::Shared,
};
use crate::domain::panic::text_of;

type Panicked = fn(Box<dyn Any + Send>) -> Response;

/// The API, ready to answer.
#[derive(Clone)]
pub struct Front(Arc<Inside>);

struct Inside {
    api: Shared,
    routes: CatchPanic<Router, Panicked>,
}

impl Front {
    pub(super) fn new(api: Shared, routes: Router) -> Self {
        Self(Arc::new(Inside { api, routes: CatchPanicLayer::custom(panicked as Panicked).layer(routes) }))
    }

    /// The id of the newest event.
    pub fn newest_event(&self) -> String {
        self.0.api.events.newest_id()
    }

    /// Answers a request, and counts it by its route, its status and its time.
    pub async fn answer(&self, mut request: Request) -> Response {
        let Inside { api, routes } = &*self.0;
        let info = RequestInfo::of(api, &request);
        let method = api.traces.is_on().then(|| request.method().clone());
        request.extensions_mut().insert(info.clone());
        let response = envelope(api, &info, request, async |request| {
            auth::guard(api, &info, request, async |request| match routes.clone().call(request).await {
                Ok(response) => response.map(axum::body::Body::new),
                Err(never) => match never {},
            })
            .await
        })
        .await;
        api.metrics.count_request(info.route(), response.status().as_u16(), info.seconds());
        if let Some(method) = method {
            info.end_span(&api.traces, &method, response.status());
        }
        response
    }
}

impl Front {
    /// Refuses a change that another site made a browser ask for, and notes it in the audit.
    pub(super) async fn refuse_other_site(&self, request: Request, error: ApiError) -> Response {
        let api = &self.0.api;
        let (info, path) = (RequestInfo::of(api, &request), request.uri().path().to_owned());
        drop(request);
        notes::note_other_site(api, &info, &path, error.message()).await;
        info.answer_with(&error)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    ApiError::internal(format!("a handler of the API panicked: {}", text_of(&*panic))).into_response()
}
