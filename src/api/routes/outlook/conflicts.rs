//! What else runs at the times of a schedule.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{compute, groups};
use crate::{
    api::{
        auth::Caller, documents::Meta, error::ApiError, input::Fields, request::RequestInfo, state::Shared,
    },
    domain::{
        Millis,
        draft::Problem,
        ids::TaskId,
        outlook::{
            Group,
            beside::{Busy, Quieter, beside},
        },
        schedule::Timetable,
        zone::parse_zone,
    },
    store::StoreError,
};

pub(in crate::api) const LONGEST_RUN: Millis = 86_400_000;

/// What runs beside a schedule.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Conflicts {
    times: Vec<Time>,
    quieter: Vec<Quieter>,
    /// Whether all other schedules were looked at.
    complete: bool,
    meta: Meta,
}

/// A planned time.
#[derive(Serialize, ToSchema)]
#[schema(as = TimeOfSchedule)]
struct Time {
    #[serde(flatten)]
    busy: Busy,
    /// Runs that fit at once.
    capacity: usize,
}

pub(in crate::api) async fn conflicts(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    mut fields: Fields,
) -> Result<Json<Conflicts>, ApiError> {
    let schedule = fields.text("schedule");
    let zone = fields.text("timezone").map_or(Ok(api.defaults.timezone), |name| parse_zone(&name));
    let zone = zone.map_err(|error| fields.report("timezone", error.to_string())).ok();
    let duration = fields.number("duration", 0, LONGEST_RUN, 0);
    let excluded: Option<Result<TaskId, _>> = fields.text("excludeId").map(|id| id.parse());
    if schedule.is_none() {
        fields.report("schedule", "is required");
    }
    fields.finish()?;
    caller.ensure_covers_all()?;
    let (Some(schedule), Some(zone)) = (schedule, zone) else {
        return Err(ApiError::internal("a missing field was not reported"));
    };
    let schedule = Timetable::parse(&schedule)
        .map_err(|error| ApiError::invalid(vec![Problem::new("schedule", error.to_string())]))?;
    let (mut groups, complete) = groups(&api).await?;
    if let Some(id) = excluded {
        exclude(&api, &mut groups, id.map_err(|_| StoreError::NotFound)?).await?;
    }
    let now = api.clock.now();
    let found = compute(move || beside(&groups, &schedule, zone, now, duration)).await?;
    let capacity = api.scheduler.capacity();
    let times = found.times.into_iter().map(|busy| Time { busy, capacity }).collect();
    Ok(Json(Conflicts { times, quieter: found.quieter, complete, meta: info.meta() }))
}

/// Leaves a task out of its group.
async fn exclude(api: &Shared, groups: &mut [Group], id: TaskId) -> Result<(), ApiError> {
    let task = api.store.task(id).await?.ok_or(StoreError::NotFound)?;
    let planned = task.definition.recurring && !task.facts.paused && task.facts.next.is_some();
    let same = |group: &&mut Group| {
        group.schedule == task.definition.schedule && group.zone == task.definition.timezone
    };
    if let Some(group) = groups.iter_mut().find(same).filter(|_| planned) {
        group.tasks = group.tasks.saturating_sub(1);
    }
    Ok(())
}
