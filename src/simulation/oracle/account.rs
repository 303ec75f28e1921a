//! Account of a task: what is true of every task at every moment, whatever happens to the server.
//!
//! Of occurrences, checked at every step ([`Account::follow`]):
//! 1. `next` is what the independent almanac says, and moves over no planned time that is still
//!    to come.
//! 2. Every planned time that came while the task was neither paused nor stopped is in exactly
//!    one row as it is run or skipped, or waits in the queue; the counts of skips add up to it.
//! 3. No planned time is decided about twice, wherever the clock was set.
//! 4. A missed time is treated as the task's `misfire` says.
//!
//! Of attempts:
//! 5. No attempt runs twice: they are unique by planned time and number; and never more than
//!    1 + maxRetries of an occurrence.
//! 6. Nothing starts while the task is paused, by hand excepted; nothing regular once it is
//!    stopped; nothing beside another run unless runs may overlap.
//! 7. A failure with attempts left has its next attempt planned, after the right wait; an
//!    attempt that is planned is started or given up for a reason.
//! 8. A row that is closed stays as it is; one in progress is closed once.
//! 9. `nextRun` and the executions in progress are what rows and retries say.
//!
//! That facts are the fold of their events, and that nothing that was answered is lost, is held
//! by [`crate::simulation::oracle::record`]; what must be true of a running process (nothing due waits while there
//! is room, nothing starts before it is durable, nothing is left running after a recovery) by
//! [`crate::simulation::oracle::invariants`].

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        Millis,
        definition::{Backoff, Definition, Misfire, OnExhausted, Overlap},
        execution::{Execution, ExecutionStatus, Reason, Trigger},
        facts::{LastOutcome, PendingRetry, Task},
        ids::ExecutionId,
        step::{Input, Start},
    },
    simulation::oracle::{
        almanac::{Almanacs, Rule},
        change::Change,
    },
};

const DAY: Millis = 86_400_000;

