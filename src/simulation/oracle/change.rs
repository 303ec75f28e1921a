//! Changes: requests of users and of files of tasks, and steps taken.

use serde_json::{Map, Value};

use crate::domain::{
    Millis,
    definition::Definition,
    draft::Draft,
    facts::Task,
    step::{Input, Step},
};

/// A request of a user or a file of tasks, besides creations and deletions.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Pause,
    Resume,
    ResetRetries,
    Cancel,
    Update(Draft),
    RunByHand(Option<Map<String, Value>>),
    /// A file has the task; the file's name is the request's id.
    Declare(Box<Definition>),
    /// The task has left its file.
    Release,
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

impl Change {
    /// Whether the task goes on after a pause or a stop because it was asked to.
    pub(crate) fn resumes(&self) -> bool {
        let comes_back = matches!(self.input, Input::Declare { .. })
            && self.before.facts.paused
            && !self.step.task.facts.paused;
        matches!(self.input, Input::Resume) || comes_back
    }
}
