//! Alarms: the part of a task's facts by which each message is sent once.

use serde::{Deserialize, Serialize};

use super::{AlertId, Occasion};
use crate::domain::{Millis, ids::ExecutionId};

/// The state of a task's alerts. A task without alerts has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alarms {
    /// Occurrences that failed in a row, since the last success or resumption.
    pub failures: u32,
    /// Epoch milliseconds of the first of these failures.
    pub failing_since: Option<Millis>,
    /// Occurrences that were skipped in a row.
    pub skipped: u64,
    /// Epoch milliseconds of the first of these skips.
    pub skipped_since: Option<Millis>,
    /// Epoch milliseconds from which a success is awaited: of the last one, or of the begin of the watch.
    pub heard: Option<Millis>,
    /// The hash of the handler's file at the last success.
    pub good_hash: Option<String>,
    /// The messages whose occasion lasts.
    pub firing: Vec<Firing>,
    /// The planned times of unfinished occurrences that an alert has started: they give no occasion.
    pub quiet: Vec<Millis>,
    /// Epoch milliseconds of the next decision that the clock alone brings: the key of an index.
    pub due: Option<Millis>,
}

/// A message whose occasion lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firing {
    /// The channel that got it.
    pub channel: String,
    /// Its occasion.
    pub occasion: Occasion,
    /// Epoch milliseconds from which the occasion lasts; tells two streaks of failures apart.
    pub since: Millis,
    /// Epoch milliseconds of the last message about it.
    pub told: Millis,
    /// The first message about it.
    pub alert: AlertId,
    /// The newest message about it, if that repeats the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<AlertId>,
    /// The slow run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
}

impl Alarms {
    /// The message to a channel whose occasion lasts.
    #[must_use]
    pub fn find(&self, channel: &str, occasion: Occasion) -> Option<&Firing> {
        self.firing.iter().find(|firing| firing.channel == channel && firing.occasion == occasion)
    }
}

/// The cause of a pause that no user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PausedBy {
    /// `alert`
    pub by: String,
    /// Epoch milliseconds of the pause.
    pub since: Millis,
    /// For people.
    pub why: String,
}
