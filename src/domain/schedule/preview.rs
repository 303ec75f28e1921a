//! Preview: the meaning and the next times of a schedule, before there is a task.

use chrono_tz::Tz;

use super::{Plan, Schedule, ScheduleError, ScheduleType};
use crate::domain::Millis;

/// The meaning and the next times of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The kind of schedule.
    pub schedule_type: ScheduleType,
    /// The schedule in plain words.
    pub description: String,
    /// The next times, epoch milliseconds.
    pub next: Vec<Millis>,
    /// Sentences about surprises, such as clock changes.
    pub warnings: Vec<String>,
}

/// The fields of a task that bound and move the times of its schedule.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// No time before this one, epoch milliseconds; intervals count from it.
    pub start_at: Option<Millis>,
    /// No time after this one, epoch milliseconds.
    pub end_at: Option<Millis>,
    /// The times of a task are up to this many milliseconds later.
    pub jitter: Millis,
}

/// The meaning of the schedule `text`, and its next `count` times after `after`, without jitter.
/// Intervals count from `after` or `start_at`.
///
/// # Errors
/// When the text is no schedule, or one that never runs, whatever the time.
pub fn preview(
    text: &str,
    zone: Tz,
    bounds: Bounds,
    after: Millis,
    count: usize,
) -> Result<Preview, ScheduleError> {
    let schedule = Schedule::parse(text)?;
    if schedule.check_reachable(after, after, zone).is_err() {
        schedule.check_reachable(0, 0, zone)?;
    }
    let mut next = Vec::new();
    let mut warnings = Vec::new();
    match schedule {
        Schedule::Now => next.push(after),
        Schedule::At(moment) if moment <= after => {
            next.push(after);
            warnings.push("this moment is past, so a task with it runs at once".to_owned());
        }
        _ => {
            let Bounds { start_at: from, end_at: until, .. } = bounds;
            let bounded =
                |from, until| Plan { from, until, ..Plan::of(&schedule, zone, schedule.anchor(after, from)) };
            let plan = bounded(from, until);
            let mut last = after;
            while next.len() < count
                && let Some(time) = plan.next_after(last)
            {
                next.push(time);
                last = time;
            }
            if next.is_empty() {
                let has_run = |from, until| bounded(from, until).next_after(after).is_some();
                let why = match schedule {
                    Schedule::Never => "the schedule \"never\" plans no run",
                    _ if has_run(from, None) => "no run is left before endAt",
                    _ if has_run(None, None) => "no run is planned from startAt on: it is too far ahead",
                    _ => "no run is planned after that time: it is too far ahead",
                };
                warnings.push(why.to_owned());
            }
        }
    }
    if bounds.jitter > 0 {
        let most = bounds.jitter;
        warnings.push(format!(
            "with jitter a task's runs are up to {most} ms later than these times, the same each time"
        ));
    }
    warnings.extend(schedule.warnings(zone, &next));
    Ok(Preview { schedule_type: schedule.schedule_type(), description: schedule.describe(), next, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::LATEST;

    #[test]
    fn the_reason_of_an_empty_preview_names_its_cause() {
        let warning = |text: &str, bounds, after| {
            let preview = preview(text, Tz::UTC, bounds, after, 3).expect("a schedule");
            (preview.next, preview.warnings.first().cloned().unwrap_or_default())
        };
        let none = Bounds::default();
        let ends = Bounds { end_at: Some(1000), ..none };
        let starts = Bounds { start_at: Some(LATEST), ..none };
        let ahead = "no run is planned after that time: it is too far ahead";
        for (text, bounds, after, why) in [
            ("never", none, 0, "the schedule \"never\" plans no run"),
            ("0 9 * * *", ends, 0, "no run is left before endAt"),
            ("0 9 * * *", starts, 0, "no run is planned from startAt on: it is too far ahead"),
            ("0 9 * * *", none, LATEST, ahead),
            ("every 1h", none, LATEST, ahead),
        ] {
            assert_eq!(warning(text, bounds, after), (Vec::new(), why.to_owned()), "{text} {after}");
        }
        let impossible = preview("0 0 30 2 *", Tz::UTC, none, LATEST, 3).expect_err("no such day");
        assert_eq!(impossible, ScheduleError::Never);
    }
}
