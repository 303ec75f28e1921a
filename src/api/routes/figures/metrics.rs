//! The figures of the server for Prometheus.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use crate::{
    api::{
        auth::Caller,
        error::ApiError,
        input::NoQuery,
        state::{MeasuredTasks, Shared},
    },
    domain::{
        Millis,
        facts::{Task, TaskStatus},
    },
    metrics::{Format, Present, TaskFigures},
    store::{Condition, Direction, TaskQuery, TaskSort},
};

/// Tasks that have series of their own at most.
const MOST_TASKS: usize = 1000;
/// Failed tasks whose streaks are compared.
const FAILED: usize = 200;

pub(in crate::api) async fn metrics(
    State(api): State<Shared>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    _: NoQuery,
) -> Result<Response, ApiError> {
    if let Some(Extension(caller)) = caller {
        caller.ensure_covers_all()?;
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    let text = api.metrics.text(present(&api).await?, format);
    let text = text.map_err(|error| ApiError::internal(format!("write the metrics: {error}")))?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

async fn present(api: &Shared) -> Result<Present, ApiError> {
    let now = api.clock.now();
    let Condition { bytes, commits } = api.store.condition().await?;
    let runners = api.readiness.runners();
    let tasks = api.store.status_counts().await?;
    let backup = api.readiness.backup().time;
    Ok(Present {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running: api.store.running().await?.len() as u64,
        waiting: runners.waiting as u64,
        capacity: api.scheduler.capacity() as u64,
        tasks: tasks.into_iter().map(|(status, count)| (status.name(), count)).collect(),
        runners: vec![
            ("idle", runners.idle as u64),
            ("busy", runners.alive.saturating_sub(runners.idle) as u64),
        ],
        runner_deaths: api.readiness.runner_deaths(),
        store_bytes: bytes,
        commits: commits.classes,
        commit_seconds: commits.seconds,
        lost_commits: api.store.shared().map(|shared| shared.lost_commits()),
        backup_age: backup.map(|time| seconds(now.saturating_sub(time).max(0))),
        events_clients: api.streams.count() as u64,
        events_dropped: api.events.missed(),
        alerts_undelivered: undelivered(api).await?,
        streak_max: longest_streak(api).await?,
        by_task: by_task(api).await?,
    })
}

/// The messages of alerts that wait for their delivery; those that a mute or quiet hours hold do not count.
pub(super) async fn undelivered(api: &Shared) -> Result<u64, ApiError> {
    Ok(api.store.waiting().await?.values().map(|waiting| waiting.pending).sum())
}

fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1000.0
}

async fn tasks(
    api: &Shared,
    status: Option<TaskStatus>,
    tag: Option<String>,
    limit: usize,
) -> Result<Vec<Task>, ApiError> {
    let query = TaskQuery {
        bound: None,
        status,
        handler: None,
        name: None,
        tag,
        sort: TaskSort::NextRun,
        direction: Direction::Ascending,
        skip: 0,
        limit,
        newest: 0,
        after: None,
    };
    Ok(api.store.tasks(query).await?.items.into_iter().map(|view| view.task).collect())
}

/// The longest streak of the tasks that show failures, those that run next first.
async fn longest_streak(api: &Shared) -> Result<u64, ApiError> {
    let mut longest = 0;
    for status in [TaskStatus::Failed, TaskStatus::RetryScheduled] {
        let failed = tasks(api, Some(status), None, FAILED).await?;
        longest = failed.iter().map(|task| u64::from(task.facts.streak)).fold(longest, u64::max);
    }
    Ok(longest)
}

/// Figures of the tasks that the settings ask for; none where there are too many.
async fn by_task(api: &Shared) -> Result<Vec<TaskFigures>, ApiError> {
    let found = match &api.metrics_settings.tasks {
        MeasuredTasks::None => return Ok(Vec::new()),
        MeasuredTasks::All => tasks(api, None, None, MOST_TASKS + 1).await?,
        MeasuredTasks::Tagged(tag) => tasks(api, None, Some(tag.clone()), MOST_TASKS + 1).await?,
    };
    if found.len() > MOST_TASKS {
        tracing::warn!(most = MOST_TASKS, "too many tasks for metrics of each: name a tag in metrics.tasks");
        return Ok(Vec::new());
    }
    Ok(found.iter().map(figures).collect())
}

fn figures(task: &Task) -> TaskFigures {
    TaskFigures {
        name: task.definition.name.clone(),
        last_success: task.facts.last_success.map(seconds),
        last_failure: task.facts.last_failure.map(seconds),
        next_run: task.next_run().map(seconds),
        failures: u64::from(task.facts.streak),
        paused: task.facts.paused,
    }
}
