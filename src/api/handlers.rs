//! The handlers there are.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{Shared, error::ApiError, input::Fields, request::RequestInfo};
use crate::handlers::catalog::HandlerState;

pub(super) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    fields.finish()?;
    let found = api.catalog.list().await.into_iter().map(|HandlerState { file, error, checking }| {
        let mut shown = json!({
            "name": file.name,
            "file": file.file,
            "description": file.description,
            "hash": file.hash,
            "size": file.size,
            "modifiedAt": file.modified_at,
            "error": error,
        });
        if checking {
            shown["checking"] = json!(true);
        }
        shown
    });
    Ok(Json(json!({ "handlers": found.collect::<Vec<_>>(), "meta": info.meta() })))
}
