//! Events: the news in a step, for listeners.

use super::Step;
use crate::domain::{
    execution::ExecutionStatus,
    facts::Task,
    ids::{ExecutionId, TaskId},
};

/// News of a task. An event names the record that has changed; a listener reads it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A task was created, or its definition or its facts changed.
    TaskChanged {
        /// The task.
        task: TaskId,
    },
    /// A task was deleted, and its history with it.
    TaskDeleted {
        /// The task.
        task: TaskId,
    },
    /// An attempt was claimed: its handler starts.
    Started {
        /// The task.
        task: TaskId,
        /// The attempt's row.
        execution: ExecutionId,
    },
    /// Output of an attempt was stored.
    Output {
        /// The task.
        task: TaskId,
        /// The attempt's row.
        execution: ExecutionId,
        /// Counts the pieces of output of one execution from 0.
        chunk: u32,
    },
    /// An attempt has reported its progress.
    Progress {
        /// The task.
        task: TaskId,
        /// The attempt's row.
        execution: ExecutionId,
    },
    /// An attempt is over and its row is closed.
    Ended {
        /// The task.
        task: TaskId,
        /// The attempt's row.
        execution: ExecutionId,
        /// The row's status.
        status: ExecutionStatus,
    },
    /// Occurrences were skipped.
    Skipped {
        /// The task.
        task: TaskId,
        /// The row that stands for them.
        execution: ExecutionId,
        /// The number of occurrences that the row stands for by now.
        count: u64,
    },
}

impl Event {
    /// Whether nothing further happens to an execution of a task after this.
    #[must_use]
    pub fn closes(self, task: TaskId, execution: ExecutionId) -> bool {
        match self {
            Self::Ended { execution: closed, .. } | Self::Skipped { execution: closed, .. } => {
                closed == execution
            }
            Self::TaskDeleted { task: deleted } => deleted == task,
            Self::TaskChanged { .. } | Self::Started { .. } | Self::Output { .. } | Self::Progress { .. } => {
                false
            }
        }
    }
}

/// The events of a step that was taken from `before`: its rows in their order, then the task.
pub(super) fn events(before: &Task, step: &Step) -> Vec<Event> {
    let task = before.id;
    let rows = step.rows.iter().map(|row| {
        let execution = row.id;
        match row.status {
            ExecutionStatus::Running => Event::Started { task, execution },
            ExecutionStatus::Skipped => {
                Event::Skipped { task, execution, count: row.skipped_count.unwrap_or(1) }
            }
            status @ (ExecutionStatus::Completed | ExecutionStatus::Failed | ExecutionStatus::Cancelled) => {
                Event::Ended { task, execution, status }
            }
        }
    });
    rows.chain((step.task != *before).then_some(Event::TaskChanged { task })).collect()
}
