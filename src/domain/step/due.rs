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
        if let Some(place) = task.next_waiting() {
            let Waiting { execution, trigger, occurrence, .. } = self.facts().waiting.remove(place);
            self.start(execution, trigger, 1, occurrence);
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

    fn retry(&mut self) {
        self.skip_passed_of_recurring();
        let retry = self.facts().retries.remove(0);
        let id = (self.circumstances.new_id)();
        self.start(id, Trigger::Retry, retry.attempt, retry.occurrence);
    }

    fn decide_on_time(&mut self, next: Millis) {
        let now = self.circumstances.now;
        let trigger = match *self.plan().schedule {
            Schedule::Now => Trigger::Immediate,
            Schedule::At(moment) if moment.saturating_add(self.plan().shift) < next => Trigger::Immediate,
            _ => Trigger::Schedule,
        };
        if self.step.task.may_start() {
            let id = (self.circumstances.new_id)();
            self.facts().next = self.next_after(next);
            self.start(id, trigger, 1, Occurrence::planned(next));
            return;
        }
        let later = self.count_passed(next, now);
        self.facts().next = self.next_after(now);
        self.decide_occupied(trigger, next, later);
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
            self.wait(Trigger::CatchUp, scheduled_for);
        }
        if self.step.task.next_waiting().is_some() {
            self.decide_due();
        }
    }

    fn run_or_wait(&mut self, scheduled_for: Millis) {
        if self.step.task.may_start() {
            let id = (self.circumstances.new_id)();
            self.start(id, Trigger::CatchUp, 1, Occurrence::planned(scheduled_for));
        } else {
            self.decide_occupied(Trigger::CatchUp, scheduled_for, Passed::default());
        }
    }

    /// Decides about occurrences that are due while the task runs and no other run may start:
    /// `first`, and the `later` ones.
    fn decide_occupied(&mut self, trigger: Trigger, first: Millis, later: Passed) {
        let facts = &self.step.task.facts;
        let backfills = facts.running.iter().all(|running| running.occurrence.is_backfill);
        match self.step.task.definition.overlap {
            // A regular run waits for the one run of a backfill whatever the task's rule is.
            Overlap::Skip | Overlap::Queue | Overlap::Replace
                if facts.waiting.is_empty()
                    && (backfills || self.step.task.definition.overlap == Overlap::Queue) =>
            {
                self.wait(trigger, first);
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
                self.wait(trigger, later.newest.unwrap_or(first));
                if !backfills {
                    self.cancel_running();
                }
            }
        }
    }

    /// Empties the queue. A manual run gets its row here, under the id that the user was told; the
    /// other runs are returned.
    pub(super) fn displace(&mut self) -> Vec<Waiting> {
        let waiting = std::mem::take(&mut self.facts().waiting);
        let (by_hand, regular): (Vec<_>, _) = waiting.into_iter().partition(|w| w.occurrence.by_hand);
        for Waiting { execution, trigger, occurrence, .. } in by_hand {
            let planned = occurrence.scheduled_for;
            let skip = Skip { reason: Reason::Overlap, scheduled_for: planned, count: 1 };
            let row = Execution::skipped(&self.step.task, execution, skip, self.circumstances.now);
            self.step.rows.push(Execution { trigger, ..row });
        }
        regular
    }

    pub(super) fn cancel_running(&mut self) {
        let running: Vec<_> = self.step.task.facts.running.iter().map(|r| r.execution).collect();
        self.step.cancel.extend(running);
    }

    fn wait(&mut self, trigger: Trigger, scheduled_for: Millis) {
        let waiting = Waiting {
            execution: (self.circumstances.new_id)(),
            trigger,
            since: self.circumstances.now,
            occurrence: Occurrence::planned(scheduled_for),
        };
        self.facts().waiting.push(waiting);
    }
}
