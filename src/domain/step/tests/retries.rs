//! Attempts that fail, and those that follow.

use super::*;
use crate::domain::definition::Backoff;

#[test]
fn attempts_follow_each_other_until_they_are_used_up() {
    let cases = [
        (Backoff::Fixed, [10, 10, 10]),
        // Ten percent more, as the roll is 1.
        (Backoff::Exponential, [11, 22, 44]),
    ];
    for (backoff, waits) in cases {
        let mut life = Life::with("@daily", |task| {
            (task.max_retries, task.retry_delay, task.retry_backoff) = (3, 10_000, backoff);
        });
        life.roll = 1.0;
        let mut moment = 50_400;
        life.at(moment).due();
        for (failures, wait) in (1..).zip(waits) {
            moment += 5;
            life.at(moment).fails();
            assert_eq!(life.status(), "retry-scheduled", "{backoff:?}");
            assert_eq!(life.retrying(), (failures, Some(moment)), "{backoff:?}");
            moment += wait;
            assert_eq!(life.next_run(), Some(moment), "{backoff:?}");
            assert_eq!(life.at(moment - 1).due(), [], "{backoff:?}");
            let started = life.at(moment).due();
            assert_eq!((started[0].attempt, started[0].trigger), (failures + 1, Trigger::Retry));
            assert_eq!(started[0].occurrence.scheduled_for, START + 50_400 * SECOND);
        }
        life.at(moment + 5).fails();
        assert_eq!((life.status(), life.next_run()), ("failed", Some(50_400 + 86_400)), "{backoff:?}");
        let all = ["schedule #1", "retry #2", "retry #3", "retry #4"];
        assert_eq!(life.history(), all.map(|what| format!("50400s {what} failed")), "{backoff:?}");
    }
}

#[test]
fn an_attempt_that_succeeds_ends_the_chain() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 3);
    life.at(3600).due();
    life.at(3601).fails();
    life.at(3661).due();
    life.at(3662).succeeds();
    assert_eq!((life.status(), life.next_run(), life.retrying()), ("active", Some(7200), (0, None)));
    assert_eq!(life.history(), ["3600s schedule #1 failed", "3600s retry #2 completed"]);
}

#[test]
fn regular_times_that_pass_during_a_chain_are_one_skip() {
    let mut life = Life::with("* * * * *", |task| (task.max_retries, task.retry_delay) = (2, 600_000));
    life.at(60).due();
    life.at(61).fails();
    assert_eq!(life.at(600).due(), [], "what is planned meanwhile waits");
    assert_eq!(life.next_run(), Some(661));
    life.at(661).due();
    assert_eq!(life.next_run(), Some(720));
    life.at(662).succeeds();
    let chain = ["60s schedule #1 failed", "120s skipped retrying x10", "60s retry #2 completed"];
    assert_eq!(life.history(), chain);
}

#[test]
fn times_that_pass_while_an_attempt_is_made_again_are_overlaps() {
    let mut life = Life::with("* * * * *", |task| (task.max_retries, task.retry_delay) = (2, 10_000));
    life.at(60).due();
    life.at(61).fails();
    life.at(71).due();
    life.at(120).due();
    life.at(180).due();
    life.at(181).succeeds();
    let history = ["60s schedule #1 failed", "60s retry #2 completed", "120s skipped overlap x2"];
    assert_eq!(life.history(), history);
}

#[test]
fn a_failed_task_goes_on_or_stops_as_it_was_told() {
    let mut life = Life::with("@hourly", |task| task.on_exhausted = OnExhausted::Continue);
    life.at(3600).due();
    life.at(3601).fails();
    assert_eq!((life.status(), life.next_run()), ("failed", Some(7200)));
    life.at(7200).due();
    life.at(7201).succeeds();
    assert_eq!(life.status(), "active");

    let mut stopped = Life::with("@hourly", |task| task.on_exhausted = OnExhausted::Stop);
    stopped.at(3600).due();
    stopped.at(3601).fails();
    assert_eq!((stopped.status(), stopped.next_run()), ("failed", None));
    assert_eq!(stopped.at(100_000).due(), []);

    let mut resumed = stopped.clone();
    resumed.step(Input::Resume);
    assert_eq!((resumed.status(), resumed.next_run()), ("failed", Some(100_800)));
    let mut reset = stopped.clone();
    reset.step(Input::ResetRetries);
    assert_eq!((reset.status(), reset.next_run()), ("active", Some(100_800)));
    let mut by_hand = stopped.clone();
    by_hand.by_hand();
    by_hand.fails();
    assert_eq!((by_hand.status(), by_hand.next_run()), ("failed", Some(100_800)));
    for mut life in [resumed, reset, by_hand] {
        life.at(100_800).due();
        assert_eq!(life.succeeds().task.next_run(), Some(START + 104_400 * SECOND));
    }
}

