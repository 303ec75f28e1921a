//! Definition: a user's wishes for a task, valid by construction (see [`super::draft`]).

pub mod after;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::after::After;
use super::{
    Millis,
    alerts::Rule,
    ids::TaskId,
    schedule::{Plan, Timetable},
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

/// The fate of an occurrence that is due while the task runs.
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

/// The fate of occurrences that were missed.
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

/// The next step of a recurring task whose last attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExhausted {
    /// The task goes on with its next occurrence.
    Continue,
    /// The task has no next occurrence until a user resumes, resets or runs it.
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
    /// The first argument of the handler, at most 256 KiB of JSON.
    pub params: Map<String, Value>,
    /// The planned times.
    pub schedule: Timetable,
    /// The zone whose clocks the schedule follows.
    #[serde(with = "zone_name")]
    pub timezone: Tz,
    /// Whether the task goes on after its first run.
    pub recurring: bool,
    /// Attempts after the first.
    pub max_retries: u32,
    /// Milliseconds between a failure and the next attempt.
    pub retry_delay: Millis,
    /// The growth of this wait.
    pub retry_backoff: Backoff,
    /// Wall-clock milliseconds of one attempt.
    pub timeout: u64,
    /// See [`Overlap`].
    pub overlap: Overlap,
    /// See [`Misfire`].
    pub misfire: Misfire,
    /// See [`OnExhausted`].
    pub on_exhausted: OnExhausted,
    /// The number of executions that are kept.
    pub keep_executions: u64,
    /// Words by which people find the task, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// No planned time is before this one, epoch milliseconds; intervals count from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Millis>,
    /// No planned time is after this one, epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Millis>,
    /// The number of runs after which nothing is planned any more. Runs by hand and backfills do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<u64>,
    /// Planned times are up to this many milliseconds later than the schedule's; see [`Self::plan`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter: Millis,
    /// Among runs that are due and wait for a runner, those of a higher priority start first; -10 to 10.
    #[serde(default, skip_serializing_if = "is_normal")]
    pub priority: i8,
    /// Of all tasks with this key only so many executions are in progress at once; 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// The task after whose occurrences this one runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// Who is told of its runs; `None`: the server's rules for tasks without their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<Rule>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_zero(number: &Millis) -> bool {
    *number == 0
}

impl Definition {
    /// The planned times of `task`, with intervals counted from `anchor` or, if there is one, from
    /// `start_at`, which is the first. All times of a task are later than the schedule's by the same part
    /// of `jitter`, which the task's id decides.
    #[must_use]
    pub fn plan(&self, anchor: Millis, task: TaskId) -> Plan<'_> {
        Plan {
            shift: shift(self.jitter, task),
            from: self.start_at,
            until: self.end_at,
            ..Plan::of(&self.schedule, self.timezone, self.schedule.anchor(anchor, self.start_at))
        }
    }

    /// Attempts that one occurrence may have.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_retries.saturating_add(1)
    }
}

/// The part of `jitter` that the times of `task` are shifted by, from 0 to `jitter`: the task's id, mixed
/// so that tasks created one after the other lie far apart.
fn shift(jitter: Millis, task: TaskId) -> Millis {
    if jitter <= 0 {
        return 0;
    }
    let id = u128::from_be_bytes(task.to_bytes());
    let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let mixed = (mixed ^ (mixed >> 64)).wrapping_mul(0xd6e8_feb8_6659_fd93_d6e8_feb8_6659_fd93) >> 64;
    Millis::try_from(mixed % (u128::from(jitter.unsigned_abs()) + 1)).unwrap_or_default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_normal(priority: &i8) -> bool {
    *priority == 0
}

/// A time zone as its IANA name.
mod zone_name {
    use chrono_tz::Tz;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::domain::zone::parse_zone;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(zone.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
        parse_zone(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
