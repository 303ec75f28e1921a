//! After: a task that runs when an occurrence of another one, its predecessor, has ended.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::{
    Millis,
    execution::ExecutionStatus,
    ids::{ExecutionId, TaskId},
};

/// The largest result that is passed on, in bytes of JSON.
const LARGEST_RESULT: usize = 16 * 1024;
/// The longest error that is passed on, in characters.
const LONGEST_ERROR: usize = 1000;

/// The predecessor of a task, and the ends after which the task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct After {
    /// The predecessor.
    pub task_id: TaskId,
    /// The ends.
    pub on: On,
}

/// Ends of an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// It completed.
    Success,
    /// Its attempts were used up.
    Failure,
    /// It completed, failed or was cancelled.
    End,
}

impl On {
    /// The names in the API.
    pub const NAMES: [(&'static str, Self); 3] =
        [("success", Self::Success), ("failure", Self::Failure), ("end", Self::End)];

    /// Whether an occurrence has ended so whose last attempt ended with `status`.
    #[must_use]
    pub fn includes(self, status: ExecutionStatus) -> bool {
        match self {
            Self::Success => status == ExecutionStatus::Completed,
            Self::Failure => status == ExecutionStatus::Failed,
            Self::End => true,
        }
    }
}

/// The ended occurrence of a predecessor, as its successors are told of it and as `ctx.after` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predecessor {
    /// The task.
    pub task_id: TaskId,
    /// The task's name.
    pub task_name: String,
    /// The last attempt.
    pub execution_id: ExecutionId,
    /// The end of the last attempt.
    pub status: ExecutionStatus,
    /// The planned time, epoch milliseconds.
    pub scheduled_for: Millis,
    /// The result; of more than 16 KiB only `{"truncated": true}`.
    pub result: Option<Value>,
    /// A text for people, if it did not complete; its first 1,000 characters.
    pub error: Option<String>,
}

impl Predecessor {
    /// The same with a result and an error that are not too large to be kept with each successor.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let size = self.result.as_ref().map_or(0, |result| result.to_string().len());
        if size > LARGEST_RESULT {
            self.drop_result();
        }
        if let Some((end, _)) = self.error.as_ref().and_then(|error| error.char_indices().nth(LONGEST_ERROR))
        {
            self.error.iter_mut().for_each(|error| error.replace_range(end.., "…"));
        }
        self
    }

    /// Puts a note in the place of the result.
    pub fn drop_result(&mut self) {
        self.result = Some(json!({ "truncated": true }));
    }
}

/// An end that successors are still to be told of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Untold {
    /// The end.
    pub end: Predecessor,
    /// Successors up to and including this one, in the order of their ids, have been told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_to: Option<TaskId>,
}
