//! Decisions about backfills: planned times of a past span that run once more, or late, on request.
//!
//! A backfill runs its times in order and one after the other: the next one starts when the one before is
//! over with all its attempts, and regular runs go first.

use super::{Refused, Stepper};
use crate::domain::{
    Millis,
    draft::Problem,
    execution::Trigger,
    facts::{Backfill, Occurrence},
};

impl Stepper<'_, '_> {
    /// Begins a backfill of the planned times in `from..=to`, of `most` at most.
    pub(super) fn begin_backfill(&mut self, from: Millis, to: Millis, most: u64) -> Result<(), Refused> {
        let now = self.circumstances.now;
        let task = &self.step.task;
        if task.facts.backfill.is_some() {
            return Err(Refused::Backfilling);
        }
        let wrong = |field, problem: String| Err(Refused::Invalid(vec![Problem::new(field, problem)]));
        if !task.definition.recurring {
            return wrong("from", "the task runs once, so there is no past span of its schedule".to_owned());
        }
        if to > now {
            return wrong("to", format!("must be past: not later than {now}, which is now"));
        }
        // A time that is due but undecided is not past yet.
        let undecided = task.facts.next.filter(|_| !task.facts.paused);
        let to = undecided.map_or(to, |next| to.min(next - 1));
        let Some(next) = self.plan().next_after(from.saturating_sub(1)).filter(|next| *next <= to) else {
            return wrong("from", "the schedule has no planned time in this span".to_owned());
        };
        let planned = 1 + self.plan().count_between(next, to).count;
        let total = planned.min(most);
        self.facts().backfill =
            Some(Backfill { next, to, left: total, total, left_out: planned - total, since: now });
        Ok(())
    }

    /// Starts the next time of the backfill, if its turn has come. A time of which an occurrence is open runs
    /// already.
    pub(super) fn go_on_with_backfill(&mut self) {
        let now = self.circumstances.now;
        while self.step.task.backfill_since().is_some_and(|since| since <= now) {
            let Some(backfill) = self.facts().backfill.take() else { return };
            let (planned, left) = (backfill.next, backfill.left.saturating_sub(1));
            let next = self.plan().next_after(planned).filter(|next| *next <= backfill.to && left > 0);
            self.facts().backfill = next.map(|next| Backfill { next, left, ..backfill });
            if self.step.task.facts.open_times().all(|open| open != planned) {
                let occurrence = Occurrence { is_backfill: true, ..Occurrence::planned(planned) };
                return self.start_or_wait(Trigger::Backfill, occurrence);
            }
        }
    }
}
