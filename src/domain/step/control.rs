//! Decisions about requests of users.

use serde_json::{Map, Value};

use super::{BY_USER, Refused, Stepper, first_run};
use crate::domain::{
    Millis,
    definition::{Definition, Overlap},
    draft::{Draft, RowParams, params_bytes},
    execution::Trigger,
    facts::{LastOutcome, MOST_AT_ONCE, MOST_PARAMS_BYTES, Occurrence, Origin, PendingRetry, Task, Waiting},
    ids::ExecutionId,
    schedule::Schedule,
};

impl Stepper<'_, '_> {
    pub(super) fn run_by_hand(
        &mut self,
        execution: ExecutionId,
        trigger: Trigger,
        params: Option<Map<String, Value>>,
        origin: Origin,
    ) -> Result<(), Refused> {
        let now = self.circumstances.now;
        let occurrence =
            Occurrence { by_hand: true, params, origin, ..Occurrence::planned(self.free_moment(now)) };
        let waiting = Waiting {
            execution,
            trigger,
            since: now,
            occurrence: occurrence.clone(),
            attempt: 1,
            failed: None,
        };
        let facts = &self.step.task.facts;
        if facts.open().count() >= MOST_AT_ONCE {
            return Err(Refused::TooManyOpen);
        }
        if bytes_of(&occurrence) > 0
            && facts.open().chain([&occurrence]).map(bytes_of).sum::<usize>() > MOST_PARAMS_BYTES
        {
            return Err(Refused::TooLargeOpen);
        }
        let waits = self.step.task.is_keyed() || self.circumstances.policy.waits_for_runner;
        let is_idle = facts.running.is_empty() && (!waits || self.step.task.may_wait());
        match self.step.task.definition.overlap {
            overlap if is_idle || overlap == Overlap::Allow => {
                if waits {
                    self.facts().waiting.push(waiting);
                } else {
                    self.start(execution, trigger, 1, occurrence);
                }
            }
            Overlap::Skip if facts.running.is_empty() => return Err(Refused::AlreadyWaiting),
            Overlap::Skip | Overlap::Allow => return Err(Refused::AlreadyRunning),
            Overlap::Queue if !facts.waiting.is_empty() => return Err(Refused::AlreadyWaiting),
            Overlap::Queue => self.facts().waiting.push(waiting),
            Overlap::Replace => {
                let displaced = self.displace();
                if let Some(first) = displaced.first() {
                    self.skip_overlapping(first.occurrence.scheduled_for, displaced.len() as u64);
                }
                self.facts().waiting.push(waiting);
                self.cancel_running();
            }
        }
        if self.step.task.is_stopped() {
            self.facts().next = self.next_afresh();
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self) -> Result<(), Refused> {
        let backfill = self.facts().backfill.take();
        if self.step.task.facts.running.is_empty() && backfill.is_none() {
            return Err(self.step.task.first_wait().map_or(Refused::Idle, Refused::Waits));
        }
        self.step.cancelled_by = BY_USER;
        self.cancel_running();
        Ok(())
    }

    pub(super) fn cancel_one(&mut self, execution: ExecutionId) -> Result<(), Refused> {
        if !self.step.task.facts.running.iter().any(|running| running.execution == execution) {
            let wait = self.step.task.wait_of(execution);
            return Err(wait.map_or(Refused::NotRunning(execution), Refused::Waits));
        }
        self.step.cancelled_by = BY_USER;
        self.step.cancel.push(execution);
        Ok(())
    }

    pub(super) fn pause(&mut self) -> Result<(), Refused> {
        if self.step.task.facts.paused {
            return Err(Refused::AlreadyPaused);
        }
        self.skip_passed_of_recurring();
        self.facts().paused = true;
        Ok(())
    }

    pub(super) fn resume(&mut self) -> Result<(), Refused> {
        let now = self.circumstances.now;
        if !self.step.task.facts.paused && !self.step.task.is_stopped() {
            return Err(Refused::NotPaused);
        }
        let next = self.step.task.facts.next;
        let next = if self.step.task.definition.recurring {
            // A planned time that is still to come stays, whatever the clock did: all times before
            // it are decided. A plan that is over has none, also where the clock was set back.
            let plans = next.is_some() || self.step.task.is_stopped();
            next.filter(|next| *next > now).or_else(|| if plans { self.next_afresh() } else { None })
        } else {
            next.map(|moment| if moment < now { self.free_moment(now) } else { moment })
        };
        let facts = self.facts();
        facts.paused = false;
        facts.paused_by = None;
        facts.next = next;
        for retry in &mut facts.retries {
            retry.due = retry.due.max(now);
        }
        Ok(())
    }

    pub(super) fn reset_retries(&mut self) {
        let recurring = self.step.task.definition.recurring;
        if self.step.task.is_stopped() {
            self.facts().next = self.next_afresh();
        }
        let facts = self.facts();
        facts.retry_count = 0;
        facts.last_retry = None;
        if recurring && facts.last == Some(LastOutcome::Failed) {
            facts.last = None;
        }
    }

    pub(super) fn update(&mut self, draft: &Draft) -> Result<(), Refused> {
        if let Some(file) = self.step.task.managed_by() {
            return Err(Refused::Managed(file.to_owned()));
        }
        let now = self.circumstances.now;
        let definition = draft.update(&self.step.task.definition, now).map_err(Refused::Invalid)?;
        self.replace_definition(definition);
        self.forget_file();
        Ok(())
    }

    /// Plans anew if the schedule has changed, and drops retries beyond the new number of attempts.
    pub(super) fn replace_definition(&mut self, definition: Definition) {
        let now = self.circumstances.now;
        let (old, new) = (&self.step.task.definition, &definition);
        let other_zone = old.timezone != new.timezone && matches!(*old.schedule, Schedule::Cron(_));
        let rescheduled = old.schedule != new.schedule || old.recurring != new.recurring || other_zone;
        let rescheduled = rescheduled || self.is_bounded_anew_by(new);
        if rescheduled {
            // Times that passed under the old schedule are recorded under the old schedule.
            self.skip_passed();
        }
        let max_attempts = definition.max_attempts();
        let old = std::mem::replace(&mut self.step.task.definition, definition);
        if self.step.task.definition.max_runs.is_none() {
            self.facts().counted_runs = 0;
        }
        if old.params != self.step.task.definition.params {
            let former = RowParams::of(&old.params);
            for running in &mut self.facts().running {
                if running.occurrence.params.is_none() && running.former_params.is_none() {
                    running.former_params = Some(former.clone());
                }
            }
        }
        if rescheduled {
            let anchor = if old.schedule == self.step.task.definition.schedule {
                self.step.task.facts.anchor
            } else {
                now
            };
            self.facts().anchor = anchor;
            let next = first_run(self.plan(), now).filter(|_| self.step.task.runs_left() != Some(0));
            let next = next.map(|next| if next == now { self.free_moment(now) } else { next });
            let facts = self.facts();
            facts.next = next;
            facts.stopped_after = None;
            // Its times were those of the old plan.
            facts.backfill = None;
        }
        let used_up: Vec<_> =
            self.facts().retries.extract_if(.., |retry| retry.attempt > max_attempts).collect();
        for retry in used_up {
            self.give_up(&retry);
        }
        let waiting: Vec<_> =
            self.facts().waiting.extract_if(.., |waiting| waiting.attempt > max_attempts).collect();
        for Waiting { attempt, since, occurrence, failed, .. } in waiting {
            self.give_up(&PendingRetry { attempt, due: since, occurrence, failed });
        }
    }

    /// Whether a definition with the same schedule plans other times of it, for a task that still plans.
    fn is_bounded_anew_by(&self, new: &Definition) -> bool {
        let Task { definition: old, facts, .. } = &self.step.task;
        let bounds = |task: &Definition| (task.start_at, task.end_at, task.max_runs, task.jitter);
        let plans = old.recurring || facts.next.is_some_and(|next| next > self.circumstances.now);
        bounds(old) != bounds(new) && plans && !self.step.task.is_stopped()
    }

    /// The first time from `moment` on that no other occurrence of the task has: executions are
    /// unique by planned time and attempt.
    pub(super) fn free_moment(&self, mut moment: Millis) -> Millis {
        let facts = &self.step.task.facts;
        let taken = |moment: Millis| {
            facts.next == Some(moment)
                || self.plan().next_after(moment - 1) == Some(moment)
                || facts.running.iter().any(|r| r.occurrence.scheduled_for == moment)
                || facts.waiting.iter().any(|w| w.occurrence.scheduled_for == moment)
                || facts.retries.iter().any(|r| r.occurrence.scheduled_for == moment)
                || facts.last_execution.as_ref().is_some_and(|last| last.time == moment)
        };
        while taken(moment) {
            moment += 1;
        }
        moment
    }
}

/// Bytes, as JSON, of the parameters of one run; 0 if it has the task's.
fn bytes_of(occurrence: &Occurrence) -> usize {
    occurrence.params.as_ref().map_or(0, params_bytes)
}
