//! Past and planned runs side by side, a lane per task.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{DAY, groups};
use crate::{
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        input::{Fields, LARGEST_SKIP, LATEST},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        activity::Size,
        execution::{Execution, ExecutionStatus},
        facts::{Task, TaskStatus},
        ids::{ExecutionId, TaskId},
        outlook::{
            forecast::{BUDGET, forecast},
            upcoming::Upcoming,
        },
    },
    store::{Direction, HistoryQuery, TaskQuery, TaskSort},
};

/// The longest span, in milliseconds.
const LONGEST: Millis = 7 * DAY;
/// Runs, and planned times, of a lane at most.
const MOST: usize = 200;
/// Buckets of the load at most.
const BUCKETS: Millis = 300;

/// Lanes of tasks, and the load of all tasks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Timeline {
    lanes: Vec<Lane>,
    load: Vec<Load>,
    /// Runs that fit at once.
    capacity: usize,
    /// The `cursor` of the lanes after these.
    next_cursor: Option<String>,
    /// Whether every run of the span is in its lane or counted by `more`.
    complete: bool,
    meta: Meta,
}

/// The runs of one task.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Lane {
    task_id: TaskId,
    task_name: String,
    handler: String,
    status: TaskStatus,
    /// Oldest first.
    runs: Vec<Run>,
    /// Whether there are earlier ones in the span.
    more: bool,
    /// Planned times after the present.
    planned: Vec<Millis>,
    planned_more: bool,
}

/// A run, or a skip.
#[derive(Serialize, ToSchema)]
#[schema(as = RunInLane)]
struct Run {
    id: ExecutionId,
    start: Millis,
    /// The end; none while it runs.
    end: Option<Millis>,
    status: ExecutionStatus,
}

/// The load of a stretch of time.
#[derive(Serialize, ToSchema)]
struct Load {
    time: Millis,
    /// Runs that ended in it; after the present, those that are planned.
    started: u64,
    /// Runs in progress at once, on average; none after the present.
    running: Option<f64>,
}

pub(in crate::api) async fn timeline(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    mut fields: Fields,
) -> Result<Json<Timeline>, ApiError> {
    let now = api.clock.now();
    let from = fields.number("from", 0, LATEST, (now - DAY / 2).max(0));
    let until = fields.number("to", 0, LATEST, from.saturating_add(DAY));
    if until < from || until - from > LONGEST {
        fields.report("to", "must be at most 7 days after \"from\"");
    }
    let skip = fields.number("cursor", 0, LARGEST_SKIP, 0);
    let query = TaskQuery {
        bound: caller.grant.handlers.clone(),
        status: None,
        handler: fields.text("handler"),
        name: fields.text("name"),
        tag: fields.text("tag"),
        sort: TaskSort::UpdatedAt,
        direction: Direction::Descending,
        skip,
        limit: fields.number("lanes", 1, 50, 20),
        newest: 0,
        after: None,
    };
    fields.finish()?;
    let lanes_asked = query.limit;
    let page = api.store.tasks(query).await?;
    let (mut lanes, mut complete) = (Vec::new(), true);
    let covered = page.items.into_iter().filter(|view| caller.grant.covers(&view.task.definition.handler));
    for view in covered {
        let (lane, whole) = lane(&api, view.task, (from, until), now).await?;
        lanes.push(lane);
        complete &= whole;
    }
    let after = skip + lanes_asked;
    let next_cursor = (page.total > after as u64).then(|| after.to_string());
    // The load is of all tasks.
    let load = match caller.ensure_covers_all() {
        Ok(()) => load(&api, (from, until), now).await?,
        Err(_) => Vec::new(),
    };
    let capacity = api.scheduler.capacity();
    Ok(Json(Timeline { lanes, load, capacity, next_cursor, complete, meta: info.meta() }))
}

async fn lane(
    api: &Shared,
    task: Task,
    (from, until): (Millis, Millis),
    now: Millis,
) -> Result<(Lane, bool), ApiError> {
    let query = HistoryQuery {
        task: Some(task.id),
        from: from.saturating_sub(DAY),
        to: until,
        limit: MOST + 1,
        ..HistoryQuery::default()
    };
    let page = api.store.history(query).await?;
    let mut runs: Vec<Run> =
        page.rows.iter().map(run).filter(|run| run.end.is_none_or(|end| end >= from)).collect();
    let more = runs.len() > MOST;
    runs.truncate(MOST);
    runs.reverse();
    let mut upcoming = Upcoming::new(from.max(now), now);
    let (task_id, task_name) = (task.id, task.definition.name.clone());
    let (handler, status) = (task.definition.handler.clone(), task.status());
    upcoming.add(task);
    let planned = std::iter::from_fn(|| upcoming.pop()).map(|planned| planned.time);
    let mut planned: Vec<Millis> = planned.take_while(|time| *time < until).take(MOST + 1).collect();
    let planned_more = planned.len() > MOST;
    planned.truncate(MOST);
    let lane = Lane { task_id, task_name, handler, status, runs, more, planned, planned_more };
    Ok((lane, page.complete))
}

fn run(row: &Execution) -> Run {
    let start = row.start_time.unwrap_or(row.scheduled_for);
    let end = match row.status {
        ExecutionStatus::Running => None,
        _ => Some(start.saturating_add(row.duration.unwrap_or_default())),
    };
    Run { id: row.id, start, end, status: row.status }
}

/// The load of all tasks: what has run by the figures of activity, what will by the forecast.
async fn load(api: &Shared, (from, until): (Millis, Millis), now: Millis) -> Result<Vec<Load>, ApiError> {
    let size = match (until - from) / Size::Minute.length() {
        ..=BUCKETS => Size::Minute,
        _ => Size::Hour,
    };
    let past = api.store.activity(size, size.start(from), until.min(now + 1)).await?;
    let mut load: Vec<Load> = past
        .iter()
        .map(|bucket| {
            let tally = &bucket.tally;
            let running = tally.duration.sum() as f64 / size.length() as f64;
            Load {
                time: bucket.start,
                started: tally.completed + tally.failed + tally.cancelled,
                running: Some((running * 100.0).round() / 100.0),
            }
        })
        .collect();
    if until > now {
        let (groups, _) = groups(api).await?;
        let begin = from.max(now);
        let future =
            super::compute(move || forecast(&groups, begin, until, size.length(), BUDGET / 10)).await?;
        let buckets = future.buckets.into_iter().filter(|(_, starts)| *starts > 0);
        load.extend(buckets.map(|(time, started)| Load { time, started, running: None }));
    }
    Ok(load)
}