/// A task, every row that was ever written for it, and what became of its planned times.
pub(crate) struct Account {
    pub(crate) task: Task,
    pub(crate) rows: BTreeMap<ExecutionId, Execution>,
    /// Planned times that had to be decided about.
    came: u64,
    /// Those that rows stand for.
    in_rows: u64,
    /// No planned time up to this one may be decided about any more.
    decided: Option<Millis>,
    /// Planned time and number of every attempt.
    attempts: BTreeSet<(Millis, u32)>,
    /// Whether it was planned anew while the clock stood before times already decided about, so
    /// that the new plan may have them again.
    rewound: bool,
    /// The latest that the clock has shown at a step, and what it showed at the last one.
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
            attempts: BTreeSet::new(),
            rewound: false,
        }
    }

    /// Follows a step.
    pub(crate) fn follow(&mut self, change: &Change, almanacs: &mut Almanacs) {
        assert_eq!(self.task, change.before);
        let passed = self.plan(change, almanacs);
        self.came += passed;
        for start in &change.step.start {
            self.starts(change, start, almanacs);
        }
        let queued = |id: ExecutionId| change.before.facts.waiting.iter().any(|old| old.execution == id);
        for waiting in change.step.task.facts.waiting.iter().filter(|waiting| !queued(waiting.execution)) {
            let planned = waiting.occurrence.scheduled_for;
            if !waiting.occurrence.by_hand {
                assert!(planned <= change.now, "it waits before its time: {waiting:?}");
                Self::is_planned(&change.before, planned, almanacs);
            }
        }
        for row in &change.step.rows {
            self.write(change, row);
        }
        misfires(change, almanacs);
        retries(change);
        self.task = change.step.task.clone();
        self.latest = self.latest.max(change.now);
        self.changed = change.now;
        self.stands();
    }

    /// Invariants 1 and 3. Returns how many planned times had to be decided about.
    fn plan(&mut self, change: &Change, almanacs: &mut Almanacs) -> u64 {
        let (old, new) = (&change.before, &change.step.task);
        let (before, after) = (&old.facts, &new.facts);
        let (definition, anchor, now) = (&old.definition, before.anchor, change.now);
        let resumed = matches!(change.input, Input::Resume);
        let stopped = new.is_stopped() && !old.is_stopped();
        if stopped {
            let rule = new.definition.on_exhausted;
            assert!(
                rule == OnExhausted::Stop && after.last == Some(LastOutcome::Failed),
                "it stops: {change:#?}"
            );
        }
        if is_replanned(change, almanacs) {
            let came = before.next.filter(|next| *next <= now && !before.paused);
            let expected_anchor = if definition.schedule == new.definition.schedule { anchor } else { now };
            assert_eq!(after.anchor, expected_anchor);
            let first = almanacs.first(&new.definition, expected_anchor, now);
            let expected = first.filter(|_| !stopped);
            let is_near = expected == Some(now) && after.next.is_some_and(|next| is_now(next, now));
            assert!(after.next == expected || is_near, "the plan is new, {expected:?}: {change:#?}");
            self.rewound |= now < self.latest;
            // A plan has no times before its first one, wherever the clock is set later.
            self.decided = first.map(|first| first - 1);
            return match came {
                Some(first) if definition.recurring => almanacs.count(definition, anchor, first, now + 1),
                came => u64::from(came.is_some()),
            };
        }
        assert_eq!(after.anchor, anchor);
        let (Some(from), true) = (before.next, definition.recurring) else {
            return self.plan_otherwise(change, almanacs);
        };
        if after.next == Some(from) {
            return 0;
        }
        let to = if resumed {
            assert!(before.paused && from <= now, "what is to come is given up: {change:#?}");
            assert_eq!(after.next, almanacs.next(definition, anchor, now), "resumed at {now}");
            None
        } else if stopped {
            (!before.paused).then_some(now + 1)
        } else {
            assert!(!before.paused, "it is paused, but planned on: {change:#?}");
            let to = after.next.expect("these schedules never end");
            assert_eq!(
                almanacs.next(definition, anchor, to - 1),
                Some(to),
                "not a planned time: {change:#?}"
            );
            assert!(from < to, "planned backwards: {change:#?}");
            let ahead = almanacs.next(definition, anchor, now).expect("these schedules never end");
            assert!(to <= ahead, "{ahead} is passed over at {now}: {change:#?}");
            Some(to)
        };
        self.decided = self.decided.max(Some(to.map_or(now, |to| (to - 1).min(now))));
        to.map_or(0, |to| almanacs.count(definition, anchor, from, to))
    }

    /// Of one that comes once, or has been stopped.
    fn plan_otherwise(&mut self, change: &Change, almanacs: &mut Almanacs) -> u64 {
        let (old, new, now) = (&change.before, &change.step.task, change.now);
        let starts = matches!(change.input, Input::Resume | Input::RunByHand { .. } | Input::ResetRetries);
        match (old.facts.next, new.facts.next) {
            (before, after) if before == after => {
                assert!(!(old.is_stopped() && starts), "it stays stopped: {change:#?}");
                0
            }
            (None, Some(after)) => {
                assert!(old.is_stopped() && starts, "it starts again by itself: {change:#?}");
                let since = self.decided.map_or(now, |decided| decided.max(now));
                let expected = almanacs.next(&old.definition, old.facts.anchor, since);
                assert_eq!(Some(after), expected, "planned again at {now}, decided {:?}", self.decided);
                0
            }
            (Some(before), Some(after)) => {
                let is_late = before < now && is_now(after, now);
                assert!(matches!(change.input, Input::Resume) && is_late, "{change:#?}");
                0
            }
            (Some(before), None) => {
                assert!(before <= now, "it comes before its time: {change:#?}");
                1
            }
            (None, None) => 0,
        }
    }

    /// Invariants 5 and 6.
    fn starts(&mut self, change: &Change, start: &Start, almanacs: &mut Almanacs) {
        let (old, facts, occurrence) = (&change.before, &change.before.facts, &start.occurrence);
        let planned = occurrence.scheduled_for;
        let row = change.step.rows.iter().find(|row| row.id == start.execution).expect("it has a row");
        assert_eq!((row.scheduled_for, row.attempt), (planned, start.attempt));
        assert_eq!((row.trigger, row.status), (start.trigger, ExecutionStatus::Running));
        assert_eq!(start.definition, change.step.task.definition);
        assert!(start.attempt <= start.definition.max_attempts(), "one attempt too many: {start:?}");
        assert!(start.not_before <= change.now);
        assert!(occurrence.by_hand && start.attempt == 1 || !facts.paused, "it is paused: {start:?}");
        assert!(
            start.definition.overlap == Overlap::Allow || facts.running.is_empty(),
            "two runs at once: {start:?}"
        );
        let waited = facts.waiting.iter().find(|waiting| waiting.execution == start.execution);
        if start.attempt > 1 {
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
        } else {
            let next = facts.next.expect("a regular run is planned");
            assert!(next <= planned && planned <= change.now, "not its time: {start:?}");
            Self::is_planned(old, planned, almanacs);
        }
        let fresh = self.attempts.insert((planned, start.attempt));
        let may_repeat = self.rewound || occurrence.by_hand && change.now < self.latest;
        assert!(fresh || may_repeat, "an attempt runs twice: {start:?}");
    }

    fn is_planned(task: &Task, moment: Millis, almanacs: &mut Almanacs) {
        let (definition, anchor) = (&task.definition, task.facts.anchor);
        if definition.recurring {
            let planned = almanacs.next(definition, anchor, moment - 1);
            assert_eq!(planned, Some(moment), "not a planned time of {}", definition.schedule);
        } else {
            assert_eq!(task.facts.next, Some(moment));
        }
    }

    /// Invariant 8, and the sums for 2.
    fn write(&mut self, change: &Change, row: &Execution) {
        let stands_for = |row: &Execution| {
            let regular = row.trigger != Trigger::Manual && row.attempt <= 1;
            if regular { row.skipped_count.unwrap_or(1) } else { 0 }
        };
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
            assert!(reasons.contains(&row.reason), "{row:?}");
        } else {
            let started = change.step.start.iter().any(|start| start.execution == row.id);
            assert!(started, "a row in progress that nobody starts: {row:?}");
        }
        self.in_rows += stands_for(row);
        self.rows.insert(row.id, row.clone());
    }

    /// Invariants 2 and 9.
    fn stands(&self) {
        let Task { facts, .. } = &self.task;
        let in_queue = facts.waiting.iter().filter(|waiting| !waiting.occurrence.by_hand).count() as u64;
        assert_eq!(self.in_rows + in_queue, self.came, "planned times are lost or doubled: {facts:#?}");
        let open = self.rows.values().filter(|row| row.status == ExecutionStatus::Running).map(|row| row.id);
        let running: BTreeSet<_> = facts.running.iter().map(|running| running.execution).collect();
        assert_eq!((open.collect::<BTreeSet<_>>(), running.len()), (running, facts.running.len()));
        let first = facts.retries.iter().map(|retry| retry.due).min();
        let expected = if facts.paused { None } else { first.or(facts.next) };
        assert_eq!(self.task.next_run(), expected);
    }
}

