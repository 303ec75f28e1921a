//! Planned times that are bounded or moved (`startAt`, `endAt`, `maxRuns`, `jitter`), and backfills of them.

use super::*;

/// Runs everything that is due at each of the hours, and returns the planned times in seconds.
fn runs_of(life: &mut Life, hours: std::ops::RangeInclusive<i64>) -> Vec<i64> {
    let mut planned = Vec::new();
    for hour in hours {
        for start in life.at(hour * 3600).due() {
            planned.push(seconds(start.occurrence.scheduled_for));
            life.succeeds();
        }
    }
    planned
}

#[test]
fn nothing_is_planned_before_start_at_and_after_end_at() {
    let mut life = Life::with("@hourly", |task| {
        task.start_at = Some(START + 3 * HOUR);
        task.end_at = Some(START + 5 * HOUR);
    });
    assert_eq!(life.next_run(), Some(3 * 3600));
    assert_eq!(runs_of(&mut life, 1..=9), [3 * 3600, 4 * 3600, 5 * 3600], "both ends are within");
    assert_eq!((life.next_run(), life.status()), (None, "completed"));
    assert_eq!(life.try_step(Input::Resume).err(), Some(Refused::NotPaused), "it is over, not stopped");
}

#[test]
fn intervals_count_from_start_at_which_is_the_first_run() {
    let mut life = Life::with("every 2h", |task| task.start_at = Some(START + 90 * MINUTE));
    assert_eq!(life.next_run(), Some(5400));
    life.at(5400).due();
    life.succeeds();
    assert_eq!(life.next_run(), Some(5400 + 7200));
}

#[test]
fn after_the_last_of_its_runs_a_task_is_completed_and_goes_on_when_it_gets_more() {
    let mut life = Life::with("@hourly", |task| task.max_runs = Some(2));
    assert_eq!(runs_of(&mut life, 1..=5), [3600, 7200]);
    assert_eq!((life.next_run(), life.status(), life.task.runs_left()), (None, "completed", Some(0)));
    life.by_hand();
    life.succeeds();
    assert_eq!((life.next_run(), life.task.runs_left()), (None, Some(0)), "a run by hand counts for nothing");
    life.update(&json!({"maxRuns": 3}));
    assert_eq!(runs_of(&mut life, 6..=9), [6 * 3600]);
    life.update(&json!({"maxRuns": null}));
    assert_eq!(life.next_run(), Some(10 * 3600));
    life.update(&json!({"maxRuns": 1}));
    assert_eq!(life.task.runs_left(), Some(1), "runs count from when the field is set");
}

#[test]
fn a_plan_that_is_over_stays_over_where_the_clock_is_set_back_before_a_resumption() {
    let mut life = Life::with("@hourly", |task| task.end_at = Some(START + 2 * HOUR));
    assert_eq!(runs_of(&mut life, 1..=3), [3600, 7200]);
    life.at(10_800).step(Input::Pause);
    life.at(5400).step(Input::Resume);
    assert_eq!(life.next_run(), None, "the second hour was decided");
}

#[test]
fn attempts_of_the_last_run_go_on_and_do_not_count() {
    let mut life = Life::with("@hourly", |task| {
        task.max_runs = Some(1);
        task.max_retries = 1;
    });
    life.at(3600).due();
    life.fails();
    assert_eq!((life.status(), life.next_run()), ("retry-scheduled", Some(3660)));
    life.at(3660).due();
    life.fails();
    assert_eq!((life.status(), life.next_run(), life.task.runs_left()), ("failed", None, Some(0)));
}

#[test]
fn missed_times_beyond_the_last_run_are_skipped_with_the_reason() {
    let mut life = Life::with("@hourly", |task| {
        task.max_runs = Some(2);
        task.misfire = Misfire::All;
    });
    life.at(4 * 3600 + 600).due();
    life.succeeds();
    life.due();
    life.succeeds();
    assert_eq!(
        life.history(),
        ["3600s catch-up #1 completed", "7200s catch-up #1 completed", "10800s skipped ended x2"]
    );
}

#[test]
fn jitter_moves_all_times_of_a_task_by_the_same_and_tasks_apart() {
    let mut offsets = Vec::new();
    for id in 0..200 {
        let mut definition = definition("@hourly");
        definition.jitter = 10 * MINUTE;
        let task = Task::new(TaskId(Ulid::from_parts(START.unsigned_abs(), id)), definition, START);
        let first = task.facts.next.expect("it is planned");
        let offset = first.rem_euclid(HOUR);
        assert!((0..=10 * MINUTE).contains(&offset), "{offset}");
        let second = task.plan().next_after(first).expect("it goes on");
        assert_eq!(second, first + HOUR);
        offsets.push(offset / MINUTE);
    }
    for minute in 0..10 {
        let tasks = offsets.iter().filter(|offset| **offset == minute).count();
        assert!((5..=40).contains(&tasks), "{tasks} of 200 tasks in minute {minute}");
    }
}

#[test]
fn a_change_of_the_bounds_of_a_task_that_is_done_runs_it_no_second_time() {
    let mut life = Life::with("@hourly", |task| task.recurring = false);
    life.at(3600).due();
    life.succeeds();
    life.at(3700).update(&json!({"jitter": 5000}));
    assert_eq!((life.next_run(), life.status()), (None, "completed"));
}

fn hour(hour: i64) -> Millis {
    START + hour * HOUR
}

fn backfill(life: &mut Life, from: i64, to: i64, most: u64) -> Result<Step, Refused> {
    life.try_step(Input::Backfill { from: hour(from), to: hour(to), most })
}

