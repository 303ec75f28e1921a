//! A file has the task, changes it, and lets it go.

use super::*;
use crate::domain::facts::Declared;

fn declare(life: &mut Life, change: impl FnOnce(&mut Definition)) -> Result<Step, Refused> {
    let mut definition = life.task.definition.clone();
    change(&mut definition);
    life.try_step(Input::Declare { definition: Box::new(definition), file: "tasks.json".to_owned() })
}

#[test]
fn an_equal_definition_changes_neither_the_plan_nor_a_retry() {
    let mut life = Life::with("every 1h", |task| task.max_retries = 2);
    life.at(3600).due();
    life.at(3601).fails();
    let facts = life.task.facts.clone();
    declare(&mut life, |_| {}).expect("it is equal");
    assert_eq!(life.task.facts, facts);
    declare(&mut life, |task| task.timeout = 500).expect("the file has it");
    assert_eq!((life.task.facts.next, &life.task.facts.retries), (facts.next, &facts.retries));
}

#[test]
fn a_file_takes_no_task_that_differs_from_the_users() {
    let mut life = Life::with("@daily", |_| {});
    let before = life.task.clone();
    assert_eq!(declare(&mut life, |task| task.timeout = 500), Err(Refused::Unmanaged));
    assert_eq!(life.task, before);
    assert_eq!(life.try_step(Input::Release), Err(Refused::Unmanaged));
}

#[test]
fn a_released_task_is_paused_and_goes_on_with_its_next_time_when_it_comes_back() {
    let mut life = Life::with("@hourly", |_| {});
    declare(&mut life, |_| {}).expect("it is equal");
    life.at(100).step(Input::Release);
    assert_eq!((life.status(), life.task.managed_by()), ("paused", None));
    assert_eq!(life.at(9000).due(), []);
    declare(&mut life, |task| task.timeout = 500).expect("it was the file's");
    assert_eq!((life.status(), life.next_run()), ("active", Some(3 * 3600)));
    assert_eq!(life.task.managed_by(), Some("tasks.json"));
}

#[test]
fn a_record_of_the_first_release_reads_and_a_user_s_task_is_written_as_it_was() {
    let life = Life::with("@daily", |_| {});
    let written = serde_json::to_value(&life.task).expect("JSON");
    let names: Vec<_> = written.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["id", "definition", "facts", "createdAt", "updatedAt"]);
    assert_eq!(serde_json::from_value::<Task>(written).expect("it reads"), life.task);
    let mut declared = life.task;
    for hold in [Declared::By("tasks.json".to_owned()), Declared::Formerly { was_paused: true }] {
        declared.declared = Some(hold);
        let written = serde_json::to_value(&declared).expect("JSON");
        assert_eq!(serde_json::from_value::<Task>(written).expect("it reads"), declared);
    }
}
