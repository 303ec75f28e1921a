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
/// When the text is no schedule, or one that never runs.
pub fn preview(
    text: &str,
    zone: Tz,
    bounds: Bounds,
    after: Millis,
    count: usize,
) -> Result<Preview, ScheduleError> {
    let schedule = Schedule::parse(text)?;
    schedule.check_reachable(after, after, zone)?;
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
            let plan = Plan { from, until, ..Plan::of(&schedule, zone, schedule.anchor(after, from)) };
            let mut last = after;
            while next.len() < count
                && let Some(time) = plan.next_after(last)
            {
                next.push(time);
                last = time;
            }
            if next.is_empty() {
                warnings.push("no run is left before endAt".to_owned());
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
