//! A schedule together with the text it was written in.

use std::{
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock, Mutex},
};

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Passed, Schedule, ScheduleError};
use crate::domain::{Millis, lock::lock};

/// Schedules that have been read, by their text. A task's schedule comes with every read of the
/// task, and reading its text takes longer than the rest of the record.
static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Schedule>>>> = LazyLock::new(Mutex::default);
/// The most schedules that are kept; a text has 256 bytes at most.
const MOST_KNOWN: usize = 4096;

/// A schedule as a user wrote it, read once. It is stored as its text; two of the same text are
/// equal, two of the same meaning need not be.
#[derive(Clone)]
pub struct Timetable {
    text: String,
    schedule: Arc<Schedule>,
}

impl Timetable {
    /// Reads any form of schedule.
    ///
    /// # Errors
    /// [`ScheduleError`] names the mistake, its position and the correction.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let known = lock(&KNOWN).get(text).cloned();
        let schedule = match known {
            Some(schedule) => schedule,
            None => remember(text, Arc::new(Schedule::parse(text)?)),
        };
        Ok(Self { text: text.to_owned(), schedule })
    }

    /// `now`.
    #[must_use]
    pub fn now() -> Self {
        Self { text: "now".to_owned(), schedule: Arc::new(Schedule::Now) }
    }

    /// `never`.
    #[must_use]
    pub fn never() -> Self {
        Self { text: "never".to_owned(), schedule: Arc::new(Schedule::Never) }
    }

    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn remember(text: &str, schedule: Arc<Schedule>) -> Arc<Schedule> {
    let mut known = lock(&KNOWN);
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    known.insert(text.to_owned(), schedule.clone());
    schedule
}

impl Deref for Timetable {
    type Target = Schedule;

    fn deref(&self) -> &Schedule {
        &self.schedule
    }
}

impl PartialEq for Timetable {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl Serialize for Timetable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Timetable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The planned times of a task: its schedule with all that the schedule asks for.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The schedule.
    pub schedule: &'a Schedule,
    /// The zone whose clocks a cron expression follows.
    pub zone: Tz,
    /// The moment from which intervals are counted.
    pub anchor: Millis,
    /// Milliseconds by which each planned time is later than the schedule's.
    pub shift: Millis,
    /// The schedule's times before this one are not planned.
    pub from: Option<Millis>,
    /// No planned time is after this one.
    pub until: Option<Millis>,
}

impl<'a> Plan<'a> {
    /// All times of a schedule.
    #[must_use]
    pub fn of(schedule: &'a Schedule, zone: Tz, anchor: Millis) -> Self {
        Self { schedule, zone, anchor, shift: 0, from: None, until: None }
    }

    /// The first planned time after `after`.
    #[must_use]
    pub fn next_after(&self, after: Millis) -> Option<Millis> {
        let next = self.schedule.next_after(self.start_of(after), self.anchor, self.zone)?;
        Some(next.saturating_add(self.shift)).filter(|next| self.until.is_none_or(|until| *next <= until))
    }

    /// The planned times in `(after, until]`.
    #[must_use]
    pub fn count_between(&self, after: Millis, until: Millis) -> Passed {
        let (after, until) = (self.start_of(after), self.end_of(until));
        if after >= until {
            return Passed::default();
        }
        let passed = self.schedule.count_between(after, until, self.anchor, self.zone);
        Passed { newest: passed.newest.map(|newest| newest.saturating_add(self.shift)), ..passed }
    }

    /// The newest `limit` planned times in `(after, until]`, oldest first.
    #[must_use]
    pub fn newest_between(&self, after: Millis, until: Millis, limit: usize) -> Vec<Millis> {
        let (after, until) = (self.start_of(after), self.end_of(until));
        if after >= until {
            return Vec::new();
        }
        let newest = self.schedule.newest_between(after, until, limit, self.anchor, self.zone);
        newest.into_iter().map(|time| time.saturating_add(self.shift)).collect()
    }

    /// The moment after which the schedule's times are planned after `after`.
    fn start_of(&self, after: Millis) -> Millis {
        let after = after.saturating_sub(self.shift);
        self.from.map_or(after, |from| after.max(from.saturating_sub(1)))
    }

    /// The moment up to which the schedule's times are planned up to `until`.
    fn end_of(&self, until: Millis) -> Millis {
        self.until.map_or(until, |last| until.min(last)).saturating_sub(self.shift)
    }
}
