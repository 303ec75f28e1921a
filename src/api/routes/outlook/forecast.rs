//! The number of planned runs per hour or day.

use std::sync::Arc;

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
        activity::Size,
        lock::lock,
        outlook::forecast::{BUDGET, Forecast, forecast as count},
    },
};

/// An answer is given again for this long, in milliseconds.
const FRESH: Millis = 60_000;
/// Answers that are held.
const HELD: usize = 8;

/// The answers of the last minute.
#[derive(Default)]
pub struct Forecasts {
    answers: std::sync::Mutex<Vec<(Key, Millis, Arc<Answer>)>>,
    /// Held by the one computation at a time.
    turn: tokio::sync::Mutex<()>,
}

/// The span to the minute, and the length of the buckets.
type Key = (Millis, Millis, Size);

struct Answer {
    forecast: Forecast,
    schedules: usize,
}

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

async fn answer(api: &Shared, key: Key, now: Millis) -> Result<Arc<Answer>, ApiError> {
    let held = || {
        let answers = lock(&api.forecasts.answers);
        let fresh = |time: Millis| (time..time + FRESH).contains(&now);
        answers.iter().find(|(of, time, _)| *of == key && fresh(*time)).map(|(.., answer)| answer.clone())
    };
    if let Some(answer) = held() {
        return Ok(answer);
    }
    let _turn = api.forecasts.turn.lock().await;
    if let Some(answer) = held() {
        return Ok(answer);
    }
    let (groups, all) = groups(api).await?;
    let (from, until, size) = key;
    let answer = compute(move || {
        let mut forecast = count(&groups, from, until, size.length(), BUDGET);
        forecast.exact &= all;
        Arc::new(Answer { forecast, schedules: groups.len() })
    })
    .await?;
    let mut answers = lock(&api.forecasts.answers);
    answers.retain(|(of, ..)| *of != key);
    if answers.len() >= HELD {
        answers.remove(0);
    }
    answers.push((key, now, answer.clone()));
    Ok(answer)
}
