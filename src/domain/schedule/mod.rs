//! Schedule: the planned times of a task.
//!
//! A schedule is read from text once ([`Schedule::parse`]) and then only asked: for the next time after
//! an instant, the number of times between two instants, a description in plain words. It holds no state
//! and looks at no clock: the instant, the anchor of an interval and the zone are arguments.
//!
//! How to misuse it: `next_after` with the time of the last run, instead of the present moment, plans
//! runs that have long passed; use [`Schedule::count_between`] for those.

pub(super) mod civil;
pub mod cron;
mod describe;
mod error;
mod moment;
pub mod preview;
#[cfg(test)]
mod tests;
mod timetable;
mod warnings;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use self::cron::{CronExpr, Shape};
pub use self::error::ScheduleError;
pub use self::moment::{IntervalError, MomentError};
use self::moment::{LATEST, looks_like_date, parse_epoch, parse_interval, parse_moment};
pub use self::timetable::{Plan, Timetable};
use super::Millis;

/// The longest text of a schedule, in bytes.
const LONGEST: usize = 256;
/// How far ahead a schedule must have a run, in milliseconds: eight years.
const HORIZON: Millis = 8 * 366 * 86_400_000;

/// The planned times of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// Once, at once.
    Now,
    /// Once, at this moment (milliseconds since 1970 UTC); a past moment is at once.
    At(Millis),
    /// Again and again at this distance (milliseconds, at least 100), counted from the anchor.
    Every(Millis),
    /// As a cron expression says.
    Cron(Box<CronExpr>),
    /// Not by itself: by hand, or after another task.
    Never,
}

/// The kind of a schedule, as the API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleType {
    /// `now` or a moment.
    Once,
    /// A cron expression with a fixed minute and nothing else.
    Hourly,
    /// A cron expression with a fixed time of day and nothing else.
    Daily,
    /// A cron expression with a fixed time of one weekday.
    Weekly,
    /// A cron expression with a fixed time of one day of the month.
    Monthly,
    /// `every …`.
    Interval,
    /// Any other cron expression.
    Cron,
    /// `never`.
    Never,
}

/// The planned times of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// The number of planned times.
    pub count: u64,
    /// The newest of them, milliseconds since 1970 UTC.
    pub newest: Option<Millis>,
}

