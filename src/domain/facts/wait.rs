//! Waits: the causes for which unfinished occurrences do not run.

use std::fmt;

use super::{MOST_AT_ONCE, Millis, Overlap, Task, Waiting};
use crate::domain::ids::ExecutionId;

/// The cause for which an unfinished occurrence does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// A run of the task is in progress, or others wait before it.
    Turn,
    /// The task is paused.
    Resumption,
    /// Every slot of the task's concurrency key may be taken.
    Slot(String),
    /// The time of another attempt has not come.
    Retry {
        /// The number of the attempt, 2 or more.
        attempt: u32,
        /// Epoch milliseconds.
        due: Millis,
    },
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turn => f.write_str("waits for its turn"),
            Self::Resumption => f.write_str("waits until the task is resumed"),
            Self::Slot(key) => write!(f, "waits for a slot of the concurrency key \"{key}\""),
            Self::Retry { attempt, due } => {
                let time = chrono::DateTime::from_timestamp_millis(*due).unwrap_or_default();
                let time = time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                write!(
                    f,
                    "is attempt {attempt} and waits for its time, {time}; a pause of the task holds it back"
                )
            }
        }
    }
}

impl Task {
    /// The wait of an execution that is not in progress and has not ended; `None` for any other one.
    #[must_use]
    pub fn wait_of(&self, execution: ExecutionId) -> Option<Wait> {
        let waiting = self.facts.waiting.iter().find(|waiting| waiting.execution == execution)?;
        Some(self.explain_wait(waiting))
    }

    /// The wait of the run that comes next, while none is in progress; `None` if none waits.
    #[must_use]
    pub fn first_wait(&self) -> Option<Wait> {
        let facts = &self.facts;
        if let Some(waiting) = facts.waiting.first() {
            return Some(self.explain_wait(waiting));
        }
        let retry = facts.retries.first()?;
        Some(if facts.paused {
            Wait::Resumption
        } else {
            Wait::Retry { attempt: retry.attempt, due: retry.due }
        })
    }

    fn explain_wait(&self, waiting: &Waiting) -> Wait {
        let is_asked_for = waiting.occurrence.by_hand && waiting.attempt == 1;
        match &self.definition.concurrency_key {
            _ if self.facts.paused && !is_asked_for => Wait::Resumption,
            Some(key) if self.may_start() => Wait::Slot(key.clone()),
            _ => Wait::Turn,
        }
    }

    /// Whether another run may be put into the queue of the task, in order to start when it can: where runs
    /// do not overlap, none runs and none waits but the next time of a backfill.
    pub(in crate::domain) fn may_wait(&self) -> bool {
        if self.definition.overlap == Overlap::Allow {
            self.facts.open().count() < MOST_AT_ONCE
        } else {
            self.facts.running.is_empty() && self.has_free_queue()
        }
    }
}