#[test]
fn a_stopped_task_that_goes_on_after_the_clock_was_set_back_repeats_nothing() {
    let mut stopped = Life::with("@hourly", |task| task.on_exhausted = OnExhausted::Stop);
    for hour in 1..=3 {
        stopped.at(hour * 3600).due();
        if hour < 3 {
            stopped.succeeds();
        }
    }
    stopped.at(3 * 3600 + 1).fails();
    // Two hours back: the third hour is still to come, for the second time.
    stopped.at(3700);
    let mut by_hand = stopped.clone();
    by_hand.by_hand();
    let (mut resumed, mut reset) = (stopped.clone(), stopped);
    resumed.step(Input::Resume);
    reset.step(Input::ResetRetries);
    for life in [by_hand, resumed, reset] {
        assert_eq!(life.task.facts.next, Some(START + 4 * HOUR));
    }
}

#[test]
fn what_waits_for_a_run_that_stops_the_task_is_recorded() {
    let mut life = Life::with("* * * * *", |task| {
        (task.on_exhausted, task.overlap) = (OnExhausted::Stop, Overlap::Queue);
    });
    life.at(60).due();
    life.at(120).due();
    life.at(121).fails();
    assert_eq!((life.status(), life.next_run()), ("failed", None));
    assert_eq!(life.at(200).due(), []);
    assert_eq!(life.history(), ["60s schedule #1 failed", "120s skipped overlap x1"]);
}

#[test]
fn a_cancelled_attempt_is_not_made_again() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 3);
    life.at(3600).due();
    life.at(3601).fails();
    life.at(3661).due();
    life.at(3662).is_cancelled();
    assert_eq!((life.status(), life.next_run(), life.retrying()), ("active", Some(7200), (0, None)));
    assert_eq!(life.history(), ["3600s schedule #1 failed", "3600s retry #2 cancelled"]);
}

#[test]
fn a_lost_attempt_goes_through_the_same_rule() {
    let lost = || Verdict::failed(Reason::Lost, "the server died while the handler ran");
    let mut once = Life::with("@hourly", |_| {});
    once.at(3600).due();
    once.at(3660).end(lost());
    assert_eq!((once.status(), once.next_run()), ("failed", Some(7200)), "at most once");

    let mut twice = Life::with("@hourly", |task| task.max_retries = 1);
    twice.at(3600).due();
    twice.at(3660).end(lost());
    assert_eq!((twice.status(), twice.next_run()), ("retry-scheduled", Some(3720)));
    twice.at(3720).due();
    twice.at(3725).end(lost());
    assert_eq!(twice.history(), ["3600s schedule #1 failed", "3600s retry #2 failed"]);
}

#[test]
fn a_late_result_is_refused_and_changes_nothing() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 1);
    let execution = life.at(3600).due()[0].execution;
    life.at(3660).end(Verdict::failed(Reason::Lost, "the server died while the handler ran"));
    let before = life.clone();
    let late = Input::Ended { execution, verdict: Box::new(completed()) };
    assert_eq!(life.at(3661).try_step(late), Err(Refused::NotRunning(execution)));
    assert_eq!((&life.task, &life.rows), (&before.task, &before.rows));
    let unknown = life.new_id();
    let end = Input::Ended { execution: unknown, verdict: Box::new(completed()) };
    let refused = life.try_step(end).expect_err("nobody runs that");
    assert!(refused.to_string().contains(&unknown.to_string()), "{refused}");
}

#[test]
fn a_retry_that_is_due_late_runs_at_once() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 1);
    life.at(3600).due();
    life.at(3601).fails();
    // The server was down for two hours: the attempt is made, the hours are accounted for.
    life.at(10_900).due();
    life.at(10_901).succeeds();
    let history = ["3600s schedule #1 failed", "7200s skipped retrying x2", "3600s retry #2 completed"];
    assert_eq!((life.history(), life.next_run()), (history.map(str::to_owned).to_vec(), Some(14_400)));
}

#[test]
fn one_time_tasks_are_tried_again_too() {
    let mut life = Life::with("now", |task| task.max_retries = 1);
    life.due();
    life.at(1).fails();
    assert_eq!((life.status(), life.next_run()), ("retry-scheduled", Some(61)));
    life.at(61).due();
    life.at(62).succeeds();
    assert_eq!((life.status(), life.next_run()), ("completed", None));
    assert_eq!(life.history(), ["0s immediate #1 failed", "0s retry #2 completed"]);
}
