//! Changes: requests of users, and steps taken.

use serde_json::{Map, Value};

use crate::domain::{
    Millis,
    draft::Draft,
    facts::Task,
    step::{Input, Step},
};

/// A user's request, besides creations and deletions.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Pause,
    Resume,
    ResetRetries,
    Cancel,
    Update(Draft),
    RunByHand(Option<Map<String, Value>>),
}

/// The cause of a decision.
#[derive(Debug, Clone)]
pub(crate) enum Why {
    /// A claim.
    Due,
    /// The request with this id.
    Request(String),
    /// The end of an execution.
    Ended,
}

/// A step that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) before: Task,
    pub(crate) input: Input,
    pub(crate) now: Millis,
    pub(crate) step: Step,
}
