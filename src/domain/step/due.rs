//! Decisions about a task whose due time has come.

use super::{Stepper, rows::Skip};
use crate::domain::{
    Millis,
    definition::{Misfire, Overlap},
    execution::{Execution, Reason, Trigger},
    facts::{Occurrence, Waiting},
    schedule::{Passed, Schedule},
};

impl Stepper<'_, '_> {
    /// Decides about the attempt that is due first. Others that are due keep the task due, so that
    /// the same question is asked again.
    pub(super) fn decide_due(&mut self) {
        let now = self.circumstances.now;
        let task = &self.step.task;
        if task.due().is_none_or(|due| due > now) {
            return;
        }
        if let Some(place) = task.next_waiting().filter(|_| !task.is_keyed()) {
            self.start_waiting(place);
        } else if !task.facts.retries.is_empty() {
            self.retry();
        } else if let Some(next) = task.facts.next.filter(|next| *next <= now) {
            if now.saturating_sub(next) > self.circumstances.policy.misfire_after {
                self.decide_missed(next);
            } else {
                self.decide_on_time(next);
            }
            // A task that stays due although nothing has started would be taken for one that cannot go on.
            if self.step.start.is_empty() && self.step.task.due().is_some_and(|due| due <= now) {
                self.go_on_with_backfill();
            }
        } else {
            self.go_on_with_backfill();
        }
    }

    /// Starts a run that waits for a slot of the key, if the task still has one and the key.
    pub(super) fn admit(&mut self, key: &str) {
        let task = &self.step.task;
        let has_key = task.definition.concurrency_key.as_deref() == Some(key);
        if let Some(place) = task.next_waiting().filter(|_| has_key) {
            self.start_waiting(place);
        }
    }

    fn start_waiting(&mut self, place: usize) {
        if self.step.task.facts.waiting[place].attempt > 1 {
            self.skip_passed_of_recurring();
        }
        let Waiting { execution, trigger, occurrence, attempt, .. } = self.facts().waiting.remove(place);
        self.start(execution, trigger, attempt, occurrence);
    }

    /// Starts a run now, or lets it wait for a slot of the task's key.
    pub(super) fn start_or_wait(&mut self, trigger: Trigger, occurrence: Occurrence) {
        if self.step.task.is_keyed() {
            self.wait(trigger, occurrence);
        } else {
            let id = (self.circumstances.new_id)();
            self.start(id, trigger, 1, occurrence);
        }
    }

    /// Whether another run may start, or wait for a slot of the key in order to start.
    fn may_take(&self) -> bool {
        let task = &self.step.task;
        if task.is_keyed() { task.may_wait() } else { task.may_start() }
    }

    fn retry(&mut self) {
        if self.step.task.is_keyed() {
            return self.let_retries_wait();
        }
        self.skip_passed_of_recurring();
        let retry = self.facts().retries.remove(0);
        let id = (self.circumstances.new_id)();
        self.start(id, Trigger::Retry, retry.attempt, retry.occurrence);
    }

    /// Lets each retry whose time has come wait for a slot of the key.
    fn let_retries_wait(&mut self) {
        let now = self.circumstances.now;
        let due: Vec<_> = self.facts().retries.extract_if(.., |retry| retry.due <= now).collect();
        for retry in due {
            self.wait(Trigger::Retry, retry.occurrence);
            if let Some(waiting) = self.facts().waiting.last_mut() {
                waiting.attempt = retry.attempt;
                waiting.failed = retry.failed;
            }
        }
    }

    fn decide_on_time(&mut self, next: Millis) {
        let now = self.circumstances.now;
        let trigger = match *self.plan().schedule {
            Schedule::Now => Trigger::Immediate,
            Schedule::At(moment) if moment.saturating_add(self.plan().shift) < next => Trigger::Immediate,
            _ => Trigger::Schedule,
        };
        if self.may_take() {
            self.facts().next = self.next_after(next);
            self.start_or_wait(trigger, Occurrence::planned(next));
            return;
        }
        let later = self.count_passed(next, now);
        self.facts().next = self.next_after(now);
        self.decide_occupied(trigger, Occurrence::planned(next), later);
    }

