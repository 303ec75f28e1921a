//! The handlers there are.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{Shared, error::ApiError, input::Fields, request::RequestInfo};

pub(super) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    fields.finish()?;
    let found = api.catalog.list().await.into_iter().map(|(listed, error)| {
        json!({
            "name": listed.name,
            "file": listed.file,
            "description": listed.description,
            "hash": listed.hash,
            "size": listed.size,
            "modifiedAt": listed.modified_at,
            "error": error,
        })
    });
    Ok(Json(json!({ "handlers": found.collect::<Vec<_>>(), "meta": info.meta() })))
}
