//! Planned times that come while nothing is in the way.

use super::*;
use crate::domain::execution::{Progress, StepNote, StepStatus};

#[test]
fn a_recurring_task_runs_at_each_of_its_times() {
    let mut life = Life::with("*/10 * * * *", |_| {});
    assert_eq!((life.status(), life.next_run()), ("active", Some(600)));

    assert_eq!(life.at(599).due(), [], "it is not due yet");
    let started = life.at(600).due();
    let [start] = &started[..] else { panic!("one attempt starts: {started:?}") };
    let planned = Occurrence::planned(START + 600 * SECOND);
    assert_eq!((start.attempt, start.trigger, &start.occurrence), (1, Trigger::Schedule, &planned));
    assert_eq!((life.status(), life.next_run()), ("running", Some(1200)));

    life.at(630).succeeds();
    assert_eq!((life.status(), life.next_run()), ("active", Some(1200)));
    // A little late is not missed, and does not move what follows.
    life.at(1259).due();
    life.at(1260).succeeds();
    assert_eq!(life.next_run(), Some(1800));
    assert_eq!(life.history(), ["600s schedule #1 completed", "1200s schedule #1 completed"]);
}

#[test]
fn the_row_of_an_attempt_tells_what_the_verdict_says() {
    let mut life = Life::with("@hourly", |task| task.handler = "reports/sales".to_owned());
    let started = life.at(3600).due();
    let id = started[0].execution;
    assert_eq!(life.rows[&id].status, ExecutionStatus::Running);
    let step =
        StepNote { name: "one".to_owned(), status: StepStatus::Completed, duration: Some(3), attempt: 1 };
    let verdict = Verdict {
        ending: Ending::Failed {
            reason: Reason::ReturnedFailure,
            error: "nothing to report".to_owned(),
            stack: Some("at sales.js:3".to_owned()),
            result: Some(json!({"success": false})),
        },
        started: Some(START + 3600 * SECOND + 5),
        duration: Some(1234),
        handler_hash: Some("abc".to_owned()),
        files_hash: Some("def".to_owned()),
        output_truncated: true,
        usage: Some(crate::domain::execution::Usage { cpu_ms: 7, peak_heap_bytes: 9, ..Default::default() }),
        progress: Some(Progress { fraction: 0.5, text: None }),
        steps: vec![step.clone()],
    };
    life.at(3602).end(verdict);
    let row = &life.rows[&id];
    let expected = Execution {
        id,
        task_id: life.task.id,
        task_name: "sample".to_owned(),
        handler: "reports/sales".to_owned(),
        handler_hash: Some("abc".to_owned()),
        files_hash: Some("def".to_owned()),
        status: ExecutionStatus::Failed,
        reason: Some(Reason::ReturnedFailure),
        trigger: Trigger::Schedule,
        scheduled_for: START + 3600 * SECOND,
        attempt: 1,
        start_time: Some(START + 3600 * SECOND + 5),
        duration: Some(1234),
        error: Some("nothing to report".to_owned()),
        stack: Some("at sales.js:3".to_owned()),
        result: Some(json!({"success": false})),
        output_truncated: true,
        usage: Some(crate::domain::execution::Usage { cpu_ms: 7, peak_heap_bytes: 9, ..Default::default() }),
        progress: Some(Progress { fraction: 0.5, text: None }),
        steps: vec![step],
        skipped_count: None,
        params: Some(Map::new()),
        params_hash: None,
        lateness: Some(5),
        by: None,
        rerun_of: None,
        node: None,
        created_at: START + 3600 * SECOND,
        updated_at: START + 3602 * SECOND,
    };
    assert_eq!(*row, expected);
    let last = life.task.facts.last_execution.as_ref().expect("it has run");
    assert_eq!((last.id, last.status, last.duration), (id, ExecutionStatus::Failed, Some(1234)));
    assert_eq!(last.error.as_deref(), Some("nothing to report"));
}

#[test]
fn a_one_time_task_runs_once_and_is_then_what_came_of_it() {
    let cases = [
        ("now", 0, "0s immediate #1"),
        ("2026-03-02T10:05:00Z", 300, "300s schedule #1"),
        ("2026-03-02T09:00:00Z", 0, "0s immediate #1"),
        ("1772445900000", 300, "300s schedule #1"),
    ];
    for (schedule, moment, told) in cases {
        let mut life = Life::with(schedule, |_| {});
        assert_eq!((life.status(), life.next_run()), ("active", Some(moment)), "{schedule}");
        life.at(moment).due();
        assert_eq!((life.status(), life.next_run()), ("running", None), "{schedule}");
        let mut failed = life.clone();
        let mut ended = life.clone();

        life.at(moment + 1).succeeds();
        assert_eq!((life.status(), life.next_run()), ("completed", None), "{schedule}");
        failed.at(moment + 1).fails();
        assert_eq!((failed.status(), failed.next_run()), ("failed", None), "{schedule}");
        ended.at(moment + 1).is_cancelled();
        assert_eq!((ended.status(), ended.next_run()), ("active", None), "{schedule}");
        for (life, how) in [(life, "completed"), (failed, "failed"), (ended, "cancelled")] {
            let mut life = life;
            assert_eq!(life.at(1_000_000).due(), [], "{schedule} ran already");
            assert_eq!(life.history(), [format!("{told} {how}")], "{schedule}");
        }
    }
}

