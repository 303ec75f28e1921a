//! Decisions about chains: an occurrence has ended that other tasks may follow, and the end of a
//! predecessor's occurrence.
//!
//! The ends that successors are to be told of are kept in the predecessor's facts, in the change that
//! closes the attempt; a store moves each on to the successors, each once, in the change that takes their
//! steps. So no end is lost between the two, and none is told twice.

use super::{Step, Stepper};
use crate::domain::{
    definition::after::{Predecessor, Untold},
    execution::{ExecutionStatus, Reason, Trigger},
    facts::Occurrence,
    ids::ExecutionId,
    schedule::Passed,
};

/// Open occurrences of a task with a result each; the next ones are passed none.
const MOST_WITH_RESULT: usize = 200;

/// The end of an occurrence, with its last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedOccurrence {
    /// The last attempt.
    pub execution: ExecutionId,
    /// The end of the last attempt.
    pub status: ExecutionStatus,
    /// The planned time, epoch milliseconds.
    pub scheduled_for: i64,
}

impl Step {
    /// Keeps the ends of occurrences in the facts, for the successors of the task. For a store, of a task
    /// that has any.
    pub fn keep_ends(&mut self) {
        for ended in &self.ended {
            let row = self.rows.iter().find(|row| row.id == ended.execution);
            let end = Predecessor {
                task_id: self.task.id,
                task_name: self.task.definition.name.clone(),
                execution_id: ended.execution,
                status: ended.status,
                scheduled_for: ended.scheduled_for,
                result: row.and_then(|row| row.result.clone()),
                error: row.and_then(|row| row.error.clone()),
            };
            self.task.facts.untold.push(Untold { end: end.bounded(), told_to: None });
        }
    }
}

impl Stepper<'_, '_> {
    /// Runs the task after an occurrence of its predecessor. While the task is paused, out of its bounds or
    /// after its last run, nothing happens, as with its planned times.
    pub(super) fn follow(&mut self, mut end: Predecessor) {
        let now = self.circumstances.now;
        let task = &self.step.task;
        let definition = &task.definition;
        let follows = definition
            .after
            .is_some_and(|after| after.task_id == end.task_id && after.on.includes(end.status));
        let within = definition.start_at.is_none_or(|start| start <= now)
            && definition.end_at.is_none_or(|last| now <= last)
            && task.runs_left() != Some(0);
        if !follows || !within || task.facts.paused {
            return;
        }
        let open = task.facts.open_times().count();
        if open >= MOST_WITH_RESULT {
            end.drop_result();
        }
        let (is_retrying, may_wait) = (task.is_retrying(), task.may_wait());
        let scheduled_for = self.free_moment(now);
        let occurrence = Occurrence { after: Some(Box::new(end)), ..Occurrence::planned(scheduled_for) };
        if is_retrying {
            self.skip(Reason::Retrying, scheduled_for, 1);
        } else if may_wait {
            self.wait(Trigger::After, occurrence);
        } else {
            self.decide_occupied(Trigger::After, occurrence, Passed::default());
        }
    }
}
