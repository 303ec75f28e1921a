//! The handlers in the folder.

pub(in crate::api) mod bundles;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller, documents::Meta, error::ApiError, input::NoQuery, request::RequestInfo, state::Shared,
    },
    domain::Millis,
    handlers::{catalog::HandlerState, files::Ignored},
};

/// Every handler, by name.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct List {
    handlers: Vec<HandlerDocument>,
    /// Files that look like handlers' and are none.
    ignored: Vec<IgnoredDocument>,
    meta: Meta,
}

/// A file that is no handler as the API shows it.
#[derive(Serialize, ToSchema)]
struct IgnoredDocument {
    file: String,
    reason: String,
}

/// A handler as the API shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::routes) struct HandlerDocument {
    name: String,
    file: String,
    description: String,
    hash: String,
    /// Bytes.
    size: u64,
    modified_at: Millis,
    /// Why it does not load.
    error: Option<String>,
    /// Left out unless a check goes on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    checking: bool,
}

impl From<HandlerState> for HandlerDocument {
    fn from(HandlerState { file, error, checking, .. }: HandlerState) -> Self {
        Self {
            name: file.name,
            file: file.file,
            description: file.description,
            hash: file.hash,
            size: file.size,
            modified_at: file.modified_at,
            error,
            checking,
        }
    }
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    _: NoQuery,
) -> Result<Json<List>, ApiError> {
    let found = api.catalog.list().await.into_iter().filter(|found| caller.grant.covers(&found.file.name));
    let handlers = found.map(HandlerDocument::from);
    // A file that is no handler is no bound token's.
    let ignored = api.catalog.ignored().await.into_iter().filter(|_| caller.grant.handlers.is_none());
    let ignored = ignored.map(|Ignored { file, reason }| IgnoredDocument { file, reason }).collect();
    Ok(Json(List { handlers: handlers.collect(), ignored, meta: info.meta() }))
}
