//! Changes: requests of users and of files of tasks, and steps taken.

use serde_json::{Map, Value};

use crate::{
    domain::{
        Millis,
        definition::{Definition, after::Predecessor},
        draft::Draft,
        facts::{Task, Waiting},
        step::{Input, Step},
    },
    simulation::oracle::almanac::Almanacs,
};

/// A request of a user or a file of tasks, besides creations and deletions.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Pause,
    Resume,
    ResetRetries,
    Cancel,
    Update(Draft),
    RunByHand(Option<Map<String, Value>>),
    /// From, to and the most planned times.
    Backfill((Millis, Millis), u64),
    /// A file has the task; the file's name is the request's id.
    Declare(Box<Definition>),
    /// The task has left its file.
    Release,
}

/// The cause of a decision.
#[derive(Debug, Clone)]
pub(crate) enum Why {
    /// A claim.
    Due,
    /// The request with this id.
    Request(String),
    /// The end of an execution.
    Ended,
    /// The end of an occurrence of the task's predecessor.
    Informed(Box<Predecessor>),
}

/// A step that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) before: Task,
    pub(crate) input: Input,
    pub(crate) now: Millis,
    pub(crate) step: Step,
}

impl Change {
    /// Whether the task goes on after a pause or a stop because it was asked to.
    pub(crate) fn resumes(&self) -> bool {
        let comes_back = matches!(self.input, Input::Declare { .. })
            && self.before.facts.paused
            && !self.step.task.facts.paused;
        matches!(self.input, Input::Resume) || comes_back
    }

    /// Whether the step starts the last of the task's `maxRuns`.
    pub(crate) fn uses_up_runs(&self) -> bool {
        self.before.runs_left().is_some_and(|left| left > 0) && self.step.task.runs_left() == Some(0)
    }

    /// Whether the task has a new occurrence because one of its predecessor has ended.
    pub(crate) fn follows(&self) -> bool {
        let is_new = |waiting: &Waiting| {
            self.before.facts.waiting.iter().all(|old| old.execution != waiting.execution)
        };
        matches!(self.input, Input::Follow(_))
            && (!self.step.rows.is_empty() || self.step.task.facts.waiting.iter().any(is_new))
    }

    /// Checks the start of a planned time of a backfill: invariant 11 of accounts.
    pub(crate) fn check_backfill(&self, planned: Millis, almanacs: &mut Almanacs) {
        let (old, new) = (&self.before, &self.step.task);
        let before = old.facts.backfill.as_ref().expect("a backfill is under way");
        let mut at = before.next;
        let mut left = before.left - 1;
        while at != planned {
            assert!(old.facts.open_times().any(|open| open == at), "a time is left out: {self:#?}");
            at = almanacs.next(&old.definition, old.facts.anchor, at).expect("a time of the plan");
            left -= 1;
        }
        assert!(old.facts.running.iter().all(|running| !running.occurrence.is_backfill), "two at once");
        let next = almanacs.next(&old.definition, old.facts.anchor, planned);
        let goes_on = next.filter(|next| left > 0 && *next <= before.to);
        let after = new.facts.backfill.as_ref().map(|backfill| (backfill.next, backfill.left));
        assert_eq!(after, goes_on.map(|next| (next, left)), "a time is left out or comes twice: {self:#?}");
    }
}
