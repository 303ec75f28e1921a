//! Account of a task: the invariants of a task, checked at every step ([`Account::follow`]).
//!
//! Occurrences:
//! 1. `next` is the time of the independent almanac, and never passes over a planned time in the future.
//! 2. Every planned time that came while the task was neither paused nor stopped is in exactly one row,
//!    run or skipped, or in the queue; a skip's row counts the planned times that it stands for.
//! 3. No planned time is decided twice, wherever the clock is set.
//! 4. A missed time is treated as the task's `misfire` says.
//!
//! Attempts:
//! 5. No attempt runs twice: attempts are unique by planned time and number. An occurrence has at most
//!    1 + maxRetries attempts.
//! 6. While a task is paused only manual runs start; once it is stopped no regular run starts; two runs
//!    are in progress at once only if runs may overlap.
//! 7. After a failure with attempts left the next attempt is planned, after the right wait. A planned
//!    attempt is started, or dropped for a reason.
//! 8. A closed row does not change; a row in progress is closed once.
//! 9. `nextRun` and the executions in progress agree with rows and retries.
//!
//! Files of tasks:
//! 10. While a file has a task, only the file changes its definition. A task that leaves its file is
//!     paused; it goes on when it comes back, unless a user has paused, changed or resumed it.
//!
//! Alerts:
//! 11. Each streak of failures has one message, and so has the success that ends it.
//!
//! Backfills:
//! 12. A backfill starts the planned times of its span in their order, each once, one after the other.
//!
//! Ends:
//! 13. No time after `endAt` is planned. A task starts at most `maxRuns` occurrences, and after the last of them
//!     has no planned time.
//!
//! [`record`](super::record) checks that facts follow from their events and that no acknowledged change is
//! lost; [`invariants`](super::invariants) checks a running process.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        Millis,
        definition::{OnExhausted, Overlap},
        execution::{Execution, ExecutionStatus, Reason, Trigger},
        facts::{LastOutcome, PendingRetry, Task, Waiting},
        ids::ExecutionId,
        step::{Input, Start},
    },
    simulation::oracle::{
        alerts::Told,
        almanac::{Almanacs, Rule},
        change::Change,
        rules::{check_file, check_misfire, check_retries, has_turns},
    },
};

/// A task, every row ever written for it, and the sums of its planned times.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) task: Task,
    pub(crate) rows: BTreeMap<ExecutionId, Execution>,
    /// Planned times that have come and needed a decision.
    came: u64,
    /// Planned times that rows stand for.
    in_rows: u64,
    /// Occurrences that count for `maxRuns` and have started.
    counted: u64,
    /// Planned times up to and including this one are decided.
    decided: Option<Millis>,
    /// Planned time and number of every attempt.
    attempts: BTreeSet<(Millis, u32)>,
    /// Whether the task was planned anew while the clock was before decided times, so that the new plan may
    /// repeat them.
    rewound: bool,
    told: Told,
    /// Whether the clock was set back in the life of the task.
    set_back: bool,
    /// The latest time of a step; `changed` is the time of the last step.
    latest: Millis,
    pub(crate) changed: Millis,
}

impl Account {
    pub(crate) fn new(task: Task, almanacs: &mut Almanacs) -> Self {
        let (created, facts) = (task.created_at, &task.facts);
        assert_eq!(facts.next, almanacs.first(&task.definition, created, created), "the first run");
        assert_eq!(facts.anchor, created);
        Self {
            latest: created,
            changed: created,
            decided: facts.next.map(|next| next - 1),
            task,
            rows: BTreeMap::new(),
            came: 0,
            in_rows: 0,
            counted: 0,
            attempts: BTreeSet::new(),
            rewound: false,
            told: Told::default(),
            set_back: false,
        }
    }

