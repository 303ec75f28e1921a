//! The events of steps.

use super::*;

/// Each event in a word, with the last digits of its execution's id, and the task's status then.
fn told(step: &Step) -> Vec<String> {
    let tell = |event: &Event| match &event.news {
        News::Started(row, task) => format!("started {}, {}", row.execution.0.0, task.status.name()),
        News::Ended(row, task) => {
            format!("{:?} {}, {}", row.status, row.execution.0.0, task.status.name()).to_lowercase()
        }
        News::Skipped(row, _) => format!("skipped {} x{}", row.execution.0.0, row.skipped),
        News::TaskUpdated(task) => format!("updated, {}", task.status.name()),
        other => panic!("{other:?} does not follow from a step"),
    };
    step.events.iter().map(tell).collect()
}

#[test]
fn a_run_starts_and_ends_and_tells_how_its_task_is_then() {
    let mut life = Life::with("* * * * *", |_| {});
    assert_eq!(told(&life.at(60).step(Input::Due)), ["started 1001, running"]);
    assert_eq!(told(&life.at(61).succeeds()), ["completed 1001, active"]);
    life.at(120).due();
    assert_eq!(told(&life.fails()), ["failed 1002, failed"]);
}

#[test]
fn an_end_carries_what_a_row_of_a_list_shows() {
    let mut life = Life::with("* * * * *", |_| {});
    life.at(60).due();
    let step = life.at(61).fails();
    let [event] = &step.events[..] else { panic!("{:?}", step.events) };
    let News::Ended(row, task) = &event.news else { panic!("{event:?}") };
    let written = &step.rows[0];
    assert_eq!((row.scheduled_for, row.attempt), (written.scheduled_for, 1));
    assert_eq!(
        (row.reason, row.trigger, row.start_time),
        (written.reason, written.trigger, written.start_time)
    );
    assert_eq!(row.error.as_deref(), written.error.as_deref());
    assert_eq!(task.next_run, step.task.next_run());
    let subject = event.subject.as_ref().expect("a task");
    assert_eq!((&*subject.name, &*subject.handler), (&*written.task_name, &*written.handler));
}

#[test]
fn a_skip_tells_how_many_its_row_stands_for_by_now() {
    let mut life = Life::with("* * * * *", |task| task.overlap = Overlap::Skip);
    life.at(60).due();
    assert_eq!(told(&life.at(120).step(Input::Due)), ["skipped 1002 x1"]);
    assert_eq!(told(&life.at(180).step(Input::Due)), ["skipped 1002 x2"]);
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
    assert_eq!(told(&life.at(1).update(&json!({ "description": "another" }))), ["updated, active"]);
    assert_eq!(
        told(&life.at(2).step(Input::Due)),
        Vec::<String>::new(),
        "nothing is due, so nothing changes"
    );
}

#[test]
fn an_event_closes_the_execution_it_is_about_or_all_of_a_deleted_task() {
    let mut life = Life::with("* * * * *", |_| {});
    let started = life.at(60).step(Input::Due);
    let (task, execution) = (started.task.id, started.rows[0].id);
    let [other, another] = [(TaskId(Ulid(2)), execution), (task, ExecutionId(Ulid(4)))];
    assert!(!started.events[0].closes(task, execution), "it has only begun");
    let ended = life.at(61).fails().events.remove(0);
    assert!(ended.closes(task, execution));
    assert!(!ended.closes(another.0, another.1));
    let deleted = Event::deleted(&started.task, 0);
    assert!(deleted.closes(task, execution) && deleted.closes(task, another.1));
    assert!(!deleted.closes(other.0, other.1));
}
