//! Rules of a task that a step alone shows: missed times, further attempts, files of tasks.

use crate::{
    domain::{
        Millis,
        definition::{Backoff, Definition, Misfire, Overlap},
        execution::{ExecutionStatus, Trigger},
        facts::{Declared, PendingRetry, Task, Waiting},
        step::{Input, Start},
    },
    simulation::oracle::{almanac::Almanacs, change::Change},
};

const DAY: Millis = 86_400_000;

/// Whether queued executions may start: none is in progress, or only ones that may be overlapped.
pub(crate) fn has_turns(task: &Task) -> bool {
    let running = &task.facts.running;
    let allows = task.definition.overlap == Overlap::Allow;
    running.is_empty() || allows && running.iter().all(|running| running.trigger != Trigger::CatchUp)
}

/// Checks invariant 4 of accounts, for a planned time that is more than a minute late.
pub(super) fn check_misfire(change: &Change, almanacs: &mut Almanacs) {
    let (old, facts, step) = (&change.before, &change.before.facts, &change.step);
    let ready = has_turns(old) && !facts.waiting.is_empty();
    let Some(first) = facts.next.filter(|next| change.now - next > 60_000) else { return };
    if !matches!(change.input, Input::Due) || ready || !facts.retries.is_empty() || facts.paused {
        return;
    }
    let Definition { misfire, recurring, .. } = old.definition;
    // The next time of a backfill may start, or wait, in the same step.
    let new = step.task.facts.waiting.iter().skip(facts.waiting.len());
    let new: Vec<_> = new.filter(|waiting| !waiting.occurrence.is_backfill).collect();
    let regular = step.start.iter().filter(|start| !start.occurrence.is_backfill);
    let times: Vec<_> = regular.map(|start| start.occurrence.scheduled_for).collect();
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

/// Checks invariant 7 of accounts.
pub(super) fn check_retries(change: &Change) {
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
        let waits =
            |waiting: &Waiting| (waiting.attempt, &waiting.occurrence) == (retry.attempt, &retry.occurrence);
        let gone = change.step.start.iter().any(is_it) || new.facts.waiting.iter().any(waits);
        !gone && retry.attempt <= new.definition.max_attempts()
    });
    if change.resumes() {
        expected.iter_mut().for_each(|retry| retry.due = retry.due.max(change.now));
    }
    let mut found = new.facts.retries.clone();
    let by_time = |retry: &PendingRetry| (retry.due, retry.occurrence.scheduled_for, retry.attempt);
    expected.sort_by_key(by_time);
    found.sort_by_key(by_time);
    assert_eq!(found, expected, "the planned attempts differ: {change:#?}");
}

/// Checks invariant 10 of accounts.
pub(super) fn check_file(change: &Change) {
    let (old, new) = (&change.before, &change.step.task);
    match &change.input {
        Input::Declare { definition, .. } => {
            assert_eq!(new.definition, **definition);
            assert!(new.managed_by().is_some());
            let goes_on = matches!(old.declared, Some(Declared::Formerly { was_paused: false }));
            assert_eq!(new.facts.paused, old.facts.paused && !goes_on, "{change:#?}");
            assert!(old.declared.is_some() || old.definition == new.definition, "a user's task: {change:#?}");
            return;
        }
        Input::Release => {
            let was_paused = old.facts.paused;
            assert_eq!(new.declared, Some(Declared::Formerly { was_paused }));
            assert!(old.managed_by().is_some() && new.facts.paused, "{change:#?}");
        }
        Input::Resume | Input::Update(_) if old.managed_by().is_none() => assert_eq!(new.declared, None),
        _ => assert_eq!(new.declared, old.declared),
    }
    assert!(old.managed_by().is_none() || old.definition == new.definition, "{change:#?}");
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
