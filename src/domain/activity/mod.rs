//! Activity: the ends of executions of a stretch of time, counted as they are written.
//!
//! A store adds the [`Tally`] of each step to a bucket, per minute, hour and day (UTC), so that a figure
//! over time costs a read per bucket and never a scan of the history. An execution counts at the time
//! at which its end is written; each attempt counts once.

mod sketch;

use serde::{Deserialize, Serialize};

pub use self::sketch::{ERROR, Sketch};
use super::{
    Millis,
    execution::{Execution, ExecutionStatus, Trigger},
    facts::Task,
    step::Step,
};

/// The length of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours, from midnight UTC.
    Day,
}

impl Size {
    /// Every size, shortest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Milliseconds.
    #[must_use]
    pub fn length(self) -> Millis {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// The start of the bucket that holds `time`.
    #[must_use]
    pub fn start(self, time: Millis) -> Millis {
        time.saturating_sub(time.rem_euclid(self.length()))
    }

    /// How long buckets of this size are kept, in milliseconds; `None` for ever.
    #[must_use]
    pub fn kept(self) -> Option<Millis> {
        const DAY: Millis = 86_400_000;
        match self {
            Self::Minute => Some(2 * DAY),
            Self::Hour => Some(90 * DAY),
            Self::Day => None,
        }
    }
}

/// The executions that ended in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tally {
    /// Attempts that completed.
    pub completed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that were cancelled.
    pub cancelled: u64,
    /// Occurrences that were skipped.
    pub skipped: u64,
    /// Milliseconds that the attempts took.
    pub duration: Sketch,
    /// Milliseconds from the planned time of an occurrence to the start of its first attempt. Runs
    /// that users asked for have no planned time.
    pub lateness: Sketch,
}

impl Tally {
    /// Whether nothing has been counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Counts the ends among the rows of a step that was taken from `before`.
    pub fn add_step(&mut self, before: &Task, step: &Step) {
        for row in &step.rows {
            match row.status {
                ExecutionStatus::Running => {}
                ExecutionStatus::Skipped => {
                    self.skipped = self.skipped.saturating_add(newly_skipped(before, row));
                }
                ExecutionStatus::Completed | ExecutionStatus::Failed | ExecutionStatus::Cancelled => {
                    self.add_row(row);
                }
            }
        }
    }

    /// Counts an execution that has ended, or the occurrences of a skip.
    pub fn add_row(&mut self, row: &Execution) {
        let (count, number) = match row.status {
            ExecutionStatus::Running => return,
            ExecutionStatus::Completed => (&mut self.completed, 1),
            ExecutionStatus::Failed => (&mut self.failed, 1),
            ExecutionStatus::Cancelled => (&mut self.cancelled, 1),
            ExecutionStatus::Skipped => (&mut self.skipped, row.skipped_count.unwrap_or(1)),
        };
        *count = count.saturating_add(number);
        if let Some(duration) = row.duration {
            self.duration.add(duration);
        }
        let late = planned_lateness(row.trigger, row.attempt, row.start_time, row.scheduled_for);
        if let Some(lateness) = late {
            self.lateness.add(lateness);
        }
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: &Self) {
        let Self { completed, failed, cancelled, skipped, duration, lateness } = other;
        self.completed = self.completed.saturating_add(*completed);
        self.failed = self.failed.saturating_add(*failed);
        self.cancelled = self.cancelled.saturating_add(*cancelled);
        self.skipped = self.skipped.saturating_add(*skipped);
        self.duration.merge(duration);
        self.lateness.merge(lateness);
    }
}

/// Milliseconds from the planned time of an occurrence to the start of its first attempt; `None` of other
/// attempts, and of runs that are not planned or whose time was past when users asked for them.
#[must_use]
pub fn planned_lateness(
    trigger: Trigger,
    attempt: u32,
    start: Option<Millis>,
    scheduled_for: Millis,
) -> Option<Millis> {
    let planned =
        attempt == 1 && matches!(trigger, Trigger::Schedule | Trigger::Immediate | Trigger::CatchUp);
    start.filter(|_| planned).map(|start| start.saturating_sub(scheduled_for).max(0))
}

