//! Days to come with the usual durations: where more is due than runs at once.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{DAY, compute, groups, read_span};
use crate::{
    api::{
        auth::Caller, documents::Meta, error::ApiError, input::Fields, request::RequestInfo, state::Shared,
    },
    domain::{
        Millis,
        facts::Task,
        ids::TaskId,
        outlook::{
            forecast::BUDGET,
            load::{Load, Peak, load},
        },
        text::duration_in_words,
    },
    store::ComingQuery,
};

/// Tasks that are looked at one by one, those that run next first.
const LOOKED_AT: usize = 1000;
/// Suggestions at most.
const SUGGESTIONS: usize = 10;

/// The load of days to come.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Simulation {
    /// Times at which more is due than runs at once.
    peaks: Vec<Peak>,
    /// The largest number of runs in progress, if all that is due ran at once.
    highest: u64,
    /// Runs that fit at once.
    capacity: usize,
    /// Tasks that are still running when they are due again.
    conflicts: Vec<Conflict>,
    suggestions: Vec<Suggestion>,
    /// Whether every planned time and every task was looked at.
    complete: bool,
    meta: Meta,
}

/// A task that meets itself.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Conflict {
    task_id: TaskId,
    task_name: String,
    time: Millis,
    reason: String,
}

/// A change that would help.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Suggestion {
    /// For people.
    text: String,
    /// The task to change; none for a setting of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    /// The body for `PUT /admin/scheduler/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<serde_json::Value>,
}

pub(in crate::api) async fn simulate(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    mut fields: Fields,
) -> Result<Json<Simulation>, ApiError> {
    let now = api.clock.now();
    let (from, until) = read_span(&mut fields, now, DAY);
    fields.finish()?;
    caller.ensure_covers_all()?;
    let (groups, all) = groups(&api).await?;
    let capacity = api.scheduler.capacity();
    let found = compute(move || load(&groups, from, until, capacity as u64, BUDGET)).await?;
    let Load { peaks, highest, complete } = found;
    let query = ComingQuery { until, limit: LOOKED_AT + 1, ..ComingQuery::default() };
    let mut tasks: Vec<Task> = api.store.coming(query).await?.into_iter().map(|(_, task)| task).collect();
    let all_tasks = tasks.len() <= LOOKED_AT;
    tasks.truncate(LOOKED_AT);
    let conflicts: Vec<Conflict> = tasks.iter().filter_map(|task| conflict(task, from)).collect();
    let suggestions = suggest(&peaks, &tasks, capacity, from);
    let complete = complete && all && all_tasks;
    Ok(Json(Simulation { peaks, highest, capacity, conflicts, suggestions, complete, meta: info.meta() }))
}

/// Whether a task is usually still running when it is due again.
fn conflict(task: &Task, from: Millis) -> Option<Conflict> {
    let (usual, plan) = (task.stats().p50?, task.plan());
    if !task.definition.recurring || usual < 100 {
        return None;
    }
    let first = plan.next_after(from - 1)?;
    let next = plan.next_after(first)?;
    let gap = next - first;
    (usual > gap).then(|| Conflict {
        task_id: task.id,
        task_name: task.definition.name.clone(),
        time: next,
        reason: format!(
            "A run usually takes {} and the next one is due after {}.",
            duration_in_words(usual),
            duration_in_words(gap)
        ),
    })
}

/// Ways to lower the peaks: a jitter for tasks that all start at a peak, or more runners.
fn suggest(peaks: &[Peak], tasks: &[Task], capacity: usize, from: Millis) -> Vec<Suggestion> {
    let Some(highest) = peaks.iter().max_by_key(|peak| peak.concurrent) else { return Vec::new() };
    let mut suggestions = vec![Suggestion {
        text: format!(
            "Up to {} runs are due at once and {capacity} fit: the others wait. A larger `runners.max` lets \
             more of them run at once.",
            highest.concurrent
        ),
        task_id: None,
        change: None,
    }];
    let mut at_peaks: BTreeMap<Millis, usize> = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.definition.recurring) {
        let times: Vec<Millis> = peaks.iter().map(|peak| peak.time).collect();
        let Some(next) = task.plan().next_after(from - 1).filter(|next| times.contains(next)) else {
            continue;
        };
        let number = at_peaks.entry(next).or_default();
        *number += 1;
        // Those that fit stay where they are.
        if *number <= capacity || suggestions.len() > SUGGESTIONS {
            continue;
        }
        let name = &task.definition.name;
        suggestions.push(Suggestion {
            text: format!("\"{name}\" starts at a peak: with a jitter of ten minutes it starts beside it."),
            task_id: Some(task.id),
            change: Some(serde_json::json!({ "jitter": 600_000 })),
        });
    }
    suggestions
}
