//! Occurrences: planned times, and what waits of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{
    Millis, definition::after::Predecessor, draft::Origin, execution::Trigger, ids::ExecutionId,
};

/// One planned time of a task, with the parameters of this one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occurrence {
    /// The planned time, epoch milliseconds.
    pub scheduled_for: Millis,
    /// Whether a user asked for it; then it is no time of the schedule.
    pub by_hand: bool,
    /// Parameters instead of the task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Map<String, Value>>,
    /// Whether it is a past time of the schedule that a backfill runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_backfill: bool,
    /// The occurrence of the task's predecessor that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Box<Predecessor>>,
    /// Of a run that a user asked for.
    #[serde(default, skip_serializing_if = "Origin::is_empty")]
    pub origin: Origin,
}

impl Occurrence {
    /// A planned time of the schedule.
    #[must_use]
    pub fn planned(scheduled_for: Millis) -> Self {
        Self {
            scheduled_for,
            by_hand: false,
            params: None,
            is_backfill: false,
            after: None,
            origin: Origin::default(),
        }
    }

    /// Whether a user asked for it, so that the plan is what it is without it.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.by_hand || self.is_backfill
    }
}

/// A backfill under way: past planned times that are still to run, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backfill {
    /// The planned time that runs next.
    pub next: Millis,
    /// The end of the span; a planned time at the end is in it.
    pub to: Millis,
    /// Planned times still to start, 1 or more.
    pub left: u64,
    /// Planned times in all.
    pub total: u64,
    /// Planned times of the span that are too many and do not run.
    pub left_out: u64,
    /// Epoch milliseconds of the request.
    pub since: Millis,
}

/// An occurrence that waits for its turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The id its execution will have.
    pub execution: ExecutionId,
    /// The cause of its start.
    pub trigger: Trigger,
    /// Epoch milliseconds at which the wait began.
    pub since: Millis,
    /// The occurrence that it runs for.
    pub occurrence: Occurrence,
    /// 1-based; a retry waits here when its time has come and its task has a concurrency key.
    #[serde(default = "first_attempt", skip_serializing_if = "is_first_attempt")]
    pub attempt: u32,
    /// Of a retry: the attempt that failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<ExecutionId>,
}

fn first_attempt() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_first_attempt(attempt: &u32) -> bool {
    *attempt == 1
}

impl Waiting {
    /// Whether it stays when planned times that wait are given up: a user asked for it, or it has failed
    /// before.
    pub(in crate::domain) fn stays(&self) -> bool {
        self.occurrence.is_asked_for() || self.attempt > 1
    }
}
