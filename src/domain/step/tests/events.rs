//! The events of steps.

use super::*;

/// Each event in a word, with the last digits of its execution's id.
fn told(step: &Step) -> Vec<String> {
    let tell = |event: &Event| match event {
        Event::Started { execution, .. } => format!("started {}", execution.0.0),
        Event::Ended { execution, status, .. } => format!("{status:?} {}", execution.0.0).to_lowercase(),
        Event::Skipped { execution, count, .. } => format!("skipped {} x{count}", execution.0.0),
        Event::TaskChanged { .. } => "changed".to_owned(),
        other => panic!("{other:?} does not follow from a step"),
    };
    step.events.iter().map(tell).collect()
}

#[test]
fn a_run_starts_and_ends_and_its_task_changes_with_both() {
    let mut life = Life::with("* * * * *", |_| {});
    assert_eq!(told(&life.at(60).step(Input::Due)), ["started 1001", "changed"]);
    assert_eq!(told(&life.at(61).succeeds()), ["completed 1001", "changed"]);
    life.at(120).due();
    assert_eq!(told(&life.fails()), ["failed 1002", "changed"]);
}

#[test]
fn a_skip_tells_how_many_its_row_stands_for_by_now() {
    let mut life = Life::with("* * * * *", |task| task.overlap = Overlap::Skip);
    life.at(60).due();
    assert_eq!(told(&life.at(120).step(Input::Due)), ["skipped 1002 x1", "changed"]);
    assert_eq!(told(&life.at(180).step(Input::Due)), ["skipped 1002 x2", "changed"]);
}

#[test]
fn a_run_by_hand_that_gives_way_is_told_of_under_its_id() {
    let mut life = Life::with("@hourly", |task| task.overlap = Overlap::Replace);
    life.by_hand();
    let waits = life.by_hand().task.facts.waiting[0].execution;
    let step = life.by_hand();
    assert!(step.events.iter().any(|event| event.closes(step.task.id, waits)), "{:?}", step.events);
}

#[test]
fn a_change_of_the_definition_changes_the_task_and_nothing_else() {
    let mut life = Life::with("@hourly", |_| {});
    assert_eq!(told(&life.at(1).update(&json!({ "description": "another" }))), ["changed"]);
    assert_eq!(
        told(&life.at(2).step(Input::Due)),
        Vec::<String>::new(),
        "nothing is due, so nothing changes"
    );
}

#[test]
fn an_event_closes_the_execution_it_is_about_or_all_of_a_deleted_task() {
    let [task, other] = [TaskId(Ulid(1)), TaskId(Ulid(2))];
    let [execution, another] = [ExecutionId(Ulid(3)), ExecutionId(Ulid(4))];
    let ended = Event::Ended { task, execution, status: ExecutionStatus::Failed };
    let skipped = Event::Skipped { task, execution, count: 1 };
    for event in [ended, skipped, Event::TaskDeleted { task }] {
        assert!(event.closes(task, execution), "{event:?}");
    }
    assert!(!ended.closes(task, another));
    for event in [
        Event::Started { task, execution },
        Event::Output { task, execution, chunk: 0 },
        Event::TaskChanged { task },
        Event::TaskDeleted { task: other },
    ] {
        assert!(!event.closes(task, execution), "{event:?}");
    }
}