    /// Checks a step and takes it over.
    pub(crate) fn follow(&mut self, change: &Change, almanacs: &mut Almanacs) {
        assert_eq!(self.task, change.before);
        let passed = self.check_plan(change, almanacs);
        self.came += passed + u64::from(change.follows());
        self.set_back |= change.now < self.latest;
        for start in &change.step.start {
            self.check_start(change, start, almanacs);
        }
        let queued = |id: ExecutionId| change.before.facts.waiting.iter().any(|old| old.execution == id);
        for waiting in change.step.task.facts.waiting.iter().filter(|waiting| !queued(waiting.execution)) {
            let planned = waiting.occurrence.scheduled_for;
            if waiting.attempt > 1 {
                assert!(change.before.is_keyed(), "a retry waits for no key: {waiting:?}");
            } else if waiting.occurrence.is_backfill {
                change.check_backfill(planned, almanacs);
            } else if waiting.occurrence.after.is_some() {
                assert!(matches!(change.input, Input::Follow(_)), "a run follows nothing: {waiting:?}");
            } else if !waiting.occurrence.by_hand {
                assert!(planned <= change.now, "an execution is queued before its time: {waiting:?}");
                Self::check_planned(&change.before, planned, almanacs);
            }
        }
        for row in &change.step.rows {
            self.write(change, row);
        }
        self.check_runs(change);
        check_misfire(change, almanacs);
        check_retries(change);
        check_file(change);
        self.told.follow(change);
        self.task = change.step.task.clone();
        self.latest = self.latest.max(change.now);
        self.changed = change.now;
        self.check_sums();
    }

    /// Checks invariants 1 and 3. Returns the number of planned times that needed a decision.
    fn check_plan(&mut self, change: &Change, almanacs: &mut Almanacs) -> u64 {
        let (old, new) = (&change.before, &change.step.task);
        let (before, after) = (&old.facts, &new.facts);
        let (definition, anchor, now) = (&old.definition, before.anchor, change.now);
        let resumed = change.resumes();
        let stopped = new.is_stopped() && !old.is_stopped();
        if stopped {
            let rule = new.definition.on_exhausted;
            assert!(
                rule == OnExhausted::Stop && after.last == Some(LastOutcome::Failed),
                "the task must not stop: {change:#?}"
            );
        }
        if is_replanned(change, almanacs) {
            let came = before.next.filter(|next| *next <= now && !before.paused);
            let expected_anchor = if definition.schedule == new.definition.schedule { anchor } else { now };
            assert_eq!(after.anchor, expected_anchor);
            let first = almanacs.first(&new.definition, expected_anchor, now);
            let expected = first.filter(|_| !stopped && new.runs_left() != Some(0));
            let is_near = expected == Some(now) && after.next.is_some_and(|next| is_now(next, now));
            assert!(after.next == expected || is_near, "the plan is new, {expected:?}: {change:#?}");
            self.rewound |= now < self.latest;
            // A plan has no times before its first one, even if the clock is set back later.
            self.decided = first.map(|first| first - 1);
            return match came {
                Some(first) if definition.recurring => almanacs.count(definition, anchor, first, now + 1),
                came => u64::from(came.is_some()),
            };
        }
        assert_eq!(after.anchor, anchor);
        if change.uses_up_runs() {
            // Times that have passed have rows, later ones are no longer planned.
            assert_eq!(after.next, None, "a time is planned after the last run: {change:#?}");
            self.decided = self.decided.max(Some(now));
            return self.count_decided(change);
        }
        let (Some(from), true) = (before.next, definition.recurring) else {
            return self.check_single_plan(change, almanacs);
        };
        if after.next == Some(from) {
            return 0;
        }
        let is_over = old.definition.end_at.is_some() && almanacs.next(definition, anchor, now).is_none();
        let to = if resumed {
            assert!(before.paused && from <= now, "a future run is dropped: {change:#?}");
            assert_eq!(after.next, almanacs.next(definition, anchor, now), "resumed at {now}");
            None
        } else if stopped {
            (!before.paused).then_some(now + 1)
        } else {
            assert!(!before.paused, "the task is paused, but `next` moves: {change:#?}");
            if let Some(to) = after.next {
                let planned = almanacs.next(definition, anchor, to - 1);
                assert_eq!(planned, Some(to), "not a planned time: {change:#?}");
                assert!(from < to, "planned backwards: {change:#?}");
                let ahead = almanacs.next(definition, anchor, now);
                assert!(
                    ahead.is_none_or(|ahead| to <= ahead),
                    "{ahead:?} is passed over at {now}: {change:#?}"
                );
                Some(to)
            } else {
                assert!(is_over, "the plan ends before its end: {change:#?}");
                Some(now + 1)
            }
        };
        self.decided = self.decided.max(Some(to.map_or(now, |to| (to - 1).min(now))));
        to.map_or(0, |to| almanacs.count(definition, anchor, from, to))
    }

