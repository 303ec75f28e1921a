//! Alerts of a task: exactly one failure and one recovery for each streak, whatever dies in between.

use crate::{
    domain::{
        alerts::{Kind, Rule},
        execution::{ExecutionStatus, Reason},
    },
    simulation::oracle::change::Change,
};

/// The messages about a task, as its rows alone tell them. It has one rule at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// Occurrences that failed in a row.
    failures: u32,
    /// Whether these failures have been told.
    told: bool,
    /// Whether a failure has been told whose recovery has not.
    open: bool,
}

impl Told {
    /// Checks the messages of a step.
    pub(crate) fn follow(&mut self, change: &Change) {
        let (before, after) = (&change.before, &change.step.task);
        let Some(rule) = after.definition.alerts.as_deref().and_then(<[Rule]>::first) else {
            assert!(change.step.alerts.is_empty(), "a task without rules tells something: {change:#?}");
            *self = Self::default();
            return;
        };
        if before.facts.paused && !after.facts.paused {
            (self.failures, self.told) = (0, false);
        }
        let mut expected = Vec::new();
        for row in &change.step.rows {
            let is_tried_again = || {
                after.facts.retries.iter().any(|retry| retry.occurrence.scheduled_for == row.scheduled_for)
            };
            match row.status {
                ExecutionStatus::Completed => {
                    expected.extend(self.open.then_some(Kind::Recovery));
                    *self = Self::default();
                }
                ExecutionStatus::Failed if row.reason != Some(Reason::Lost) && !is_tried_again() => {
                    self.failures += 1;
                    if self.failures >= rule.after && !self.told {
                        expected.push(Kind::Failure);
                        (self.told, self.open) = (true, true);
                    }
                }
                _ => {}
            }
        }
        let told: Vec<_> = change.step.alerts.iter().map(|alert| alert.kind).collect();
        assert_eq!(told, expected, "the messages of a step: {change:#?}");
    }
}
