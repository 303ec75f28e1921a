//! Definition: what a user asks for, valid by construction (see [`super::draft`]).

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Millis,
    schedule::{Schedule, ScheduleError},
    zone::parse_zone,
};

/// The growth of the wait between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// The same wait before every attempt.
    Fixed,
    /// Twice the wait after every failure, with ten percent of jitter.
    Exponential,
}

/// What happens to an occurrence that is due while the task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is recorded as skipped.
    Skip,
    /// One of them runs afterwards.
    Queue,
    /// It runs at the same time.
    Allow,
    /// The run in progress is cancelled for it.
    Replace,
}

/// What happens to occurrences whose time was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Misfire {
    /// One run for all of them.
    Once,
    /// None runs.
    Skip,
    /// Each of them runs, in order and within bounds.
    All,
}

/// What a recurring task does after its last attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExhausted {
    /// It goes on with its next occurrence.
    Continue,
    /// It has no next occurrence until somebody resumes, resets or runs it.
    Stop,
}

/// Everything that a user decides about a task. The ranges are those of [`super::draft`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Unique, 3 to 50 characters.
    pub name: String,
    /// At most 200 characters.
    pub description: String,
    /// A handler's name, such as `reports/sales`.
    pub handler: String,
    /// What the handler is called with.
    pub params: Map<String, Value>,
    /// The schedule as it was written; it parses.
    pub schedule: String,
    /// An IANA time zone name.
    pub timezone: String,
    /// Whether it goes on after its first run.
    pub recurring: bool,
    /// Attempts after the first.
    pub max_retries: u32,
    /// Milliseconds.
    pub retry_delay: Millis,
    /// How the wait grows.
    pub retry_backoff: Backoff,
    /// Wall-clock milliseconds of one attempt.
    pub timeout: u64,
    /// See [`Overlap`].
    pub overlap: Overlap,
    /// See [`Misfire`].
    pub misfire: Misfire,
    /// See [`OnExhausted`].
    pub on_exhausted: OnExhausted,
    /// How many executions are kept.
    pub keep_executions: u64,
}

/// A definition's schedule, ready to be asked.
#[derive(Debug, Clone)]
pub struct Timetable {
    /// When it runs.
    pub schedule: Schedule,
    /// Whose clocks it follows.
    pub zone: Tz,
    /// Where intervals count from.
    pub anchor: Millis,
}

impl Timetable {
    /// The first planned time after `after`.
    #[must_use]
    pub fn next_after(&self, after: Millis) -> Option<Millis> {
        self.schedule.next_after(after, self.anchor, self.zone)
    }
}

impl Definition {
    /// The schedule with its zone, counting intervals from `anchor`.
    ///
    /// # Errors
    /// When the stored text is no schedule or names no zone: it was valid when it was
    /// accepted, so this means that the rules or the zone data have changed since.
    pub fn timetable(&self, anchor: Millis) -> Result<Timetable, ScheduleError> {
        Ok(Timetable {
            schedule: Schedule::parse(&self.schedule)?,
            zone: parse_zone(&self.timezone).unwrap_or(Tz::UTC),
            anchor,
        })
    }

    /// Attempts that one occurrence may have.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_retries.saturating_add(1)
    }
}
