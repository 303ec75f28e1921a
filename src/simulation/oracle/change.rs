//! Changes: what was asked for, and the step that was taken.

use serde_json::{Map, Value};

use crate::domain::{
    Millis,
    draft::Draft,
    facts::Task,
    step::{Input, Step},
};

/// What a user asks for, besides new tasks and their ends.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Pause,
    Resume,
    ResetRetries,
    Cancel,
    Update(Draft),
    RunByHand(Option<Map<String, Value>>),
}

/// Why the store asks what becomes of a task.
#[derive(Debug, Clone)]
pub(crate) enum Why {
    /// It is claimed.
    Due,
    /// The request with this id wants something.
    Request(String),
    /// One of its executions is over.
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
