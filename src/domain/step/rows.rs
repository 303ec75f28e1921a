//! Rows: executions as they are when they are written first.

use crate::domain::{
    Millis,
    execution::{Execution, ExecutionStatus, Reason, Trigger},
    facts::{Running, Task},
    ids::ExecutionId,
};

impl Execution {
    /// The row of an attempt that is in progress.
    #[must_use]
    pub fn started(task: &Task, running: &Running) -> Self {
        Self {
            trigger: running.trigger,
            attempt: running.attempt,
            start_time: Some(running.claimed_at),
            ..Self::new(task, running.execution, running.occurrence.scheduled_for, running.claimed_at)
        }
    }

    /// The row of occurrences that are skipped at `now`.
    #[must_use]
    pub fn skipped(task: &Task, id: ExecutionId, skip: Skip, now: Millis) -> Self {
        Self {
            status: ExecutionStatus::Skipped,
            reason: Some(skip.reason),
            skipped_count: Some(skip.count),
            ..Self::new(task, id, skip.scheduled_for, now)
        }
    }

    fn new(task: &Task, id: ExecutionId, scheduled_for: Millis, now: Millis) -> Self {
        Self {
            id,
            task_id: task.id,
            task_name: task.definition.name.clone(),
            handler: task.definition.handler.clone(),
            handler_hash: None,
            files_hash: None,
            status: ExecutionStatus::Running,
            reason: None,
            trigger: Trigger::Schedule,
            scheduled_for,
            attempt: 0,
            start_time: None,
            duration: None,
            error: None,
            stack: None,
            result: None,
            output_truncated: false,
            usage: None,
            progress: None,
            steps: Vec::new(),
            skipped_count: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Occurrences that are skipped together.
#[derive(Debug, Clone, Copy)]
pub struct Skip {
    /// The cause.
    pub reason: Reason,
    /// The first of them.
    pub scheduled_for: Millis,
    /// Their number, 1 or more.
    pub count: u64,
}
