//! Forecasts: the numbers of planned runs that were counted in the last minute.

use std::sync::{Arc, Mutex};

use super::error::ApiError;
use crate::domain::{Millis, activity::Size, lock::lock, outlook::forecast::Forecast};

/// An answer is given again for this long, in milliseconds.
pub(super) const FRESH: Millis = 60_000;
/// Answers that are held.
const HELD: usize = 8;

/// The span to the minute, and the length of the buckets.
pub(super) type Key = (Millis, Millis, Size);

/// The planned runs of a span, and the number of different schedules.
pub(super) struct Counted {
    pub(super) forecast: Forecast,
    pub(super) schedules: usize,
}

/// The answers of the last minute.
#[derive(Default)]
pub struct Forecasts {
    answers: Mutex<Vec<(Key, Millis, Arc<Counted>)>>,
    /// Held by the one computation at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Forecasts {
    /// The answer that is held, or what `count` returns now.
    pub(super) async fn answer(
        &self,
        key: Key,
        now: Millis,
        count: impl AsyncFnOnce() -> Result<Counted, ApiError>,
    ) -> Result<Arc<Counted>, ApiError> {
        if let Some(answer) = self.held(key, now) {
            return Ok(answer);
        }
        let _turn = self.turn.lock().await;
        if let Some(answer) = self.held(key, now) {
            return Ok(answer);
        }
        let answer = Arc::new(count().await?);
        let mut answers = lock(&self.answers);
        answers.retain(|(of, ..)| *of != key);
        if answers.len() >= HELD {
            answers.remove(0);
        }
        answers.push((key, now, answer.clone()));
        Ok(answer)
    }

    fn held(&self, key: Key, now: Millis) -> Option<Arc<Counted>> {
        let fresh = |time: Millis| (time..time + FRESH).contains(&now);
        let answers = lock(&self.answers);
        answers.iter().find(|(of, time, _)| *of == key && fresh(*time)).map(|(.., answer)| answer.clone())
    }
}
