//! The one shape of every error: a text for the client, and with 500 a cause for the log.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    access::TokenError,
    domain::{
        access::Role,
        binding::Rejected,
        draft::{Problem, sentence},
        step::Refused,
    },
    scheduler::ControlError,
    secrets::VaultError,
    store::{StateError, StoreError},
};

/// Seconds after which a client may ask again for what a database that is away has kept from it.
const RETRY_AFTER: u32 = 2;

/// An error on its way to the client. The envelope adds the request's id and logs the cause.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
    details: Vec<Problem>,
    /// Seconds after which the client may try again.
    retry_after: Option<u32>,
    /// The cause, for the log only.
    pub(super) inside: Option<String>,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), details: Vec::new(), retry_after: None, inside: None }
    }

    /// Whether the store alone was the cause, and the same request may succeed later.
    pub(super) fn passes(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE && self.retry_after.is_some()
    }

    /// The text for the client.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400 that names every wrong field.
    pub(super) fn invalid(problems: Vec<Problem>) -> Self {
        let texts: Vec<_> = problems.iter().map(|p| sentence(&p.field, &p.problem)).collect();
        let message = format!("Invalid request: {}", texts.join("; "));
        Self { details: problems, ..Self::bad_request(message) }
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    pub(super) fn no_token() -> Self {
        Self::unauthorized("A token is needed: send the header Authorization: Bearer <token>")
    }

    /// 403 that names the role that the route needs.
    pub(super) fn role_too_low(needed: Role, own: Role) -> Self {
        Self::forbidden(format!(
            "The role {} is needed; the token has the role {}",
            needed.name(),
            own.name()
        ))
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 429 for an address that has brought too many wrong tokens.
    pub(super) fn too_many_failures(seconds: u32) -> Self {
        let message = format!("Too many wrong tokens came from this address: try again in {seconds} seconds");
        Self::new(StatusCode::TOO_MANY_REQUESTS, message).retry_after(seconds)
    }

    /// 403 for figures over all tasks, for a token of some.
    pub(super) fn beyond_handlers() -> Self {
        let message = "The token is for some handlers, and this is about the tasks of all";
        Self::new(StatusCode::FORBIDDEN, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(super) fn method_not_allowed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    pub(super) fn unsupported_media(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// The same error, with the time of the next try.
    pub(super) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub(super) fn internal(inside: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error");
        error.inside = Some(inside.into());
        error
    }

    pub(super) fn is_server_side(&self) -> bool {
        self.status.is_server_error()
    }

    /// The answer to the client.
    pub(super) fn body(&self, request_id: &str) -> Response {
        let code = self.status.as_u16();
        let mut body = json!({
            "error": true,
            "code": code,
            "errorNum": code,
            "errorMessage": self.message,
            "message": self.message,
        });
        if !self.details.is_empty() {
            body["details"] = json!(self.details);
        }
        body["requestId"] = json!(request_id);
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found("Task not found"),
            StoreError::NameTaken(_) | StoreError::TokenNameTaken(_) => Self::conflict(error.to_string()),
            StoreError::Refused(Refused::Invalid(problems)) => Self::invalid(problems),
            StoreError::Refused(
                Refused::AlreadyRunning
                | Refused::AlreadyWaiting
                | Refused::TooManyOpen
                | Refused::TooLargeOpen
                | Refused::Backfilling
                | Refused::AlreadyPaused
                | Refused::NotPaused
                | Refused::Managed(_)
                | Refused::Unmanaged
                | Refused::Idle
                | Refused::Waits(_),
            ) => Self::conflict(error.to_string()),
            StoreError::State(
                StateError::TooManyEntries(_) | StateError::TooManyBytes { .. } | StateError::NotANumber(_),
            ) => Self::conflict(error.to_string()),
            StoreError::Rejected(error @ Rejected::NotFound(_)) => Self::not_found(error.to_string()),
            StoreError::Rejected(Rejected::NoValue(_)) => {
                Self::invalid(vec![Problem::new("value", "is required for a new name")])
            }
            StoreError::Rejected(_) => Self::conflict(error.to_string()),
            StoreError::Followed(_) => Self::conflict(error.to_string()),
            StoreError::InProgress(_) => Self::conflict("Task is still running"),
            StoreError::NoSpace { .. } => {
                let mut refused =
                    Self::unavailable("The disk is nearly full: changes are refused until there is room");
                refused.inside = Some(error.to_string());
                refused
            }
            StoreError::Building => {
                Self::unavailable("The index of executions is still being built: try again later")
            }
            StoreError::Unavailable(_) => {
                let refused = Self::unavailable("The database is not available: try again in a moment");
                Self { inside: Some(error.to_string()), ..refused }.retry_after(RETRY_AFTER)
            }
            StoreError::Fenced(_) => {
                let refused =
                    Self::unavailable("This node has lost its lease and joins anew: try again in a moment");
                Self { inside: Some(error.to_string()), ..refused }.retry_after(RETRY_AFTER)
            }
            StoreError::Closed => Self::unavailable("The server is shutting down"),
            StoreError::Refused(Refused::NotRunning(_)) => Self::conflict("Execution is not running"),
            StoreError::Refused(_)
            | StoreError::State(StateError::NotRunning(_))
            | StoreError::NotEmpty
            | StoreError::Backend { .. } => Self::internal(error.to_string()),
        }
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            VaultError::Rotation(why) => Self::conflict(why),
            VaultError::Key { ref source, .. } => Self::internal(format!("{error}: {source}")),
            VaultError::Cipher => Self::internal(error.to_string()),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid(field, problem) => Self::invalid(vec![Problem::new(field, problem)]),
            TokenError::NameTaken(_) | TokenError::TooMany => Self::conflict(error.to_string()),
            TokenError::NotFound => Self::not_found(error.to_string()),
            TokenError::Above => Self::forbidden(error.to_string()),
            TokenError::Store(error) => error.into(),
        }
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Store(error) => error.into(),
            ControlError::Stopping => Self::unavailable(error.to_string()),
        }
    }
}