    /// Decides about missed occurrences: `first`, and the later ones that the policy calls missed.
    fn decide_missed(&mut self, first: Millis) {
        let policy = &self.circumstances.policy;
        let last = self.circumstances.now - policy.misfire_after - 1;
        let later = self.count_passed(first, last);
        let (count, newest) = (1 + later.count, later.newest.unwrap_or(first));
        self.facts().next = self.next_after(last);
        match self.step.task.definition.misfire {
            Misfire::Skip => self.skip(Reason::Misfire, first, count),
            Misfire::Once => {
                self.skip(Reason::Misfire, first, count - 1);
                self.run_or_wait(newest);
            }
            Misfire::All => self.catch_up(first, last, count),
        }
    }

    /// Queues every missed time in order, within the policy's bounds, and skips the older ones.
    fn catch_up(&mut self, first: Millis, last: Millis, count: u64) {
        let policy = &self.circumstances.policy;
        let oldest = first.max(self.circumstances.now - policy.catch_up_window);
        let times = if count == 1 {
            // The schedule may not know a time that comes once, so it is not asked.
            Some(first).filter(|first| *first >= oldest).into_iter().collect()
        } else {
            self.plan().newest_between(oldest - 1, last, policy.catch_up_max)
        };
        self.skip(Reason::Misfire, first, count.saturating_sub(times.len() as u64));
        for scheduled_for in times {
            self.wait(Trigger::CatchUp, Occurrence::planned(scheduled_for));
        }
        if self.step.task.next_waiting().is_some() && !self.step.task.is_keyed() {
            self.decide_due();
        }
    }

    fn run_or_wait(&mut self, scheduled_for: Millis) {
        if self.may_take() {
            self.start_or_wait(Trigger::CatchUp, Occurrence::planned(scheduled_for));
        } else {
            self.decide_occupied(Trigger::CatchUp, Occurrence::planned(scheduled_for), Passed::default());
        }
    }

    /// Decides about occurrences that are due while the task runs and no other run may start:
    /// `occurrence`, and the `later` ones.
    pub(super) fn decide_occupied(&mut self, trigger: Trigger, occurrence: Occurrence, later: Passed) {
        let first = occurrence.scheduled_for;
        let facts = &self.step.task.facts;
        let backfills = facts.running.iter().all(|running| running.occurrence.is_backfill);
        match self.step.task.definition.overlap {
            // A regular run waits for the one run of a backfill whatever the task's rule is.
            Overlap::Skip | Overlap::Queue | Overlap::Replace
                if self.step.task.has_free_queue()
                    && (backfills || self.step.task.definition.overlap == Overlap::Queue) =>
            {
                self.wait(trigger, occurrence);
                let second = self.next_after(first).unwrap_or(first);
                self.skip_overlapping(second, later.count);
            }
            Overlap::Skip | Overlap::Allow | Overlap::Queue => {
                self.skip_overlapping(first, 1 + later.count);
            }
            Overlap::Replace => {
                let displaced = self.displace();
                let oldest = displaced.first().map_or(first, |waiting| waiting.occurrence.scheduled_for);
                self.skip_overlapping(oldest, displaced.len() as u64 + later.count);
                self.wait(trigger, later.newest.map_or(occurrence, Occurrence::planned));
                if !backfills {
                    self.cancel_running();
                }
            }
        }
    }

    /// Empties the queue but for retries and times of a backfill. A manual run gets its row here, under the id that the user was told; the
    /// other runs are returned.
    pub(super) fn displace(&mut self) -> Vec<Waiting> {
        let waiting = std::mem::take(&mut self.facts().waiting);
        // A retry stays, as it does while it waits for its time.
        let (by_hand, regular): (Vec<_>, _) =
            waiting.into_iter().partition(|w| w.occurrence.by_hand && w.attempt == 1);
        for Waiting { execution, trigger, occurrence, .. } in by_hand {
            let planned = occurrence.scheduled_for;
            let skip = Skip { reason: Reason::Overlap, scheduled_for: planned, count: 1 };
            let row = Execution::skipped(&self.step.task, execution, skip, self.circumstances.now);
            self.step.rows.push(Execution { trigger, ..row });
        }
        let (kept, displaced) = regular.into_iter().partition(Waiting::stays);
        self.facts().waiting = kept;
        displaced
    }

    pub(super) fn cancel_running(&mut self) {
        let running: Vec<_> = self.step.task.facts.running.iter().map(|r| r.execution).collect();
        self.step.cancel.extend(running);
    }

    pub(super) fn wait(&mut self, trigger: Trigger, occurrence: Occurrence) {
        let waiting = Waiting {
            execution: (self.circumstances.new_id)(),
            trigger,
            since: self.circumstances.now,
            occurrence,
            attempt: 1,
            failed: None,
        };
        self.facts().waiting.push(waiting);
    }
}
