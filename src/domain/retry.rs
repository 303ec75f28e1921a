//! The wait between a failure and the next attempt.

use super::{
    Millis,
    definition::{Backoff, Definition},
};

/// No wait is longer than a day.
pub const LONGEST_WAIT: Millis = 24 * 60 * 60 * 1000;

/// Milliseconds between the failure of attempt `attempt` (1-based) and the next one.
/// `roll` in −1..1 places an exponential wait within its ten percent of jitter.
#[must_use]
pub fn wait(definition: &Definition, attempt: u32, roll: f64) -> Millis {
    match definition.retry_backoff {
        Backoff::Fixed => definition.retry_delay,
        Backoff::Exponential => {
            let doublings = attempt.saturating_sub(1).min(40);
            let base = definition.retry_delay.saturating_mul(1 << doublings).min(LONGEST_WAIT);
            #[expect(clippy::cast_precision_loss, reason = "at most a day of milliseconds")]
            let exact = base as f64 * (1.0 + 0.1 * roll.clamp(-1.0, 1.0));
            #[expect(clippy::cast_possible_truncation, reason = "at most a day of milliseconds")]
            let rounded = exact.round() as Millis;
            rounded.clamp(1, LONGEST_WAIT)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::draft::tests::definition;

    #[test]
    fn an_exponential_wait_doubles_within_its_jitter_and_stops_at_a_day() {
        let mut task = definition("@daily");
        task.retry_delay = 60_000;
        task.retry_backoff = Backoff::Exponential;
        let cases = [
            (1, 0.0, 60_000),
            (2, 0.0, 120_000),
            (3, -1.0, 216_000),
            (3, 1.0, 264_000),
            (11, 0.0, 61_440_000),
            (12, 1.0, LONGEST_WAIT),
            (10_000, -0.5, 82_080_000),
        ];
        for (attempt, roll, expected) in cases {
            assert_eq!(wait(&task, attempt, roll), expected, "attempt {attempt}, roll {roll}");
        }
        task.retry_backoff = Backoff::Fixed;
        assert_eq!(wait(&task, 9, 0.7), 60_000);
    }
}
