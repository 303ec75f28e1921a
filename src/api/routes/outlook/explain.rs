//! Why a task did, or did not, run.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::DAY;
use crate::{
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        input::{Fields, LATEST, TaskPath},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        audit::Audit,
        facts::Task,
        ids::TaskId,
        outlook::explain::{Account, Known, changes, explain as account},
        zone::parse_zone,
    },
    store::{AuditQuery, HistoryQuery, StoreError},
};

/// Rows that are read at most.
const MOST_ROWS: usize = 400;
/// Audit records that are read at most.
const MOST_CHANGES: usize = 1000;
/// A run may begin this long before the span that it explains, in milliseconds.
const BEFORE: Millis = DAY;

/// The accounts of planned times.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Explanation {
    task_id: TaskId,
    task_name: String,
    /// The zone of the times in the texts.
    timezone: &'static str,
    /// Oldest first.
    times: Vec<Account>,
    /// Whether nothing that would explain a time has been removed.
    certain: bool,
    meta: Meta,
}

pub(in crate::api) async fn explain(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    TaskPath(id): TaskPath,
    mut fields: Fields,
) -> Result<Json<Explanation>, ApiError> {
    let now = api.clock.now();
    let until = fields.number("to", 0, LATEST, now + 1);
    let from = fields.number("from", 0, LATEST, (until - DAY).max(0));
    if from > until {
        fields.report("from", "must not be later than \"to\"");
    }
    let zone = fields.text("timezone").map(|name| parse_zone(&name)).transpose();
    let zone = zone.map_err(|error| fields.report("timezone", error.to_string())).unwrap_or_default();
    fields.finish()?;
    let task = api.store.task(id).await?.filter(|task| caller.grant.covers(&task.definition.handler));
    let task = task.ok_or(StoreError::NotFound)?;
    let query = HistoryQuery {
        task: Some(id),
        from: from.saturating_sub(BEFORE),
        limit: MOST_ROWS,
        ..HistoryQuery::default()
    };
    let page = api.store.history(query).await?;
    let cut = page.next.is_some() || !page.complete;
    let full = task.facts.runs >= task.definition.keep_executions;
    let since = match page.rows.last() {
        Some(oldest) if cut || full => oldest.created_at,
        None if full => now,
        _ => task.created_at,
    };
    let (records, changes_since) = read_changes(&api, &task, from).await?;
    let changes = changes(&task, &records);
    let zone = zone.unwrap_or(task.definition.timezone);
    let known = Known { task: &task, rows: &page.rows, changes: &changes, since, changes_since, now, zone };
    let (times, certain) = account(&known, from, until);
    Ok(Json(Explanation {
        task_id: id,
        task_name: task.definition.name.clone(),
        timezone: zone.name(),
        times,
        certain,
        meta: info.meta(),
    }))
}

/// The audit of a task, newest first, as far back as it explains times from `from` on, and the time from which
/// it is complete.
async fn read_changes(api: &Shared, task: &Task, from: Millis) -> Result<(Vec<Audit>, Millis), StoreError> {
    let page =
        api.store.audits(AuditQuery { task: Some(task.id), limit: MOST_CHANGES, ..AuditQuery::default() });
    let page = page.await?;
    let is_whole = page.next.is_none() && page.complete;
    let mut records: Vec<_> = page.records.into_iter().map(|(_, record)| record).collect();
    // A record of before the span tells whether the task was paused when that began.
    let tells =
        |record: &&Audit| record.time <= from && ["pause", "release", "resume"].contains(&&*record.action);
    if let Some(at) = records.iter().position(|record| tells(&record)) {
        records.truncate(at + 1);
    }
    let since = match records.last() {
        Some(first) if is_whole && first.action == "create" => task.created_at,
        Some(first) => first.time,
        None => api.clock.now(),
    };
    Ok((records, since))
}
