//! Preview: the meaning and the next times of a schedule, before there is a task.

use chrono_tz::Tz;

use super::{Schedule, ScheduleError, ScheduleType};
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

/// The meaning of the schedule `text`, and its next `count` times after `after`.
/// Intervals count from `after`.
///
/// # Errors
/// When the text is no schedule, or one that never runs.
pub fn preview(text: &str, zone: Tz, after: Millis, count: usize) -> Result<Preview, ScheduleError> {
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
            let mut last = after;
            while next.len() < count
                && let Some(time) = schedule.next_after(last, after, zone)
            {
                next.push(time);
                last = time;
            }
        }
    }
    warnings.extend(schedule.warnings(zone, &next));
    Ok(Preview { schedule_type: schedule.schedule_type(), description: schedule.describe(), next, warnings })
}