impl Schedule {
    /// Reads any form of schedule.
    ///
    /// # Errors
    /// [`ScheduleError`] names the mistake, its position and the correction.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let word = text.trim_matches(|c: char| c.is_ascii_whitespace());
        if word.is_empty() {
            return Err(ScheduleError::Empty);
        }
        if text.len() > LONGEST {
            return Err(ScheduleError::TooLong(text.len()));
        }
        let text = text.trim_end_matches(|c: char| c.is_ascii_whitespace());
        let shift = text.chars().count() - word.chars().count();
        let strange = |c: &char| !(c.is_ascii_graphic() || *c == ' ' || *c == '\t');
        if let Some((at, found)) = word.chars().enumerate().find(|(_, c)| strange(c)) {
            return Err(ScheduleError::Character { found, at: shift + at + 1 });
        }
        let lower = word.to_ascii_lowercase();
        if lower == "now" {
            Ok(Self::Now)
        } else if lower == "never" {
            Ok(Self::Never)
        } else if word.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self::At(parse_epoch(word)?))
        } else if let Some(interval) = lower.strip_prefix('@').unwrap_or(&lower).strip_prefix("every") {
            Ok(Self::Every(parse_interval(interval)?))
        } else if looks_like_date(word) {
            Ok(Self::At(parse_moment(word)?))
        } else if !word.starts_with('@') && !word.contains([' ', '\t']) {
            Err(ScheduleError::Unknown(word.to_owned()))
        } else {
            // With the blanks in front, so that places in errors are those of the text that was given.
            Ok(Self::Cron(Box::new(CronExpr::parse(text)?)))
        }
    }

    /// The kind of schedule.
    pub fn schedule_type(&self) -> ScheduleType {
        match self {
            Self::Now | Self::At(_) => ScheduleType::Once,
            Self::Every(_) => ScheduleType::Interval,
            Self::Never => ScheduleType::Never,
            Self::Cron(cron) => cron_type(cron),
        }
    }

    /// Whether there is one run at most.
    pub fn is_one_time(&self) -> bool {
        matches!(self, Self::Now | Self::At(_) | Self::Never)
    }

    /// The moment from which intervals are counted: `anchor`, or an interval before `start`, so that
    /// `start` is the first time.
    pub fn anchor(&self, anchor: Millis, start: Option<Millis>) -> Millis {
        match (self, start) {
            (Self::Every(interval), Some(start)) => start.saturating_sub(*interval),
            _ => anchor,
        }
    }

    /// The first planned time strictly after `after`. `anchor` is where intervals are counted from (the
    /// creation of the task); all are milliseconds since 1970 UTC. `Now` has none, and a cron expression
    /// none after the year 2100.
    pub fn next_after(&self, after: Millis, anchor: Millis, zone: Tz) -> Option<Millis> {
        match self {
            Self::Now | Self::Never => None,
            Self::At(moment) => Some(*moment).filter(|moment| *moment > after),
            Self::Every(interval) => nth_run(anchor, *interval, runs_until(anchor, *interval, after) + 1),
            // Cron's times are whole seconds: a time after the second of `after` is after `after` too.
            Self::Cron(cron) => cron.next(seconds(after), zone).map(millis),
        }
    }

    /// The number of planned times in `(after, until]`, and the newest of them. The count is exact and
    /// quick for any schedule and length of time.
    pub fn count_between(&self, after: Millis, until: Millis, anchor: Millis, zone: Tz) -> Passed {
        let count = match self {
            Self::Now | Self::Never => 0,
            Self::At(moment) => u64::from(after < *moment && *moment <= until),
            Self::Every(interval) => {
                let runs =
                    runs_until(anchor, *interval, until.min(LATEST)) - runs_until(anchor, *interval, after);
                u64::try_from(runs).unwrap_or_default()
            }
            Self::Cron(cron) => cron.count(seconds(after), seconds(until), zone),
        };
        Passed { count, newest: self.newest_between(after, until, 1, anchor, zone).pop() }
    }

    /// The newest `limit` planned times in `(after, until]`, oldest first.
    pub fn newest_between(
        &self,
        after: Millis,
        until: Millis,
        limit: usize,
        anchor: Millis,
        zone: Tz,
    ) -> Vec<Millis> {
        let mut newest: Vec<Millis> = match self {
            Self::Now | Self::Never => Vec::new(),
            Self::At(moment) => Some(*moment)
                .filter(|moment| after < *moment && *moment <= until)
                .into_iter()
                .take(limit)
                .collect(),
            Self::Every(interval) => {
                let oldest = runs_until(anchor, *interval, after);
                let mut run = runs_until(anchor, *interval, until.min(LATEST));
                std::iter::from_fn(|| {
                    let planned = (run > oldest).then(|| nth_run(anchor, *interval, run)).flatten();
                    run -= 1;
                    planned
                })
                .take(limit)
                .collect()
            }
            Self::Cron(cron) => {
                cron.newest(seconds(after), seconds(until), limit, zone).into_iter().map(millis).collect()
            }
        };
        newest.reverse();
        newest
    }

    /// The nominal distance of two runs in milliseconds: 0 for one-time schedules, a month is 30 days, and
    /// for other cron expressions it is the distance of the next two runs after `after` (0 without them).
    pub fn period(&self, after: Millis, anchor: Millis, zone: Tz) -> Millis {
        match (self.schedule_type(), self) {
            (ScheduleType::Once | ScheduleType::Never, _) => 0,
            (ScheduleType::Hourly, _) => 3_600_000,
            (ScheduleType::Daily, _) => 86_400_000,
            (ScheduleType::Weekly, _) => 604_800_000,
            (ScheduleType::Monthly, _) => 2_592_000_000,
            (ScheduleType::Interval, Self::Every(interval)) => *interval,
            (ScheduleType::Interval | ScheduleType::Cron, _) => self
                .next_after(after, anchor, zone)
                .and_then(|first| Some(self.next_after(first, anchor, zone)? - first))
                .unwrap_or_default(),
        }
    }

    /// Checks at creation that there is a run to wait for: a cron expression needs one within eight years.
    ///
    /// # Errors
    /// [`ScheduleError::Never`].
    pub fn check_reachable(&self, after: Millis, anchor: Millis, zone: Tz) -> Result<(), ScheduleError> {
        let next = match self {
            Self::Now | Self::At(_) | Self::Never => return Ok(()),
            Self::Every(_) => self.next_after(after, anchor, zone),
            Self::Cron(_) => {
                self.next_after(after, anchor, zone).filter(|next| *next <= after.saturating_add(HORIZON))
            }
        };
        next.map(|_| ()).ok_or(ScheduleError::Never)
    }
}

fn cron_type(cron: &CronExpr) -> ScheduleType {
    let wall = cron.wall();
    if wall.second.single().is_none() || wall.minute.single().is_none() || !wall.month.is_full() {
        return ScheduleType::Cron;
    }
    match (wall.hour.is_full(), wall.hour.single(), wall.days.shape()) {
        (true, _, Shape::Daily) => ScheduleType::Hourly,
        (_, Some(_), Shape::Daily) => ScheduleType::Daily,
        (_, Some(_), Shape::Weekly) => ScheduleType::Weekly,
        (_, Some(_), Shape::Monthly) => ScheduleType::Monthly,
        _ => ScheduleType::Cron,
    }
}

/// The number of runs of an interval that are planned up to `until`. The type is wider than `Millis`, so
/// that no two instants are too far apart.
fn runs_until(anchor: Millis, interval: Millis, until: Millis) -> i128 {
    ((i128::from(until) - i128::from(anchor)) / i128::from(interval.max(1))).max(0)
}

fn nth_run(anchor: Millis, interval: Millis, run: i128) -> Option<Millis> {
    Millis::try_from(i128::from(anchor) + run * i128::from(interval))
        .ok()
        .filter(|planned| *planned <= LATEST)
}

fn seconds(instant: Millis) -> i64 {
    instant.div_euclid(1_000)
}

/// Does not overflow: a planned second is within the calendar.
fn millis(second: i64) -> Millis {
    second * 1_000
}