/// A moment that is at once gives way to those of its task that are there already.
fn is_now(moment: Millis, now: Millis) -> bool {
    (now..now + 5).contains(&moment)
}

fn is_replanned(change: &Change, almanacs: &Almanacs) -> bool {
    let (old, new) = (&change.before.definition, &change.step.task.definition);
    let follows_clocks = matches!(almanacs.rule(old), Rule::Cron(_));
    let other = old.schedule != new.schedule || old.recurring != new.recurring;
    other || old.timezone != new.timezone && follows_clocks
}

/// Whether what waits may start: nothing runs, or nothing but what may be overlapped.
pub(crate) fn has_turns(task: &Task) -> bool {
    let running = &task.facts.running;
    let allows = task.definition.overlap == Overlap::Allow;
    running.is_empty() || allows && running.iter().all(|running| running.trigger != Trigger::CatchUp)
}

/// Invariant 4, of a planned time that is more than a minute late.
fn misfires(change: &Change, almanacs: &mut Almanacs) {
    let (old, facts, step) = (&change.before, &change.before.facts, &change.step);
    let ready = has_turns(old) && !facts.waiting.is_empty();
    let Some(first) = facts.next.filter(|next| change.now - next > 60_000) else { return };
    if !matches!(change.input, Input::Due) || ready || !facts.retries.is_empty() || facts.paused {
        return;
    }
    let Definition { misfire, recurring, .. } = old.definition;
    let new: Vec<_> = step.task.facts.waiting.iter().skip(facts.waiting.len()).collect();
    let times: Vec<_> = step.start.iter().map(|start| start.occurrence.scheduled_for).collect();
    match misfire {
        Misfire::Skip => assert!(times.is_empty() && new.is_empty(), "a missed time runs: {step:#?}"),
        Misfire::Once => {
            assert!(times.len() <= 1, "a stampede: {step:#?}");
            let Some(time) = times.first().filter(|_| recurring) else { return };
            let limit = change.now - 60_000;
            let later = almanacs.next(&old.definition, facts.anchor, *time);
            assert!(*time < limit && later.is_none_or(|later| later >= limit), "not the newest: {step:#?}");
        }
        Misfire::All => {
            assert!(times.len() + new.len() <= 100, "a stampede: {step:#?}");
            let oldest = change.now - DAY;
            let times = times.into_iter().chain(new.iter().map(|waiting| waiting.occurrence.scheduled_for));
            assert!(
                times.min().is_none_or(|time| time >= oldest.min(first.max(oldest))),
                "too old: {step:#?}"
            );
        }
    }
}