/// A task that runs every hour, at ten minutes past the tenth hour.
fn life(change: impl FnOnce(&mut Definition)) -> Life {
    let mut life = Life::with("@hourly", change);
    for hour in 1..=10 {
        life.at(hour * 3600).due();
        life.succeeds();
    }
    life.rows.clear();
    life.at(10 * 3600 + 600);
    life
}

#[test]
fn the_times_of_the_span_run_in_order_and_one_after_the_other() {
    let mut life = life(|task| task.overlap = Overlap::Allow);
    backfill(&mut life, 2, 4, 1000).expect("it begins");
    for left in [2, 1, 0] {
        assert_eq!(life.due().len(), 1, "one after the other");
        assert_eq!(life.task.facts.backfill.as_ref().map_or(0, |backfill| backfill.left), left);
        life.succeeds();
    }
    assert_eq!(life.due(), []);
    assert_eq!(
        life.history(),
        ["7200s", "10800s", "14400s"].map(|time| format!("{time} backfill #1 completed"))
    );
    assert_eq!((life.task.facts.backfill.clone(), life.next_run()), (None, Some(11 * 3600)));
}

#[test]
fn no_more_than_asked_for_run_and_a_second_backfill_is_refused_until_then() {
    let mut life = life(|_| {});
    let step = backfill(&mut life, 1, 10, 2).expect("it begins");
    let begun = step.task.facts.backfill.expect("it is under way");
    assert_eq!((begun.total, begun.left, begun.left_out), (2, 2, 8));
    assert_eq!(backfill(&mut life, 1, 2, 1).err(), Some(Refused::Backfilling));
    for _ in 0..2 {
        life.due();
        life.succeeds();
    }
    assert_eq!(life.history(), ["3600s backfill #1 completed", "7200s backfill #1 completed"]);
    backfill(&mut life, 1, 2, 1).expect("the one before is over");
}

#[test]
fn a_span_must_be_past_and_have_a_planned_time() {
    let mut life = life(|_| {});
    let field = |refused: Result<Step, Refused>| match refused {
        Err(Refused::Invalid(problems)) => problems[0].field.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(field(backfill(&mut life, 9, 11, 5)), "to");
    let between = Input::Backfill { from: hour(3) + 1, to: hour(4) - 1, most: 5 };
    assert_eq!(field(life.try_step(between)), "from");
    let mut once = Life::with("@hourly", |task| task.recurring = false);
    once.at(7200);
    assert_eq!(field(backfill(&mut once, 0, 1, 5)), "from");
}

#[test]
fn attempts_of_a_time_go_before_the_next_time_and_a_failure_stops_nothing() {
    let mut life = life(|task| {
        task.max_retries = 1;
        task.on_exhausted = OnExhausted::Stop;
    });
    backfill(&mut life, 1, 2, 9).expect("it begins");
    life.due();
    life.fails();
    assert_eq!(life.due(), [], "the second attempt is not due yet");
    life.at(10 * 3600 + 660).due();
    life.fails();
    assert_eq!(life.status(), "failed");
    assert_eq!(life.due().len(), 1);
    life.succeeds();
    assert_eq!(
        life.history(),
        ["3600s backfill #1 failed", "3600s retry #2 failed", "7200s backfill #1 completed"]
    );
    assert_eq!(life.next_run(), Some(11 * 3600));
}

#[test]
fn a_regular_run_that_is_due_meanwhile_waits_for_the_one_in_progress_and_goes_first() {
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::Replace] {
        let mut life = life(|task| task.overlap = overlap);
        backfill(&mut life, 1, 3, 9).expect("it begins");
        life.due();
        let step = life.at(11 * 3600).step(Input::Due);
        assert_eq!((step.start, step.cancel), (vec![], vec![]), "{overlap:?}");
        life.succeeds();
        let started = life.due();
        assert_eq!(started[0].trigger, Trigger::Schedule, "{overlap:?}");
        life.succeeds();
        assert_eq!(life.due()[0].occurrence.scheduled_for, hour(2), "{overlap:?}");
    }
}

#[test]
fn a_pause_holds_a_backfill_and_a_cancel_or_another_schedule_ends_it() {
    let mut life = life(|_| {});
    backfill(&mut life, 1, 5, 9).expect("it begins");
    life.due();
    life.step(Input::Pause);
    life.succeeds();
    assert_eq!(life.due(), []);
    life.step(Input::Resume);
    assert_eq!(life.due()[0].occurrence.scheduled_for, hour(2));
    let mut other = life.clone();
    assert_eq!(life.step(Input::Cancel).cancel.len(), 1);
    life.is_cancelled();
    assert_eq!((life.due(), life.try_step(Input::Cancel).err()), (vec![], Some(Refused::Idle)));
    other.update(&json!({"schedule": "30 * * * *"}));
    other.succeeds();
    assert_eq!((other.due(), other.task.facts.backfill), (vec![], None));
}

#[test]
fn runs_of_a_backfill_do_not_count_for_max_runs() {
    let mut life = life(|task| task.max_runs = Some(11));
    backfill(&mut life, 1, 3, 9).expect("it begins");
    for _ in 0..3 {
        life.due();
        life.succeeds();
    }
    assert_eq!((life.task.runs_left(), life.next_run()), (Some(1), Some(11 * 3600)));
}

#[test]
fn times_that_were_missed_and_skipped_do_not_hold_a_backfill_up() {
    let mut life = life(|task| task.misfire = Misfire::Skip);
    backfill(&mut life, 2, 2, 9).expect("it begins");
    // The server was down for two planned times: they are skipped, and the backfill goes on in the same step.
    life.at(12 * 3600 + 1800);
    assert_eq!(life.due().len(), 1);
    life.succeeds();
    assert!(life.history().iter().any(|row| row.starts_with("7200s backfill")), "{:?}", life.history());
}
