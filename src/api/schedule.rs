//! What a schedule means, without a task.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{Shared, error::ApiError, input::Fields, request::RequestInfo};
use crate::domain::{Millis, draft::Problem, preview, zone::parse_zone};

/// Where the calendar of the `cron` crate ends, near enough: the year 9999.
const LATEST: Millis = 253_402_300_799_999;

pub(super) async fn preview(
    State(api): State<Shared>,
    info: RequestInfo,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let schedule = fields.text("schedule");
    let timezone = fields.text("timezone");
    let after = fields.number("after", 0, LATEST, api.clock.now());
    let count = fields.number("count", 1, 100, 5);
    if schedule.is_none() {
        fields.report("schedule", "is required");
    }
    let zone = timezone.map_or(Ok(api.defaults.timezone), |name| parse_zone(&name));
    let zone = zone.map_err(|error| fields.report("timezone", error.to_string())).ok();
    fields.finish()?;
    let (Some(schedule), Some(zone)) = (schedule, zone) else {
        return Err(ApiError::internal("a missing field was not reported"));
    };
    let preview = preview::preview(&schedule, zone, after, count)
        .map_err(|error| ApiError::invalid(vec![Problem::new("schedule", error.to_string())]))?;
    Ok(Json(json!({
        "schedule": schedule,
        "timezone": zone.name(),
        "scheduleType": preview.schedule_type,
        "description": preview.description,
        "next": preview.next,
        "warnings": preview.warnings,
        "meta": info.meta(),
    })))
}