    /// Checks invariant 13.
    fn check_runs(&mut self, change: &Change) {
        let Task { definition, facts, .. } = &change.step.task;
        let counts = |start: &&Start| start.attempt == 1 && !start.occurrence.is_asked_for();
        let Some(most) = definition.max_runs else { return };
        self.counted += change.step.start.iter().filter(counts).count() as u64;
        assert!(self.counted <= most, "more runs than maxRuns: {change:#?}");
        assert_eq!(facts.counted_runs, self.counted, "runs are counted wrong: {change:#?}");
        assert!(
            self.counted < most || facts.next.is_none(),
            "a time is planned after the last run: {change:#?}"
        );
    }

    /// The planned times that a step decides about, by its rows and its queue.
    fn count_decided(&self, change: &Change) -> u64 {
        let rows: u64 = change.step.rows.iter().map(stands_for).sum();
        let before: u64 =
            change.step.rows.iter().filter_map(|row| self.rows.get(&row.id)).map(stands_for).sum();
        let (old, new) = (in_queue(&change.before), in_queue(&change.step.task));
        let decided = (rows + new).checked_sub(before + old).expect("no planned time is lost");
        decided - u64::from(change.follows())
    }

    /// As [`check_plan`](Self::check_plan), of a task that runs once or is stopped.
    fn check_single_plan(&mut self, change: &Change, almanacs: &mut Almanacs) -> u64 {
        let (old, new, now) = (&change.before, &change.step.task, change.now);
        let starts =
            change.resumes() || matches!(change.input, Input::RunByHand { .. } | Input::ResetRetries);
        match (old.facts.next, new.facts.next) {
            (before, after) if before == after => {
                let goes_on = almanacs.next(&old.definition, old.facts.anchor, now).is_some();
                let may_start = goes_on && old.runs_left() != Some(0);
                assert!(!(old.is_stopped() && starts && may_start), "the task stays stopped: {change:#?}");
                0
            }
            (None, Some(after)) => {
                assert!(old.is_stopped() && starts, "the task starts again by itself: {change:#?}");
                let since = self.decided.map_or(now, |decided| decided.max(now));
                let expected = almanacs.next(&old.definition, old.facts.anchor, since);
                assert_eq!(Some(after), expected, "planned again at {now}, decided {:?}", self.decided);
                0
            }
            (Some(before), Some(after)) => {
                let is_late = before < now && is_now(after, now);
                assert!(change.resumes() && is_late, "{change:#?}");
                0
            }
            (Some(before), None) => {
                assert!(before <= now, "the run comes before its time: {change:#?}");
                1
            }
            (None, None) => 0,
        }
    }

    /// Checks invariants 5 and 6.
    fn check_start(&mut self, change: &Change, start: &Start, almanacs: &mut Almanacs) {
        let (old, facts, occurrence) = (&change.before, &change.before.facts, &start.occurrence);
        let planned = occurrence.scheduled_for;
        let row = change.step.rows.iter().find(|row| row.id == start.execution).expect("a start has a row");
        assert_eq!((row.scheduled_for, row.attempt), (planned, start.attempt));
        assert_eq!((row.trigger, row.status), (start.trigger, ExecutionStatus::Running));
        assert_eq!(start.definition, change.step.task.definition);
        assert!(start.attempt <= start.definition.max_attempts(), "one attempt too many: {start:?}");
        assert!(start.not_before <= change.now);
        assert!(occurrence.by_hand && start.attempt == 1 || !facts.paused, "the task is paused: {start:?}");
        assert!(
            start.definition.overlap == Overlap::Allow || facts.running.is_empty(),
            "two runs at once: {start:?}"
        );
        let waited = facts.waiting.iter().find(|waiting| waiting.execution == start.execution);
        if let Some(waiting) = waited.filter(|waiting| waiting.attempt > 1) {
            assert_eq!((waiting.attempt, &waiting.occurrence), (start.attempt, occurrence));
        } else if start.attempt > 1 {
            assert_eq!(start.trigger, Trigger::Retry);
            let due =
                |retry: &PendingRetry| (retry.attempt, &retry.occurrence) == (start.attempt, occurrence);
            let retry = facts.retries.iter().find(|retry| due(retry));
            assert!(retry.is_some_and(|retry| retry.due <= change.now), "no such retry is due: {start:?}");
        } else if let Some(waiting) = waited {
            assert_eq!(&waiting.occurrence, occurrence);
            assert!(has_turns(old));
        } else if occurrence.by_hand {
            assert!(matches!(change.input, Input::RunByHand { .. }));
        } else if occurrence.is_backfill {
            change.check_backfill(planned, almanacs);
        } else {
            let next = facts.next.expect("a regular run is planned");
            assert!(next <= planned && planned <= change.now, "not its time: {start:?}");
            Self::check_planned(old, planned, almanacs);
        }
        let fresh = self.attempts.insert((planned, start.attempt));
        // A moment that is none of the schedule may come again when the clock is set back.
        let may_repeat = self.rewound
            || occurrence.is_backfill
            || occurrence.by_hand && change.now < self.latest
            || occurrence.after.is_some() && self.set_back;
        assert!(fresh || may_repeat, "an attempt runs twice: {start:?}");
    }

