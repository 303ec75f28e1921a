//! Alerts: the messages, with everything that is known when they are decided.

use serde::{Deserialize, Serialize};

use super::Occasion;
pub use crate::domain::ids::AlertId;
use crate::domain::{
    Millis,
    execution::{Execution, Reason, Trigger},
    facts::Task,
    ids::{ExecutionId, TaskId},
};

/// The most characters of an error in an alert.
pub const LONGEST_ERROR: usize = 1000;

/// A message to a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Unique; tells doubles apart.
    pub id: AlertId,
    /// The name of the channel.
    pub channel: String,
    /// What it tells of.
    pub kind: Kind,
    /// Epoch milliseconds of the decision.
    pub time: Millis,
    /// The task; none for the server itself and for digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Subject>,
    /// The execution that gave the occasion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Epoch milliseconds from which the occasion lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
    /// Failures or skips in a row, messages of a digest, milliseconds of a lateness, a length or a silence.
    pub count: u64,
    /// Milliseconds that half of the recent runs did not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<Millis>,
    /// Whether the handler's file differs from that of the last success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_changed: Option<bool>,
    /// The message that this one follows: a recovery's failure, a reminder's first message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<AlertId>,
    /// Whether the message repeats an earlier one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reminder: bool,
    /// Whether the occasion has paused the task.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// A text of the server itself, or the lines of a digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// What an alert tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// See [`Occasion::Failure`].
    Failure,
    /// See [`Occasion::Recovery`].
    Recovery,
    /// See [`Occasion::Exhausted`].
    Exhausted,
    /// See [`Occasion::Skipped`].
    Skipped,
    /// See [`Occasion::Late`].
    Late,
    /// See [`Occasion::Slow`].
    Slow,
    /// See [`Occasion::Missed`].
    Missed,
    /// A beat: an occurrence has succeeded.
    Success,
    /// A beat: a run has started.
    Start,
    /// A beat: an occurrence has failed.
    Fail,
    /// Several messages in one.
    Digest,
    /// A user tries the channel.
    Test,
    /// The store's commits are slow.
    StoreSlow,
    /// The disk is nearly full.
    DiskLow,
    /// A backup has failed.
    BackupFailed,
    /// The clock was set.
    ClockJump,
    /// A token ends soon.
    TokenExpiring,
    /// A handler that tasks use does not load.
    HandlerBroken,
}

impl Kind {
    /// The kinds about the server itself.
    pub const OF_SERVER: [Self; 6] = [
        Self::StoreSlow,
        Self::DiskLow,
        Self::BackupFailed,
        Self::ClockJump,
        Self::TokenExpiring,
        Self::HandlerBroken,
    ];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Recovery => "recovery",
            Self::Exhausted => "exhausted",
            Self::Skipped => "skipped",
            Self::Late => "late",
            Self::Slow => "slow",
            Self::Missed => "missed",
            Self::Success => "success",
            Self::Start => "start",
            Self::Fail => "fail",
            Self::Digest => "digest",
            Self::Test => "test",
            Self::StoreSlow => "store-slow",
            Self::DiskLow => "disk-low",
            Self::BackupFailed => "backup-failed",
            Self::ClockJump => "clock-jump",
            Self::TokenExpiring => "token-expiring",
            Self::HandlerBroken => "handler-broken",
        }
    }

    /// Whether it is a beat of a heartbeat channel.
    #[must_use]
    pub const fn is_beat(self) -> bool {
        matches!(self, Self::Success | Self::Start | Self::Fail)
    }
}

impl From<Occasion> for Kind {
    fn from(occasion: Occasion) -> Self {
        match occasion {
            Occasion::Failure => Self::Failure,
            Occasion::Recovery => Self::Recovery,
            Occasion::Exhausted => Self::Exhausted,
            Occasion::Skipped => Self::Skipped,
            Occasion::Late => Self::Late,
            Occasion::Slow => Self::Slow,
            Occasion::Missed => Self::Missed,
        }
    }
}

/// The task of an alert, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The task.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// Its handler.
    pub handler: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Subject {
    /// The subject of alerts about a task.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        let definition = &task.definition;
        Self {
            id: task.id,
            name: definition.name.clone(),
            handler: definition.handler.clone(),
            tags: definition.tags.clone(),
        }
    }
}

/// The execution that gave the occasion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Its row.
    pub execution: ExecutionId,
    /// Why it is not completed.
    pub reason: Option<Reason>,
    /// Why it started.
    pub trigger: Trigger,
    /// For people, at most [`LONGEST_ERROR`] characters.
    pub error: Option<String>,
    /// 1-based; 0 for a skip.
    pub attempt: u32,
    /// The planned time, epoch milliseconds.
    pub scheduled_for: Millis,
    /// Epoch milliseconds.
    pub start_time: Option<Millis>,
    /// Milliseconds.
    pub duration: Option<Millis>,
}

impl Cause {
    /// The cause that a row is.
    #[must_use]
    pub fn of(row: &Execution) -> Self {
        Self {
            execution: row.id,
            reason: row.reason,
            trigger: row.trigger,
            error: row.error.as_deref().map(|error| cut(error, LONGEST_ERROR)),
            attempt: row.attempt,
            scheduled_for: row.scheduled_for,
            start_time: row.start_time,
            duration: row.duration,
        }
    }
}

/// The first characters of a text, with an ellipsis if more follow.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
