//! Ask: requests of a page to the API, in the same process and with the visitor's credentials.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::api::Front;

/// The headers by which the API knows a visitor, and tells the own pages' requests from others.
const KEPT: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
    header::USER_AGENT,
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// Asks the API on behalf of one visitor.
#[derive(Clone)]
pub(super) struct Ask {
    api: Front,
    headers: HeaderMap,
    peer: Option<ConnectInfo<SocketAddr>>,
}

/// Why a page cannot be shown.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// Nobody is logged in.
    NoSession,
    /// The API refused.
    Refused(Refusal),
    /// A page or a document is not as it should be; the text is for the log.
    Broken(String),
}

/// An error as the API tells it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Refusal {
    /// The status, such as 404.
    pub(super) code: u16,
    /// The sentence for people.
    pub(super) message: String,
    /// Problems with single fields.
    #[serde(default)]
    pub(super) details: Vec<Problem>,
}

/// A problem with one field.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Problem {
    pub(super) field: String,
    pub(super) problem: String,
}

impl Ask {
    /// Asks with the credentials of a request.
    pub(super) fn like(api: Front, parts: &Parts) -> Self {
        let kept = parts.headers.iter().filter(|(name, _)| KEPT.contains(name));
        let headers: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { api, headers, peer: parts.extensions.get().copied() }
    }

    /// Asks with one more header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Makes a change, and reads the cookie that the answer sets.
    ///
    /// # Errors
    /// When the API refuses.
    pub(super) async fn cookie(&self, method: Method, path: &str) -> Result<Option<HeaderValue>, Fault> {
        let (mut headers, _) = self.answer(method, path, None).await?;
        Ok(headers.remove(header::SET_COOKIE))
    }

    /// Reads a document.
    ///
    /// # Errors
    /// When the API refuses, or its answer is no such document.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let bytes = self.request(Method::GET, path, None).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Fault::Broken(format!("the document of {path}: {error}")))
    }

    /// Makes a change, and reads the answer.
    ///
    /// # Errors
    /// When the API refuses.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Value, Fault> {
        let bytes = self.request(method, path, body).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Fault::Broken(format!("the answer of {path}: {error}")))
    }

    async fn request(&self, method: Method, path: &str, body: Option<String>) -> Result<Vec<u8>, Fault> {
        self.answer(method, path, body).await.map(|(_, bytes)| bytes)
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(HeaderMap, Vec<u8>), Fault> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
            if body.is_some() {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from));
        let mut request = request.map_err(|error| Fault::Broken(format!("a request for {path}: {error}")))?;
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let response = self.api.answer(request).await;
        let status = response.status();
        let (parts, body) = response.into_parts();
        let body = body.collect().await;
        let bytes = body.map_err(|error| Fault::Broken(format!("the body of {path}: {error}")))?.to_bytes();
        if status.is_success() {
            return Ok((parts.headers, bytes.into()));
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(Fault::NoSession);
        }
        let refusal = serde_json::from_slice(&bytes);
        Err(refusal
            .map_or_else(|error| Fault::Broken(format!("the error of {path}: {error}")), Fault::Refused))
    }
}

impl Fault {
    /// A page that is not there.
    pub(super) fn not_found(message: &str) -> Self {
        Self::Refused(Refusal { code: 404, message: message.to_owned(), details: Vec::new() })
    }

    /// The status of the page that tells about it.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoSession => StatusCode::UNAUTHORIZED,
            Self::Refused(Refusal { code, .. }) => {
                StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<askama::Error> for Fault {
    fn from(error: askama::Error) -> Self {
        Self::Broken(format!("a template: {error}"))
    }
}