/// Invariant 7.
fn retries(change: &Change) {
    let (old, new) = (&change.before, &change.step.task);
    let ended =
        old.facts.running.iter().filter(|r| new.facts.running.iter().all(|n| n.execution != r.execution));
    let mut expected = old.facts.retries.clone();
    for running in ended {
        let row = change.step.rows.iter().find(|row| row.id == running.execution).expect("its row");
        let failed = row.status == ExecutionStatus::Failed;
        let held = running.occurrence.by_hand && old.facts.paused;
        if failed && running.attempt < old.definition.max_attempts() && !held {
            let retry = new.facts.retries.iter().find(|retry| {
                (retry.attempt, &retry.occurrence) == (running.attempt + 1, &running.occurrence)
            });
            let retry = retry.unwrap_or_else(|| panic!("no further attempt is planned: {change:#?}"));
            check_wait(&old.definition, running.attempt, retry.due - change.now);
            expected.push(retry.clone());
        }
        if row.status == ExecutionStatus::Completed && running.occurrence.by_hand {
            expected.clear();
        }
    }
    expected.retain(|retry| {
        let is_it = |start: &Start| (start.attempt, &start.occurrence) == (retry.attempt, &retry.occurrence);
        !change.step.start.iter().any(is_it) && retry.attempt <= new.definition.max_attempts()
    });
    if matches!(change.input, Input::Resume) {
        expected.iter_mut().for_each(|retry| retry.due = retry.due.max(change.now));
    }
    let mut found = new.facts.retries.clone();
    let by_time = |retry: &PendingRetry| (retry.due, retry.occurrence.scheduled_for, retry.attempt);
    expected.sort_by_key(by_time);
    found.sort_by_key(by_time);
    assert_eq!(found, expected, "attempts that wait: {change:#?}");
}

fn check_wait(definition: &Definition, attempt: u32, wait: Millis) {
    let delay = definition.retry_delay;
    match definition.retry_backoff {
        Backoff::Fixed => assert_eq!(wait, delay),
        Backoff::Exponential => {
            let base = (1..attempt).fold(delay, |delay, _| (delay * 2).min(DAY));
            let jitter = base / 10 + 1;
            assert!((base - jitter..=base + jitter).contains(&wait) && wait <= DAY, "{wait} after {attempt}");
        }
    }
}
