//! Tasks that run after another one.

use super::*;
use crate::domain::definition::after::{After, On};

const PREDECESSOR: TaskId = TaskId(Ulid(77));

fn life(on: On, change: impl FnOnce(&mut Definition)) -> Life {
    Life::with("never", |task| {
        task.after = Some(After { task_id: PREDECESSOR, on });
        change(task);
    })
}

fn end_of(execution: u128, status: ExecutionStatus) -> Predecessor {
    Predecessor {
        task_id: PREDECESSOR,
        task_name: "first".to_owned(),
        execution_id: ExecutionId(Ulid(execution)),
        status,
        scheduled_for: START,
        result: Some(json!({"rows": 3})),
        error: None,
    }
}

fn tell(life: &mut Life, status: ExecutionStatus) -> Step {
    let execution = 500 + u128::from(life.now.unsigned_abs() % 1000);
    life.step(Input::Follow(Box::new(end_of(execution, status))))
}

#[test]
fn a_task_runs_after_the_ends_that_it_asks_for() {
    use ExecutionStatus::{Cancelled, Completed, Failed};
    for (on, expected) in [
        (On::Success, vec![Completed]),
        (On::Failure, vec![Failed]),
        (On::End, vec![Completed, Failed, Cancelled]),
    ] {
        for status in [Completed, Failed, Cancelled] {
            let mut life = life(on, |_| {});
            tell(&mut life, status);
            let started = life.due();
            assert_eq!(started.len(), usize::from(expected.contains(&status)), "{on:?} {status:?}");
            for start in started {
                assert_eq!(start.trigger, Trigger::After);
                let after = start.occurrence.after.expect("its predecessor");
                assert_eq!((after.status, after.result), (status, Some(json!({"rows": 3}))));
            }
        }
    }
}

#[test]
fn a_task_that_never_runs_by_itself_stays_active_and_its_retries_know_what_they_follow() {
    let mut life = life(On::End, |task| task.max_retries = 1);
    assert_eq!((life.next_run(), life.status()), (None, "active"));
    tell(&mut life, ExecutionStatus::Completed);
    life.due();
    life.fails();
    assert_eq!(life.status(), "retry-scheduled");
    let again = life.at(60).due();
    assert!(again[0].occurrence.after.is_some());
    life.succeeds();
    assert_eq!((life.next_run(), life.status()), (None, "active"));
}

#[test]
fn a_task_that_still_runs_follows_as_its_overlap_says() {
    let told = |overlap| {
        let mut life = life(On::End, |task| task.overlap = overlap);
        for second in 0..3 {
            tell(life.at(second), ExecutionStatus::Completed);
            life.due();
        }
        while !life.task.facts.running.is_empty() {
            life.succeeds();
            life.due();
        }
        life.history()
    };
    assert_eq!(told(Overlap::Skip), ["0s after #1 completed", "1s skipped overlap x2"]);
    assert_eq!(
        told(Overlap::Queue),
        ["0s after #1 completed", "1s after #1 completed", "2s skipped overlap x1"]
    );
    assert_eq!(told(Overlap::Allow), ["0s", "1s", "2s"].map(|time| format!("{time} after #1 completed")));
    assert_eq!(told(Overlap::Replace).len(), 3);
}

#[test]
fn a_task_that_is_paused_out_of_its_bounds_or_over_does_not_follow() {
    for change in [
        |task: &mut Definition| task.start_at = Some(START + HOUR),
        |task: &mut Definition| task.end_at = Some(START - 1),
    ] {
        let mut life = life(On::End, change);
        let before = life.task.clone();
        assert_eq!(tell(&mut life, ExecutionStatus::Completed).task, before);
    }
    let mut life = life(On::End, |task| task.max_runs = Some(1));
    life.step(Input::Pause);
    tell(&mut life, ExecutionStatus::Completed);
    life.step(Input::Resume);
    assert_eq!(life.due(), [], "what ended during the pause is past");
    tell(&mut life, ExecutionStatus::Completed);
    assert_eq!(life.due().len(), 1);
    life.succeeds();
    tell(life.at(5), ExecutionStatus::Completed);
    assert_eq!(life.due(), [], "it has had its last run");
}

#[test]
fn an_end_is_told_once_all_attempts_are_used_up() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 1);
    life.at(3600).due();
    assert_eq!(life.fails().ended, [], "another attempt follows");
    life.at(3660).due();
    let ended = life.fails().ended;
    assert_eq!((ended.len(), ended[0].status), (1, ExecutionStatus::Failed));
    life.at(7200).due();
    assert_eq!(life.succeeds().ended[0].status, ExecutionStatus::Completed);
    life.at(10_800).due();
    life.fails();
    let given_up = life.update(&json!({"maxRetries": 0})).ended;
    assert_eq!((given_up.len(), given_up[0].status), (1, ExecutionStatus::Failed));
}

#[test]
fn a_large_result_is_not_passed_on() {
    let mut step = Step::to(Life::with("@hourly", |_| {}).task);
    let mut life = Life::with("@hourly", |_| {});
    life.at(3600).due();
    let large = Verdict::of(Ending::Completed { result: json!("x".repeat(20_000)) });
    let ended = life.end(large);
    (step.rows, step.ended) = (ended.rows, ended.ended);
    step.keep_ends();
    assert_eq!(step.task.facts.untold[0].end.result, Some(json!({"truncated": true})));
}
