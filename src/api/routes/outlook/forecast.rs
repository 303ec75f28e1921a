//! The number of planned runs per hour or day.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{DAY, compute, groups, read_span};
use crate::{
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        forecasts::{Counted, FRESH, Key},
        input::Fields,
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        activity::Size,
        outlook::forecast::{BUDGET, forecast as count},
    },
};

/// Planned runs per bucket.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Document {
    bucket: &'static str,
    buckets: Vec<Starts>,
    /// The number of different schedules.
    schedules: usize,
    /// Whether every planned time was counted.
    exact: bool,
    meta: Meta,
}

/// A bucket.
#[derive(Serialize, ToSchema)]
struct Starts {
    time: Millis,
    starts: u64,
}

pub(in crate::api) async fn forecast(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    mut fields: Fields,
) -> Result<Json<Document>, ApiError> {
    let now = api.clock.now();
    let (from, until) = read_span(&mut fields, now - now.rem_euclid(FRESH), 7 * DAY);
    let sizes = [Size::Hour, Size::Day].map(|size| (size.name(), size));
    let size = fields.choice("bucket", &sizes).unwrap_or(Size::Hour);
    fields.finish()?;
    caller.ensure_covers_all()?;
    let answer = answer(&api, (from, until, size), now).await?;
    let buckets =
        answer.forecast.buckets.iter().map(|(time, starts)| Starts { time: *time, starts: *starts });
    Ok(Json(Document {
        bucket: size.name(),
        buckets: buckets.collect(),
        schedules: answer.schedules,
        exact: answer.forecast.exact,
        meta: info.meta(),
    }))
}

async fn answer(api: &Shared, (from, until, size): Key, now: Millis) -> Result<Arc<Counted>, ApiError> {
    let count = async || {
        let (groups, all) = groups(api).await?;
        compute(move || {
            let mut forecast = count(&groups, from, until, size.length(), BUDGET);
            forecast.exact &= all;
            Counted { forecast, schedules: groups.len() }
        })
        .await
    };
    api.forecasts.answer((from, until, size), now, count).await
}
