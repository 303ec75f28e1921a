//! Tasks whose schedule is bounded or moved: `startAt`, `endAt`, `maxRuns`, `jitter`.

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
