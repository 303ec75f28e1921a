//! Versions of all handlers in the store.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        input::{Body, NoBody, NoQuery},
        request::RequestInfo,
        state::Shared,
    },
    bundles::{
        BundleError, Pushed,
        bundle::{self, MOST_PARTS},
    },
    domain::{
        Millis,
        audit::{Action, Target},
        draft::Problems,
    },
};

/// A version of the handlers as the API shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Bundle)]
struct Document {
    /// SHA-256, hexadecimal, of its manifest.
    id: String,
    /// Whether runs use it.
    current: bool,
    pushed_at: Millis,
    /// The holder of the token that pushed it first.
    pushed_by: String,
    files: u64,
    bytes: u64,
}

impl Document {
    fn new(bundle: bundle::Bundle, current: bool) -> Self {
        let bundle::Bundle { id, pushed_at, pushed_by, files, bytes, .. } = bundle;
        Self { id, current, pushed_at, pushed_by, files, bytes }
    }
}

/// The versions, the newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct List {
    bundles: Vec<Document>,
    total: usize,
    meta: Meta,
}

/// One version.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct One {
    bundle: Document,
    meta: Meta,
}

/// The chunks that the store lacks.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Lacks {
    /// SHA-256, hexadecimal, of each.
    missing: Vec<String>,
    meta: Meta,
}

/// The chunk is kept.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Kept {
    success: bool,
    meta: Meta,
}

impl From<BundleError> for ApiError {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::Invalid(why) => Self::bad_request(format!("Invalid request: {why}")),
            BundleError::NotFound(_) => Self::not_found("Bundle not found"),
            BundleError::Busy => Self::conflict(error.to_string()),
            BundleError::Store(error) => error.into(),
        }
    }
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    _: NoQuery,
) -> Result<Json<List>, ApiError> {
    let (bundles, current) = api.bundles.list().await?;
    let documents = bundles.into_iter().map(|bundle| {
        let is_current = current.as_ref() == Some(&bundle.id);
        Document::new(bundle, is_current)
    });
    let bundles: Vec<_> = documents.collect();
    Ok(Json(List { total: bundles.len(), bundles, meta: info.meta() }))
}

pub(in crate::api) async fn keep_chunk(
    State(api): State<Shared>,
    info: RequestInfo,
    Path(hash): Path<String>,
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<Kept>, ApiError> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["content"]);
    let content = body.get("content").and_then(Value::as_str);
    let bytes = content.and_then(|text| data_encoding::BASE64.decode(text.as_bytes()).ok());
    if bytes.as_ref().is_none_or(Vec::is_empty) {
        problems.report("content", "must be a string in Base64 that is not empty");
    }
    problems.finish().map_err(ApiError::invalid)?;
    api.bundles.keep_chunk(&hash, &bytes.unwrap_or_default()).await?;
    Ok(Json(Kept { success: true, meta: info.meta() }))
}

pub(in crate::api) async fn push(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    _: NoQuery,
    Body(body): Body,
) -> Result<Response, ApiError> {
    let manifest = read_manifest(&body)?;
    match api.bundles.push(manifest, caller.record(&api, Action::Push)).await? {
        Pushed::Lacks(missing) => Ok(Json(Lacks { missing, meta: info.meta() }).into_response()),
        Pushed::Done(bundle) => {
            tracing::info!(bundle = bundle.id, files = bundle.files, "a bundle of handlers is pushed");
            let meta = info.meta_saying(format!("Bundle {} pushed successfully", bundle.id));
            Ok((StatusCode::CREATED, Json(One { bundle: Document::new(bundle, true), meta })).into_response())
        }
    }
}

pub(in crate::api) async fn use_again(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    Path(id): Path<String>,
    _: NoQuery,
    _: NoBody,
) -> Result<Json<One>, ApiError> {
    let record = caller.record(&api, Action::Use).on(Target::new("bundle", id.clone()));
    let bundle = api.bundles.use_again(&id, record).await?;
    tracing::info!(bundle = id, "a bundle of handlers is used again");
    let meta = info.meta_saying(format!("Bundle {id} is used from the next run on"));
    Ok(Json(One { bundle: Document::new(bundle, true), meta }))
}

/// Reads `{manifest}`.
fn read_manifest(body: &Map<String, Value>) -> Result<Vec<String>, ApiError> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["manifest"]);
    let list = body.get("manifest").and_then(Value::as_array);
    let texts = list.and_then(|list| list.iter().map(|hash| hash.as_str().map(str::to_owned)).collect());
    let hashes: Vec<String> = texts.unwrap_or_default();
    if hashes.is_empty() || hashes.len() > MOST_PARTS || !hashes.iter().all(|hash| bundle::is_hash(hash)) {
        let problem = format!("must be a list of 1 to {MOST_PARTS} texts, each a SHA-256 in hexadecimal");
        problems.report("manifest", problem);
    }
    problems.finish().map_err(ApiError::invalid)?;
    Ok(hashes)
}
