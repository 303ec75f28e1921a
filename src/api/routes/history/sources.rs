//! Handlers one by one, and the sources that executions ran from.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use data_encoding::HEXLOWER;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        documents::{Meta, TaskDocument},
        error::ApiError,
        input::NoQuery,
        request::RequestInfo,
        routes::handlers::HandlerDocument,
        state::Shared,
    },
    domain::{Millis, access::Role},
    store::{Direction, HandlerVersion, KeptSource, SourceHash, TaskQuery, TaskSort},
};

/// Tasks of a handler that its document shows.
const TASKS: usize = 20;
/// Lines without a change around each change.
const CONTEXT: usize = 3;
/// After this time a comparison of long sources is finished less exactly.
const COMPARED_WITHIN: Duration = Duration::from_millis(500);

/// A handler, the tasks that use it, and its versions.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Found {
    #[serde(flatten)]
    handler: HandlerDocument,
    /// The file's text; `null` if the token may not read sources.
    source: Option<String>,
    /// Those that run next, without executions.
    tasks: Vec<TaskDocument>,
    /// Those that ran last first.
    versions: Vec<VersionDocument>,
    meta: Meta,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VersionDocument {
    hash: String,
    first_seen: Millis,
    last_seen: Millis,
    runs: u64,
}

impl From<HandlerVersion> for VersionDocument {
    fn from(HandlerVersion { hash, runs }: HandlerVersion) -> Self {
        Self {
            hash: HEXLOWER.encode(&hash),
            first_seen: runs.first_seen,
            last_seen: runs.last_seen,
            runs: runs.runs,
        }
    }
}

pub(in crate::api) async fn read_handler(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    Path(name): Path<String>,
    _: NoQuery,
) -> Result<Json<Found>, ApiError> {
    let absent = || ApiError::not_found("Handler not found");
    if !caller.grant.covers(&name) {
        return Err(absent());
    }
    let (state, text) = api.catalog.find(&name).await.ok_or_else(absent)?;
    let query = TaskQuery {
        status: None,
        handler: Some(name.clone()),
        bound: None,
        tag: None,
        name: None,
        after: None,
        sort: TaskSort::NextRun,
        direction: Direction::Ascending,
        skip: 0,
        limit: TASKS,
        newest: 0,
    };
    let now = api.clock.now();
    let tasks = api.store.tasks(query).await?.items;
    let versions = api.store.versions(name).await?;
    Ok(Json(Found {
        handler: state.into(),
        source: text.filter(|_| caller.grant.allows(Role::Editor)),
        tasks: tasks.into_iter().map(|view| TaskDocument::brief(view.task, now)).collect(),
        versions: versions.into_iter().map(VersionDocument::from).collect(),
        meta: info.meta(),
    }))
}

/// A source that was run.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct SourceFound {
    hash: String,
    handler: String,
    source: String,
    meta: Meta,
}

pub(in crate::api) async fn read_source(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    Path(hash): Path<String>,
    _: NoQuery,
) -> Result<Json<SourceFound>, ApiError> {
    let KeptSource { handler, text } = find_source(&api, &caller, &hash).await?;
    Ok(Json(SourceFound { hash, handler, source: text, meta: info.meta() }))
}

/// The changes from one source to another.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Difference {
    hunks: Vec<Hunk>,
    meta: Meta,
}

/// Changed lines that are near each other, with the lines around them.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Hunk {
    /// The number of the first line in the old source, from 1.
    old_start: usize,
    /// The number of the first line in the new source, from 1.
    new_start: usize,
    lines: Vec<DiffLine>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct DiffLine {
    /// `=`, `+` or `-`.
    op: char,
    /// Without its line break.
    text: String,
}

pub(in crate::api) async fn compare(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    Path((old, new)): Path<(String, String)>,
    _: NoQuery,
) -> Result<Json<Difference>, ApiError> {
    let old = find_source(&api, &caller, &old).await?;
    let new = find_source(&api, &caller, &new).await?;
    let compared = tokio::task::spawn_blocking(move || hunks(&old.text, &new.text)).await;
    let hunks = compared.map_err(|error| ApiError::internal(format!("compare two sources: {error}")))?;
    Ok(Json(Difference { hunks, meta: info.meta() }))
}

async fn find_source(api: &Shared, caller: &Caller, hash: &str) -> Result<KeptSource, ApiError> {
    let decoded = HEXLOWER.decode(hash.as_bytes()).ok();
    let hash: Option<SourceHash> = decoded.and_then(|bytes| bytes.try_into().ok());
    let hash = hash
        .ok_or_else(|| ApiError::bad_request("A hash of a source has 64 hexadecimal digits in lower case"))?;
    let found = api.store.source(hash).await?.filter(|source| caller.grant.covers(&source.handler));
    found.ok_or_else(|| ApiError::not_found("The source is not or no longer kept"))
}

fn hunks(old: &str, new: &str) -> Vec<Hunk> {
    let diff = TextDiff::configure().timeout(COMPARED_WITHIN).diff_lines(old, new);
    let groups = diff.grouped_ops(CONTEXT);
    let hunk = |group: &Vec<similar::DiffOp>| {
        let first = group.first()?;
        let changes = group.iter().flat_map(|op| diff.iter_changes(op));
        let lines = changes.map(|change| {
            let op = match change.tag() {
                ChangeTag::Equal => '=',
                ChangeTag::Insert => '+',
                ChangeTag::Delete => '-',
            };
            let text: &str = change.value();
            DiffLine { op, text: text.trim_end_matches(['\n', '\r']).to_owned() }
        });
        Some(Hunk {
            old_start: first.old_range().start + 1,
            new_start: first.new_range().start + 1,
            lines: lines.collect(),
        })
    };
    groups.iter().filter_map(hunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `old_start new_start: lines`.
    fn told(old: &str, new: &str) -> Vec<String> {
        let line = |line: &DiffLine| format!("{}{}", line.op, line.text);
        let tell = |hunk: &Hunk| {
            let lines: Vec<_> = hunk.lines.iter().map(line).collect();
            format!("{} {}: {}", hunk.old_start, hunk.new_start, lines.join("|"))
        };
        hunks(old, new).iter().map(tell).collect()
    }

    #[test]
    fn changes_that_are_far_apart_are_hunks_with_three_lines_around_each() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n";
        let new = "a\nB\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm";
        assert_eq!(told(old, new), ["1 1: =a|-b|+B|=c|=d|=e", "10 10: =j|=k|=l|+m"]);
        assert_eq!(told(old, old), Vec::<String>::new());
        assert_eq!(told("", "x\r\n"), ["1 1: +x"]);
    }
}
