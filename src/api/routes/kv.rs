//! The entries that handlers keep with `ctx.kv`: those of a task, and those that all share.

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        documents::{Deleted, Meta},
        error::ApiError,
        input::{Body, EntryPath, Fields, NoQuery, OwnerPath},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        audit::{Action, Audit, Target},
        draft::{Problem, Problems, whole_number},
        text::json,
    },
    store::{
        Change, Edit, Edited, Entry, EntryQuery, Expected, LONGEST_KEY, LONGEST_TTL, LONGEST_VALUE, Owner,
        StoreError,
    },
};

/// An entry with its key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct EntryDocument {
    key: String,
    value: Value,
    version: u64,
    expires_at: Option<Millis>,
}

impl EntryDocument {
    fn new(key: String, entry: Entry) -> Self {
        let Entry { value, version, expires_at } = entry;
        Self { key, value, version, expires_at }
    }
}

/// A page of entries.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct List {
    /// In the order of their keys' bytes.
    entries: Vec<EntryDocument>,
    /// The `cursor` of the next page; null on the last one.
    cursor: Option<String>,
    limit: usize,
    meta: Meta,
}

/// One entry.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Found {
    entry: EntryDocument,
    meta: Meta,
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    OwnerPath(owner): OwnerPath,
    mut fields: Fields,
) -> Result<Json<List>, ApiError> {
    let query = EntryQuery {
        prefix: fields.text("prefix").unwrap_or_default(),
        after: fields.text("cursor"),
        limit: fields.number("limit", 1, 1000, 100),
    };
    for (name, text) in [("prefix", Some(&query.prefix)), ("cursor", query.after.as_ref())] {
        if text.is_some_and(|text| text.len() > LONGEST_KEY) {
            fields.report(name, format!("must have at most {LONGEST_KEY} bytes"));
        }
    }
    fields.finish()?;
    ensure_owner(&api, owner).await?;
    let limit = query.limit;
    let page = api.store.entries(owner, query).await?;
    let cursor = page.entries.last().filter(|_| page.more).map(|(key, _)| key.clone());
    let entries = page.entries.into_iter().map(|(key, entry)| EntryDocument::new(key, entry)).collect();
    Ok(Json(List { entries, cursor, limit, meta: info.meta() }))
}

pub(in crate::api) async fn read(
    State(api): State<Shared>,
    info: RequestInfo,
    EntryPath(owner, key): EntryPath,
    _: NoQuery,
) -> Result<Json<Found>, ApiError> {
    ensure_owner(&api, owner).await?;
    let entry = api.store.entry(owner, key.clone()).await?.ok_or_else(no_entry)?;
    Ok(Json(Found { entry: EntryDocument::new(key, entry), meta: info.meta() }))
}

pub(in crate::api) async fn write(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    EntryPath(owner, key): EntryPath,
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<Found>, ApiError> {
    let change = read_change(body).map_err(ApiError::invalid)?;
    let audit = record(&api, &caller, Action::Set, owner, &key).await?;
    let edit = Edit { owner, key: key.clone(), change, fence: None, quota: api.quota, audit };
    match api.store.edit(edit).await? {
        Edited::Set(entry) => {
            let meta = info.meta_saying("Entry set successfully");
            Ok(Json(Found { entry: EntryDocument::new(key, entry), meta }))
        }
        Edited::Unchanged(version) => Err(other_version(version)),
        Edited::Removed => Err(ApiError::internal("a set removed an entry")),
    }
}

pub(in crate::api) async fn delete(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    EntryPath(owner, key): EntryPath,
    mut fields: Fields,
) -> Result<Json<Deleted>, ApiError> {
    let version = fields.number("version", 0, u64::MAX, 0);
    fields.finish()?;
    let expected = if version == 0 { Expected::Any } else { Expected::Version(version) };
    let change = Change::Delete { expected };
    let audit = record(&api, &caller, Action::Delete, owner, &key).await?;
    let edit = Edit { owner, key, change, fence: None, quota: api.quota, audit };
    match api.store.edit(edit).await? {
        Edited::Unchanged(None) if expected == Expected::Any => Err(no_entry()),
        Edited::Unchanged(version) => Err(other_version(version)),
        Edited::Removed | Edited::Set(_) => {
            Ok(Json(Deleted::with(info.meta_saying("Entry deleted successfully"))))
        }
    }
}

/// The audit record of an edit, about the owner's task.
async fn record(
    api: &Shared,
    caller: &Caller,
    action: Action,
    owner: Owner,
    key: &str,
) -> Result<Option<Box<Audit>>, ApiError> {
    let record = caller.record(api, action).on(Target::new("entry", key));
    let Owner::Task(task) = owner else { return Ok(Some(Box::new(record))) };
    let task = api.store.task(task).await?.ok_or(StoreError::NotFound)?;
    Ok(Some(Box::new(record.about(&task))))
}

/// A deleted task has no entries, and neither has one that never was.
async fn ensure_owner(api: &Shared, owner: Owner) -> Result<(), ApiError> {
    if let Owner::Task(task) = owner {
        api.store.task(task).await?.ok_or(StoreError::NotFound)?;
    }
    Ok(())
}

fn no_entry() -> ApiError {
    ApiError::not_found("Entry not found")
}

fn other_version(version: Option<u64>) -> ApiError {
    ApiError::conflict(match version {
        Some(version) => format!("The entry has version {version}"),
        None => "There is no such entry".to_owned(),
    })
}

/// Reads `{value, ttl?, version?}`.
fn read_change(mut body: Map<String, Value>) -> Result<Change, Vec<Problem>> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["value", "ttl", "version"]);
    let value = body.shift_remove("value");
    match &value {
        None => problems.report("value", "is required"),
        Some(value) if value.to_string().len() > LONGEST_VALUE => {
            problems.report("value", format!("must have at most {LONGEST_VALUE} bytes as JSON"));
        }
        Some(value) if json::count_levels(value) > json::LEVELS => {
            problems.report("value", format!("must have at most {} levels", json::LEVELS));
        }
        Some(_) => {}
    }
    let ttl = match body.get("ttl") {
        None | Some(Value::Null) => None,
        Some(ttl) => {
            let ttl = whole_number(ttl).filter(|ttl| (1..=LONGEST_TTL).contains(ttl));
            if ttl.is_none() {
                problems
                    .report("ttl", format!("must be a whole number of milliseconds from 1 to {LONGEST_TTL}"));
            }
            ttl.and_then(|ttl| Millis::try_from(ttl).ok())
        }
    };
    let expected = match body.get("version") {
        None => Expected::Any,
        Some(Value::Null) => Expected::Absent,
        Some(version) => match whole_number(version) {
            Some(version) => Expected::Version(version),
            None => {
                problems.report("version", "must be the entry's version, or null: there must be no entry");
                Expected::Any
            }
        },
    };
    problems.finish()?;
    Ok(Change::Set { value: value.unwrap_or_default(), ttl, expected })
}