/// The occurrences in a skip besides those that the row stood for before: a row may grow.
#[must_use]
pub fn newly_skipped(before: &Task, row: &Execution) -> u64 {
    let rows = before.facts.running.iter().filter_map(|running| running.skipped.as_ref());
    let known = rows.filter(|skip| skip.execution == row.id).map(|skip| skip.count).sum();
    row.skipped_count.unwrap_or(1).saturating_sub(known)
}

/// A bucket: the tally of a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bucket {
    /// The start, epoch milliseconds.
    pub start: Millis,
    /// The executions that ended from then on, for as long as the bucket is.
    pub tally: Tally,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{
        draft::tests::definition,
        execution::{Ending, Verdict},
        ids::{ExecutionId, TaskId},
        step::{Circumstances, Input, Policy},
    };

    const NOON: Millis = 1_772_452_800_000;
    const HOUR: Millis = 3_600_000;

    /// Takes the steps of a task and counts them.
    struct Life {
        task: Task,
        tally: Tally,
        ids: u128,
    }

    impl Life {
        fn new(schedule: &str) -> Self {
            let task = Task::new(TaskId::from_bytes([1; 16]), definition(schedule), NOON);
            Self { task, tally: Tally::default(), ids: 0 }
        }

        fn step(&mut self, now: Millis, input: Input) -> Step {
            let mut new_id = || {
                self.ids += 1;
                ExecutionId::from_bytes(self.ids.to_be_bytes())
            };
            let policy = Policy::default();
            let mut circumstances = Circumstances { now, roll: 0.0, new_id: &mut new_id, policy };
            let step = self.task.step(input, &mut circumstances).expect("it is allowed");
            self.tally.add_step(&self.task, &step);
            self.task = step.task.clone();
            step
        }

        fn end(&mut self, now: Millis, started: Millis, verdict: Verdict) {
            let execution = self.task.facts.running[0].execution;
            let verdict = Verdict { started: Some(started), duration: Some(now - started), ..verdict };
            self.step(now, Input::Ended { execution, verdict: Box::new(verdict) });
        }

        fn counts(&self) -> [u64; 4] {
            let Tally { completed, failed, cancelled, skipped, .. } = self.tally;
            [completed, failed, cancelled, skipped]
        }
    }

    fn completed() -> Verdict {
        Verdict::of(Ending::Completed { result: json!(1) })
    }

    #[test]
    fn an_attempt_counts_once_at_its_end_with_its_duration_and_lateness() {
        let mut life = Life::new("@hourly");
        life.step(NOON + HOUR, Input::Due);
        assert!(life.tally.is_empty());
        life.end(NOON + HOUR + 30, NOON + HOUR + 5, completed());
        assert_eq!(life.counts(), [1, 0, 0, 0]);
        assert_eq!((life.tally.duration.sum(), life.tally.lateness.sum()), (25, 5));
    }

    #[test]
    fn a_run_by_hand_has_no_lateness_and_a_cancelled_one_counts_as_such() {
        let mut life = Life::new("@hourly");
        let execution = ExecutionId::from_bytes([9; 16]);
        life.step(
            NOON + 1,
            Input::RunByHand { execution, params: None, origin: crate::domain::facts::Origin::default() },
        );
        life.end(NOON + 9, NOON + 4, Verdict::cancelled("ann"));
        assert_eq!(life.counts(), [0, 0, 1, 0]);
        assert_eq!((life.tally.duration.sum(), life.tally.lateness.count()), (5, 0));
    }

    #[test]
    fn a_skip_that_grows_counts_its_new_occurrences_only() {
        let mut life = Life::new("@hourly");
        life.step(NOON + HOUR, Input::Due);
        life.step(NOON + 2 * HOUR, Input::Due);
        assert_eq!(life.counts(), [0, 0, 0, 1]);
        life.step(NOON + 3 * HOUR, Input::Due);
        assert_eq!(life.counts(), [0, 0, 0, 2]);
        life.end(NOON + 3 * HOUR + 1, NOON + HOUR, completed());
        assert_eq!(life.counts(), [1, 0, 0, 2]);
    }

    #[test]
    fn buckets_begin_at_whole_minutes_hours_and_days_before_1970_too() {
        assert_eq!(Size::ALL.map(|size| size.start(NOON + 61_001)), [NOON + 60_000, NOON, NOON - 12 * HOUR]);
        assert_eq!(Size::Hour.start(-1), -HOUR);
    }
}
