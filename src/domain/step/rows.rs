//! Rows: executions as they are when they are written first.

use serde_json::{Map, Value};

use super::{REPLACED, Start, Step};
use crate::domain::{
    Millis,
    draft::RowParams,
    execution::{Execution, ExecutionStatus, Reason, Trigger},
    facts::{Running, Task},
    ids::ExecutionId,
    schedule::Schedule,
};

impl Start {
    /// The parameters of the attempt.
    #[must_use]
    pub fn params(&self) -> &Map<String, Value> {
        self.occurrence.params.as_ref().unwrap_or(&self.definition.params)
    }
}

impl Step {
    /// A step to `task` without further consequences.
    #[must_use]
    pub fn to(task: Task) -> Self {
        Self {
            task,
            rows: Vec::new(),
            start: Vec::new(),
            cancel: Vec::new(),
            cancelled_by: REPLACED,
            alerts: Vec::new(),
            ended: Vec::new(),
            events: Vec::new(),
        }
    }
}

impl Execution {
    /// The row of an attempt that is in progress.
    #[must_use]
    pub fn started(task: &Task, running: &Running) -> Self {
        let Running { occurrence, former_params, .. } = running;
        let params = || RowParams::of(occurrence.params.as_ref().unwrap_or(&task.definition.params));
        let (params, params_hash) = former_params.clone().unwrap_or_else(params).split();
        Self {
            trigger: running.trigger,
            attempt: running.attempt,
            start_time: Some(running.claimed_at),
            params,
            params_hash,
            lateness: Some(running.claimed_at.saturating_sub(occurrence.scheduled_for)),
            by: occurrence.origin.by.clone(),
            rerun_of: occurrence.origin.rerun_of,
            ..Self::new(task, running.execution, running.occurrence.scheduled_for, running.claimed_at)
        }
    }

    /// The row of occurrences that are skipped at `now`.
    #[must_use]
    pub fn skipped(task: &Task, id: ExecutionId, skip: Skip, now: Millis) -> Self {
        // A task that never runs by itself skips only what it follows.
        let follows = matches!(*task.definition.schedule, Schedule::Never);
        Self {
            trigger: if follows { Trigger::After } else { Trigger::Schedule },
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
            params: None,
            params_hash: None,
            lateness: None,
            by: None,
            rerun_of: None,
            node: None,
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
