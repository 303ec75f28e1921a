//! Outlook: what will run, and when, from the facts of tasks and from numbers of tasks per schedule.
//!
//! [`upcoming`] merges the planned times of single tasks; it asks the same timetable and the same facts
//! as the scheduler. [`forecast`] counts the planned times of all tasks, [`load`] adds how long runs take
//! and compares them with the runs that fit at once, and [`beside`] tells what else runs at the times of a
//! new schedule: these know schedules and numbers of tasks only, so that their cost grows with the number
//! of different schedules. [`explain`] says of a past time why a task did, or did not, run.

pub mod beside;
pub mod explain;
pub mod forecast;
pub mod load;
pub mod upcoming;

use chrono_tz::Tz;

use super::{Millis, facts::Task, schedule::Timetable};

/// The usual duration of a task's runs, rounded so that it changes seldom: the power of two next to the
/// median of the recent ones, in milliseconds; 0 if none is known.
#[must_use]
pub fn usual(task: &Task) -> u64 {
    let median = task.stats().p50.unwrap_or_default().max(0).unsigned_abs();
    // Up from 1.5 times a power of two.
    match median {
        0 => 0,
        1 => 1,
        median => ((median + median / 3) / 2 + 1).next_power_of_two(),
    }
}

/// Tasks that share a schedule and a time zone.
#[derive(Debug, Clone)]
pub struct Group {
    /// The schedule.
    pub schedule: Timetable,
    /// The zone whose clocks it follows.
    pub zone: Tz,
    /// The number of tasks.
    pub tasks: u64,
    /// The usual duration of a run, in milliseconds.
    pub usual: Millis,
}

impl Group {
    /// The first planned time after `after`. Intervals, whose anchors differ from task to task, have none.
    fn next_after(&self, after: Millis) -> Option<Millis> {
        match self.interval() {
            Some(_) => None,
            None => self.schedule.next_after(after, 0, self.zone),
        }
    }

    /// The distance of two runs of an interval, in milliseconds.
    fn interval(&self) -> Option<Millis> {
        match *self.schedule {
            super::schedule::Schedule::Every(interval) => Some(interval.max(1)),
            _ => None,
        }
    }

    /// The number of planned times in `[from, until)`, of all tasks.
    fn starts_between(&self, from: Millis, until: Millis) -> u64 {
        let span = until.saturating_sub(from).max(0);
        let each = match self.interval() {
            Some(interval) => return share(self.tasks, span, interval),
            None => self.schedule.count_between(from - 1, until - 1, 0, self.zone).count,
        };
        each.saturating_mul(self.tasks)
    }
}

/// The runs of `tasks` tasks with an interval in a span, to the nearest whole number.
fn share(tasks: u64, span: Millis, interval: Millis) -> u64 {
    let runs = i128::from(tasks) * i128::from(span);
    let interval = i128::from(interval);
    u64::try_from((runs + interval / 2) / interval).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) fn group(schedule: &str, tasks: u64, usual: Millis) -> Group {
    let schedule = Timetable::parse(schedule).expect("a schedule");
    Group { schedule, zone: Tz::UTC, tasks, usual }
}
