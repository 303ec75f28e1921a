//! The ends of executions per minute, hour or day.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        input::{Fields, LATEST},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        activity::{Bucket, Size, Tally},
        ids::TaskId,
    },
    store::{ExecutionQuery, StoreError},
};

/// The buckets of one answer at most.
const MOST_BUCKETS: Millis = 1500;

/// Buckets of activity, oldest first. Those in which no execution ended are left out.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Activity {
    bucket: &'static str,
    buckets: Vec<BucketDocument>,
    /// Whether all of the span is known: records of it may have been removed.
    complete: bool,
    meta: Meta,
}

/// A bucket of activity.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct BucketDocument {
    time: Millis,
    completed: u64,
    failed: u64,
    cancelled: u64,
    skipped: u64,
    #[serde(rename = "durationP50")]
    duration_p50: Option<Millis>,
    #[serde(rename = "durationP95")]
    duration_p95: Option<Millis>,
    #[serde(rename = "latenessP50")]
    lateness_p50: Option<Millis>,
    #[serde(rename = "latenessP95")]
    lateness_p95: Option<Millis>,
}

impl From<&Bucket> for BucketDocument {
    fn from(Bucket { start, tally }: &Bucket) -> Self {
        let Tally { completed, failed, cancelled, skipped, duration, lateness } = tally;
        Self {
            time: *start,
            completed: *completed,
            failed: *failed,
            cancelled: *cancelled,
            skipped: *skipped,
            duration_p50: duration.quantile(0.5),
            duration_p95: duration.quantile(0.95),
            lateness_p50: lateness.quantile(0.5),
            lateness_p95: lateness.quantile(0.95),
        }
    }
}

pub(in crate::api) async fn activity(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    mut fields: Fields,
) -> Result<Json<Activity>, ApiError> {
    let now = api.clock.now();
    let size = fields.choice("bucket", &Size::ALL.map(|size| (size.name(), size))).unwrap_or(Size::Hour);
    let until = fields.number("to", 0, LATEST, now + 1);
    let from = fields.number("from", 0, LATEST, (until - 24 * size.length()).max(0));
    let task: Option<Result<TaskId, _>> = fields.text("taskId").map(|id| id.parse());
    if from > until {
        fields.report("from", "must not be later than \"to\"");
    }
    if (until - from) / size.length() > MOST_BUCKETS {
        let problem =
            format!("must be at most {MOST_BUCKETS} buckets after \"from\": take a larger \"bucket\"");
        fields.report("to", problem);
    }
    fields.finish()?;
    let (buckets, complete) = match task {
        None => {
            caller.ensure_covers_all()?;
            (api.store.activity(size, from, until).await?, kept_since(size, now) <= size.start(from))
        }
        Some(task) => {
            let task = task.map_err(|_| StoreError::NotFound)?;
            caller.ensure_covers(&api, task).await?;
            of_task(&api, task, size, (from, until)).await?
        }
    };
    let buckets = buckets.iter().map(BucketDocument::from).collect();
    Ok(Json(Activity { bucket: size.name(), buckets, complete, meta: info.meta() }))
}

/// The start of the first bucket that is kept at `now`.
fn kept_since(size: Size, now: Millis) -> Millis {
    size.kept().map_or(Millis::MIN, |kept| size.start(now - kept))
}

/// Counts the kept history of a task, which is `keepExecutions` rows at most.
async fn of_task(
    api: &Shared,
    id: TaskId,
    size: Size,
    (from, until): (Millis, Millis),
) -> Result<(Vec<Bucket>, bool), ApiError> {
    let task = api.store.task(id).await?.ok_or(StoreError::NotFound)?;
    let limit = usize::try_from(task.definition.keep_executions).unwrap_or(usize::MAX);
    let rows = api.store.executions(id, ExecutionQuery { limit, ..ExecutionQuery::default() }).await?;
    let full = rows.total >= task.definition.keep_executions;
    let oldest = rows.items.last().map(|row| row.created_at);
    let mut buckets: std::collections::BTreeMap<Millis, Tally> = std::collections::BTreeMap::new();
    for row in &rows.items {
        let start = size.start(row.updated_at);
        if (from..until).contains(&start) {
            buckets.entry(start).or_default().add_row(row);
        }
    }
    buckets.retain(|_, tally| !tally.is_empty());
    let buckets = buckets.into_iter().map(|(start, tally)| Bucket { start, tally }).collect();
    Ok((buckets, !full || oldest.is_some_and(|oldest| oldest <= from)))
}
