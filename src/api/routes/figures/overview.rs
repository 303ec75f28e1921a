//! All that a first page shows, from counters and first keys alone.

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::metrics::undelivered;
use crate::{
    api::{
        auth::Caller,
        documents::{ExecutionRow, Meta},
        error::ApiError,
        input::NoQuery,
        request::RequestInfo,
        routes::{
            health,
            outlook::upcoming::{Occurrence, Question, answer},
        },
        state::Shared,
    },
    domain::{
        Millis,
        activity::{Size, Tally},
        execution::{ExecutionStatus, Progress},
        ids::{ExecutionId, TaskId},
    },
    store::HistoryQuery,
};

/// Runs in progress, failures and planned runs that are shown.
const SHOWN: usize = 10;
/// Tasks with lasting messages that are counted at most.
const MOST_FIRING: usize = 100;
/// Planned runs are looked for within this span, in milliseconds.
const AHEAD: Millis = 31 * 86_400_000;

/// The present of the server.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Overview {
    /// Tasks by status.
    tasks: Map<String, Value>,
    /// The runs in progress that began first.
    running: Vec<Running>,
    running_total: usize,
    /// Runs that wait for a runner.
    waiting: usize,
    /// Newest first.
    failures: Vec<ExecutionRow>,
    /// The next planned runs.
    next: Vec<Occurrence>,
    /// Since midnight UTC.
    today: Today,
    lateness: Quantiles,
    alerts: Alerts,
    /// As `/ready`.
    ready: Value,
    meta: Meta,
}

/// A run in progress.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Running {
    id: ExecutionId,
    task_id: TaskId,
    task_name: String,
    handler: String,
    start_time: Option<Millis>,
    /// The usual duration, in milliseconds.
    usual: Option<Millis>,
    progress: Option<Progress>,
}

/// The alerts of the present.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Alerts {
    /// Tasks that have a message whose occasion lasts; 100 at most.
    firing: usize,
    /// Messages that wait for their delivery.
    undelivered: u64,
    /// The channels whose last attempt has failed.
    troubled: Vec<String>,
    /// When the mute ends; null without one.
    muted_until: Option<Millis>,
}

/// The ends of runs of a day.
#[derive(Serialize, ToSchema)]
struct Today {
    completed: u64,
    failed: u64,
    cancelled: u64,
    skipped: u64,
}

/// Milliseconds.
#[derive(Serialize, ToSchema)]
struct Quantiles {
    p50: Option<Millis>,
    p95: Option<Millis>,
}

pub(in crate::api) async fn overview(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    _: NoQuery,
) -> Result<Json<Overview>, ApiError> {
    caller.ensure_covers_all()?;
    let now = api.clock.now();
    let counts = api.store.status_counts().await?;
    let ids = api.store.running().await?;
    let running_total = ids.len();
    let day = Size::Day.start(now);
    let today = api.store.activity(Size::Day, day, day + 1).await?;
    let Tally { completed, failed, cancelled, skipped, lateness, .. } =
        today.into_iter().next().map(|bucket| bucket.tally).unwrap_or_default();
    let question = Question {
        from: None,
        until: now.saturating_add(AHEAD),
        handler: None,
        tag: None,
        task: None,
        limit: SHOWN,
    };
    let (next, _) = answer(&api, question, &caller.grant).await?;
    let (_, ready) = health::describe(&api).await?;
    Ok(Json(Overview {
        tasks: counts.into_iter().map(|(status, count)| (status.name().to_owned(), count.into())).collect(),
        running: running(&api, ids).await?,
        running_total,
        waiting: api.readiness.runners().waiting,
        failures: failures(&api).await?,
        next,
        today: Today { completed, failed, cancelled, skipped },
        lateness: Quantiles { p50: lateness.quantile(0.5), p95: lateness.quantile(0.95) },
        alerts: alerts(&api).await?,
        ready,
        meta: info.meta(),
    }))
}

async fn alerts(api: &Shared) -> Result<Alerts, ApiError> {
    Ok(Alerts {
        firing: api.store.alarmed(None, MOST_FIRING).await?.len(),
        undelivered: undelivered(api).await?,
        troubled: api.alerts.troubled(),
        muted_until: api.alerts.mute().await?.map(|mute| mute.until),
    })
}

async fn running(api: &Shared, mut ids: Vec<(TaskId, ExecutionId)>) -> Result<Vec<Running>, ApiError> {
    ids.sort_unstable_by_key(|(_, execution)| *execution);
    let mut shown = Vec::new();
    for (task_id, id) in ids.into_iter().take(SHOWN) {
        // It may have ended since, or its task may be gone.
        let Some(task) = api.store.task(task_id).await? else { continue };
        let Some(row) = api.store.execution(task_id, id).await? else { continue };
        shown.push(Running {
            id,
            task_id,
            task_name: row.task_name,
            handler: row.handler,
            start_time: row.start_time,
            usual: task.stats().p50,
            progress: api.scheduler.live(id).and_then(|live| live.progress()).or(row.progress),
        });
    }
    Ok(shown)
}

async fn failures(api: &Shared) -> Result<Vec<ExecutionRow>, ApiError> {
    let statuses = vec![ExecutionStatus::Failed];
    let page = api.store.history(HistoryQuery { statuses, limit: SHOWN, ..HistoryQuery::default() }).await?;
    Ok(page.rows.into_iter().map(ExecutionRow::from).collect())
}
