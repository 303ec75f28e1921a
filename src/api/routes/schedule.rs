//! The meaning of a schedule, before there is a task.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        documents::Meta,
        error::ApiError,
        input::{Fields, LATEST},
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        draft::Problem,
        schedule::{ScheduleType, preview},
        zone::parse_zone,
    },
};

/// The meaning and the next times of a schedule.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PreviewDocument {
    schedule: String,
    timezone: &'static str,
    schedule_type: ScheduleType,
    /// The schedule in plain words.
    description: String,
    next: Vec<Millis>,
    start_at: Option<Millis>,
    end_at: Option<Millis>,
    /// The times of a task are up to this many milliseconds later than `next`.
    jitter: Millis,
    warnings: Vec<String>,
    meta: Meta,
}

pub(in crate::api) async fn preview(
    State(api): State<Shared>,
    info: RequestInfo,
    mut fields: Fields,
) -> Result<Json<PreviewDocument>, ApiError> {
    let schedule = fields.text("schedule");
    let timezone = fields.text("timezone");
    let after = fields.number("after", 0, LATEST, api.clock.now());
    let count = fields.number("count", 1, 100, 5);
    let bounds = preview::Bounds {
        start_at: fields.moment("startAt"),
        end_at: fields.moment("endAt"),
        jitter: fields.number("jitter", 0, 3_600_000, 0),
    };
    if schedule.is_none() {
        fields.report("schedule", "is required");
    }
    let zone = timezone.map_or(Ok(api.defaults.timezone), |name| parse_zone(&name));
    let zone = zone.map_err(|error| fields.report("timezone", error.to_string())).ok();
    fields.finish()?;
    let (Some(schedule), Some(zone)) = (schedule, zone) else {
        return Err(ApiError::internal("a missing field was not reported"));
    };
    let preview = preview::preview(&schedule, zone, bounds, after, count)
        .map_err(|error| ApiError::invalid(vec![Problem::new("schedule", error.to_string())]))?;
    Ok(Json(PreviewDocument {
        schedule,
        timezone: zone.name(),
        schedule_type: preview.schedule_type,
        description: preview.description,
        next: preview.next,
        start_at: bounds.start_at,
        end_at: bounds.end_at,
        jitter: bounds.jitter,
        warnings: preview.warnings,
        meta: info.meta(),
    }))
}