    fn check_planned(task: &Task, moment: Millis, almanacs: &mut Almanacs) {
        let (definition, anchor) = (&task.definition, task.facts.anchor);
        if definition.recurring {
            let planned = almanacs.next(definition, anchor, moment - 1);
            assert_eq!(planned, Some(moment), "not a planned time of {}", definition.schedule);
        } else {
            assert_eq!(task.facts.next, Some(moment));
        }
    }

    /// Checks invariant 8, and adds a row to the sums for invariant 2.
    fn write(&mut self, change: &Change, row: &Execution) {
        assert_eq!(row.task_id, self.task.id);
        if let Some(old) = self.rows.get(&row.id) {
            match old.status {
                ExecutionStatus::Running => assert_ne!(row.status, ExecutionStatus::Running, "{row:?}"),
                ExecutionStatus::Skipped => assert!(row.skipped_count > old.skipped_count, "{old:?} {row:?}"),
                _ => panic!("a closed row is written again: {old:?} {row:?}"),
            }
            assert_eq!((row.scheduled_for, row.attempt), (old.scheduled_for, old.attempt));
            assert_eq!((row.created_at, row.trigger), (old.created_at, old.trigger));
            self.in_rows -= stands_for(old);
        } else if row.attempt == 0 {
            assert_eq!(row.status, ExecutionStatus::Skipped);
            assert!(row.skipped_count.is_some_and(|count| count > 0), "{row:?}");
            let reasons = [Some(Reason::Overlap), Some(Reason::Misfire), Some(Reason::Retrying)];
            let ends = row.reason == Some(Reason::Ended) && change.uses_up_runs();
            assert!(reasons.contains(&row.reason) || ends, "{row:?}");
        } else {
            let started = change.step.start.iter().any(|start| start.execution == row.id);
            assert!(started, "a row in progress without a start: {row:?}");
        }
        self.in_rows += stands_for(row);
        self.rows.insert(row.id, row.clone());
    }

    /// Checks invariants 2 and 9.
    fn check_sums(&self) {
        let Task { facts, .. } = &self.task;
        let in_queue = in_queue(&self.task);
        assert_eq!(self.in_rows + in_queue, self.came, "planned times are lost or doubled: {facts:#?}");
        let open = self.rows.values().filter(|row| row.status == ExecutionStatus::Running).map(|row| row.id);
        let running: BTreeSet<_> = facts.running.iter().map(|running| running.execution).collect();
        assert_eq!((open.collect::<BTreeSet<_>>(), running.len()), (running, facts.running.len()));
        let first = facts.retries.iter().map(|retry| retry.due).min();
        let expected = if facts.paused { None } else { first.or(facts.next) };
        assert_eq!(self.task.next_run(), expected);
    }
}

/// The planned times that a row stands for.
fn stands_for(row: &Execution) -> u64 {
    let regular = !matches!(row.trigger, Trigger::Manual | Trigger::Backfill) && row.attempt <= 1;
    if regular { row.skipped_count.unwrap_or(1) } else { 0 }
}

/// The planned times that wait.
fn in_queue(task: &Task) -> u64 {
    let regular = |waiting: &&Waiting| !waiting.occurrence.is_asked_for() && waiting.attempt == 1;
    task.facts.waiting.iter().filter(regular).count() as u64
}

/// Whether `moment` is now, or up to 4 ms later: planned times of a task are unique.
fn is_now(moment: Millis, now: Millis) -> bool {
    (now..now + 5).contains(&moment)
}

fn is_replanned(change: &Change, almanacs: &Almanacs) -> bool {
    let (old, new) = (&change.before.definition, &change.step.task.definition);
    let follows_clocks = matches!(almanacs.rule(old), Rule::Cron(_));
    let other = old.schedule != new.schedule || old.recurring != new.recurring;
    other || old.timezone != new.timezone && follows_clocks
}
