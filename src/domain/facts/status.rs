//! The status of a task, as the API names it.

use serde::{Deserialize, Serialize};

/// The status of a task in the API, derived from its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskStatus {
    /// An execution is in progress.
    Running,
    /// A user has paused it.
    Paused,
    /// A failed occurrence waits for its next attempt.
    RetryScheduled,
    /// A one-time task that succeeded.
    Completed,
    /// The last occurrence used up its attempts.
    Failed,
    /// None of the others.
    Active,
}

impl TaskStatus {
    /// Every status, in the order in which they are derived.
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Paused, Self::RetryScheduled, Self::Completed, Self::Failed, Self::Active];

    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::RetryScheduled => "retry-scheduled",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Active => "active",
        }
    }
}
