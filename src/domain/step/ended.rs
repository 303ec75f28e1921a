//! Decisions about a task whose attempt is over.

use super::{EndedOccurrence, Refused, Stepper};
use crate::domain::{
    Millis,
    definition::OnExhausted,
    execution::{Ending, Execution, ExecutionStatus, Reason, Verdict},
    facts::{LastExecution, LastOutcome, PendingRetry, Running, Task, Waiting},
    ids::ExecutionId,
    recent::Ended,
    retry,
};

impl Stepper<'_, '_> {
    pub(super) fn end(&mut self, execution: ExecutionId, verdict: Verdict) -> Result<(), Refused> {
        let position = self.step.task.facts.running.iter().position(|r| r.execution == execution);
        let running = self.facts().running.remove(position.ok_or(Refused::NotRunning(execution))?);
        let row = ended_row(&self.step.task, &running, verdict, self.circumstances.now);
        if let Some(last) = self.facts().last_execution.as_mut().filter(|last| last.id == execution) {
            *last = LastExecution {
                id: execution,
                status: row.status,
                time: row.start_time.unwrap_or(row.created_at),
                duration: row.duration,
                error: row.error.clone(),
            };
        }
        let status = row.status;
        let attempt = Attempt {
            start: row.start_time.unwrap_or(row.created_at),
            duration: row.duration,
            lost: row.reason == Some(Reason::Lost),
        };
        self.step.rows.push(row);
        let scheduled_for = running.occurrence.scheduled_for;
        match status {
            ExecutionStatus::Completed => self.succeed(&running, attempt),
            ExecutionStatus::Cancelled => self.close(LastOutcome::Cancelled, attempt),
            _ => self.fail(running, attempt),
        }
        if self.step.task.facts.open_times().all(|open| open != scheduled_for) {
            self.step.ended.push(EndedOccurrence { execution, status, scheduled_for });
        }
        Ok(())
    }

    fn succeed(&mut self, running: &Running, attempt: Attempt) {
        if running.occurrence.by_hand && self.step.task.is_retrying() {
            self.skip_passed_of_recurring();
            self.facts().retries.clear();
            self.facts().waiting.retain(|waiting| waiting.attempt == 1);
        }
        self.close(LastOutcome::Completed, attempt);
    }

    fn fail(&mut self, running: Running, attempt: Attempt) {
        let now = self.circumstances.now;
        let Task { definition, facts, .. } = &self.step.task;
        let held = running.occurrence.by_hand && facts.paused;
        if running.attempt < definition.max_attempts() && !held {
            let pending = PendingRetry {
                attempt: running.attempt + 1,
                due: now.saturating_add(retry::wait(definition, running.attempt, self.circumstances.roll)),
                occurrence: running.occurrence,
                failed: Some(running.execution),
            };
            let facts = self.facts();
            facts.retry_count = running.attempt;
            facts.last_retry = Some(now);
            let place = facts.retries.partition_point(|r| r.due <= pending.due);
            facts.retries.insert(place, pending);
            return;
        }
        self.exhaust(running.occurrence.is_asked_for(), attempt);
    }

    /// Gives up an occurrence whose last attempt has failed: the definition allows no other one now.
    pub(super) fn give_up(&mut self, retry: &PendingRetry) {
        let last = self.step.task.facts.last_execution.as_ref();
        let last = last.filter(|last| last.status == ExecutionStatus::Failed);
        let (start, duration) =
            last.map_or((retry.occurrence.scheduled_for, None), |last| (last.time, last.duration));
        let ended = retry.failed.map(|execution| EndedOccurrence {
            execution,
            status: ExecutionStatus::Failed,
            scheduled_for: retry.occurrence.scheduled_for,
        });
        self.step.ended.extend(ended);
        self.exhaust(retry.occurrence.is_asked_for(), Attempt { start, duration, lost: false });
    }

    fn exhaust(&mut self, asked_for: bool, attempt: Attempt) {
        self.note_end(LastOutcome::Failed, attempt);
        let definition = &self.step.task.definition;
        let stops = definition.recurring && definition.on_exhausted == OnExhausted::Stop && !asked_for;
        self.facts().last = Some(LastOutcome::Failed);
        if stops {
            self.skip_passed();
            let now = self.circumstances.now;
            let facts = self.facts();
            if let Some(next) = facts.next.take() {
                facts.stopped_after = Some(now.max(next - 1));
            }
            let waiting = std::mem::take(&mut self.facts().waiting);
            // A manual run works in every status.
            let (kept, dropped): (Vec<_>, Vec<_>) = waiting.into_iter().partition(Waiting::stays);
            self.facts().waiting = kept;
            if let Some(first) = dropped.first() {
                self.skip(Reason::Overlap, first.occurrence.scheduled_for, dropped.len() as u64);
            }
        }
    }

    /// Records the outcome of an occurrence that needs no further attempt.
    fn close(&mut self, outcome: LastOutcome, attempt: Attempt) {
        self.note_end(outcome, attempt);
        let facts = self.facts();
        facts.last = Some(outcome);
        if facts.retries.is_empty() {
            facts.retry_count = 0;
            facts.last_retry = None;
        }
    }

    /// Counts an ended occurrence in the task's figures.
    fn note_end(&mut self, status: LastOutcome, attempt: Attempt) {
        let now = self.circumstances.now;
        let facts = self.facts();
        facts.recent.add(Ended { status, start: attempt.start, duration: attempt.duration });
        facts.runs = facts.runs.saturating_add(1);
        match status {
            LastOutcome::Completed => (facts.streak, facts.last_success) = (0, Some(now)),
            LastOutcome::Failed => {
                facts.streak = facts.streak.saturating_add(u32::from(!attempt.lost));
                facts.last_failure = Some(now);
            }
            LastOutcome::Cancelled => {}
        }
    }
}

/// The last attempt of an occurrence.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    start: Millis,
    duration: Option<Millis>,
    /// Whether the server died while it ran.
    lost: bool,
}

fn ended_row(task: &Task, running: &Running, verdict: Verdict, now: Millis) -> Execution {
    let mut row = Execution::started(task, running);
    row.start_time = verdict.started.or(row.start_time);
    row.lateness = row.start_time.map(|start| start.saturating_sub(row.scheduled_for));
    row.duration = verdict.duration;
    row.handler_hash = verdict.handler_hash;
    row.files_hash = verdict.files_hash;
    row.output_truncated = verdict.output_truncated;
    row.usage = verdict.usage;
    row.progress = verdict.progress;
    row.steps = verdict.steps;
    row.updated_at = now.max(row.created_at);
    match verdict.ending {
        Ending::Completed { result } => {
            row.status = ExecutionStatus::Completed;
            row.result = Some(result);
        }
        Ending::Failed { reason, error, stack, result } => {
            row.status = ExecutionStatus::Failed;
            row.reason = Some(reason);
            row.error = Some(error);
            row.stack = stack;
            row.result = result;
        }
        Ending::Cancelled { error } => {
            row.status = ExecutionStatus::Cancelled;
            row.reason = Some(Reason::Cancelled);
            row.error = Some(error);
        }
    }
    row
}