#[test]
fn a_cron_expression_that_does_not_recur_runs_at_its_next_match_only() {
    let mut life = Life::with("30 12 * * *", |task| task.recurring = false);
    assert_eq!(life.next_run(), Some(9000));
    life.at(9000).due();
    life.at(9001).succeeds();
    assert_eq!((life.status(), life.next_run()), ("completed", None));
    assert_eq!(life.at(9000 + 86_400).due(), []);
}

#[test]
fn an_interval_counts_from_the_creation_and_never_drifts() {
    let mut life = Life::with("every 90s", |_| {});
    for run in 1..=20 {
        // Each is noticed later than the one before, but planned where it belongs.
        life.at(run * 90 + run).due();
        life.at(run * 90 + run + 1).succeeds();
        assert_eq!(life.next_run(), Some((run + 1) * 90));
    }
    assert_eq!(life.history().last().map(String::as_str), Some("1800s schedule #1 completed"));
}

#[test]
fn a_planned_time_that_falls_into_a_gap_runs_once_after_it() {
    // Twenty-seven days later clocks in Berlin go from two to three.
    let mut life = Life::with("30 2 29 3 *", |task| task.timezone = chrono_tz::Europe::Berlin);
    let after_the_gap = 1_774_746_000_000;
    assert_eq!(life.task.next_run(), Some(after_the_gap));
    life.now = after_the_gap;
    assert_eq!(life.due().len(), 1);
    life.now += SECOND;
    life.succeeds();
    assert!(life.task.next_run() > Some(after_the_gap + 300 * DAY));
}

#[test]
fn what_a_task_looks_like_follows_from_its_facts_in_order() {
    let retry =
        PendingRetry { attempt: 2, due: START + 50, occurrence: Occurrence::planned(START), failed: None };
    let mut recurring = Life::with("@hourly", |_| {});
    recurring.by_hand();
    let running = recurring.task.facts.running.clone();
    let all = |task: &mut Task| {
        task.facts.running = running.clone();
        task.facts.paused = true;
        task.facts.retries = vec![retry.clone()];
        task.facts.last = Some(LastOutcome::Failed);
    };
    // Each line takes away what decided the line before.
    let mut task = Life::with("@hourly", |_| {}).task;
    all(&mut task);
    assert_eq!((task.status(), task.next_run(), task.due()), (TaskStatus::Running, None, None));
    task.facts.running.clear();
    assert_eq!((task.status(), task.next_run(), task.due()), (TaskStatus::Paused, None, None));
    task.facts.paused = false;
    let due = Some(START + 50);
    assert_eq!((task.status(), task.next_run(), task.due()), (TaskStatus::RetryScheduled, due, due));
    task.facts.retries.clear();
    let due = Some(START + HOUR);
    assert_eq!((task.status(), task.next_run(), task.due()), (TaskStatus::Failed, due, due));
    task.facts.last = Some(LastOutcome::Completed);
    assert_eq!(task.status(), TaskStatus::Active, "a recurring task is never completed");
    task.definition.recurring = false;
    assert_eq!(task.status(), TaskStatus::Active, "its moment is still to come");
    task.facts.next = None;
    assert_eq!((task.status(), task.next_run(), task.due()), (TaskStatus::Completed, None, None));
    task.facts.last = Some(LastOutcome::Cancelled);
    assert_eq!(task.status(), TaskStatus::Active);
}

#[test]
fn a_backward_jump_of_the_clock_never_fires_an_occurrence_again() {
    let mut life = Life::with("*/10 * * * *", |_| {});
    life.at(600).due();
    life.at(601).succeeds();
    let changed = life.task.updated_at;
    life.at(590);
    assert_eq!(life.due(), []);
    assert_eq!(life.step(Input::Pause).task.updated_at, changed, "nor does a task change in the past");
    life.at(595).step(Input::Resume);
    assert_eq!((life.at(600).due(), life.next_run()), (vec![], Some(1200)));
}
