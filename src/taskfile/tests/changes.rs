//! Changes of a file, and the tasks that come of them.

use super::*;
use crate::{domain::step::Refused, scheduler::ControlError, store::StoreError};

#[tokio::test]
async fn tasks_are_created_updated_and_released_and_an_unchanged_one_stays_to_the_millisecond() {
    let mut scene = Scene::new();
    assert_eq!(scene.apply(&file(&["one every 1h", "two @daily"])).await, [""; 0]);
    assert_eq!(scene.shown().await, ["one every 1h tasks.json", "two @daily tasks.json"]);
    let one = scene.task("one").await;
    assert_eq!(scene.apply(&file(&["one every 1h", "two @weekly", "three @daily"])).await, [""; 0]);
    assert_eq!(scene.task("one").await, one);
    assert_eq!(
        scene.shown().await,
        ["one every 1h tasks.json", "three @daily tasks.json", "two @weekly tasks.json"]
    );
    assert_eq!(scene.apply(&file(&["one every 1h"])).await, [""; 0]);
    assert_eq!(
        scene.shown().await,
        ["one every 1h tasks.json", "three @daily - paused", "two @weekly - paused"]
    );
    assert_eq!(scene.task("one").await, one);
}

#[tokio::test]
async fn a_task_that_comes_back_goes_on_unless_a_user_has_paused_or_touched_it() {
    let mut scene = Scene::new();
    let all = file(&["one @daily", "two @daily", "three @daily", "four @daily"]);
    scene.apply(&all).await;
    let two = scene.task("two").await;
    scene.scheduler.pause(two.id, &actor()).await.expect("it is not paused");
    scene.apply(&file(&[])).await;
    let three = scene.task("three").await;
    scene.scheduler.resume(three.id, &actor()).await.expect("it is paused");
    assert_eq!(
        scene.shown().await,
        ["four @daily - paused", "one @daily - paused", "three @daily -", "two @daily - paused"]
    );
    let problems = scene.apply(&all.replace("@daily", "@weekly")).await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("task \"three\" exists") && problems[0].contains("its schedule differs"));
    assert_eq!(scene.task("one").await.managed_by(), None, "a conflict changes no other task");
    scene.apply(&file(&["one @weekly", "two @weekly", "three @daily", "four @daily"])).await;
    assert_eq!(
        scene.shown().await,
        [
            "four @daily tasks.json",
            "one @weekly tasks.json",
            "three @daily tasks.json",
            "two @weekly tasks.json paused"
        ]
    );
}

#[tokio::test]
async fn removed_delete_takes_tasks_away_with_their_history() {
    let mut scene = Scene::new();
    scene.apply(&file(&["one @daily", "two @daily"])).await;
    let text = file(&["two @daily"]).replace("{\"tasks\"", "{\"removed\":\"delete\",\"tasks\"");
    assert_eq!(scene.apply(&text).await, [""; 0]);
    assert_eq!(scene.shown().await, ["two @daily tasks.json"]);
}

#[tokio::test]
async fn chains_are_deleted_and_turned_round_in_an_order_that_goes() {
    let mut scene = Scene::new();
    let chain = |tasks: &[(&str, Option<&str>)]| {
        let task = |(name, after): &(&str, Option<&str>)| {
            let after = after.map(|after| json!({ "task": after, "on": "end" }));
            json!({ "name": name, "description": "", "handler": "hello", "schedule": "never", "after": after })
        };
        json!({ "removed": "delete", "tasks": tasks.iter().map(task).collect::<Vec<_>>() }).to_string()
    };
    let names = ["one", "two", "three"];
    let forth = [(names[0], None), (names[1], Some(names[0])), (names[2], Some(names[1]))];
    assert_eq!(scene.apply(&chain(&forth)).await, [""; 0]);
    let back = [(names[0], Some(names[1])), (names[1], Some(names[2])), (names[2], None)];
    assert_eq!(scene.apply(&chain(&back)).await, [""; 0]);
    let first = scene.tasks().await.into_iter().find(|task| task.definition.name == names[0]);
    assert!(first.is_some_and(|task| task.definition.after.is_some()));
    assert_eq!(scene.apply(&chain(&[])).await, [""; 0]);
    assert!(scene.tasks().await.is_empty());
}

#[tokio::test]
async fn users_cannot_change_or_delete_a_task_of_the_file_but_can_pause_and_run_it() {
    let mut scene = Scene::new();
    scene.apply(&file(&["one @daily"])).await;
    let id = scene.task("one").await.id;
    let draft = || {
        crate::domain::draft::Draft::read(json!({"timeout": 500}).as_object().expect("an object"))
            .expect("valid")
    };
    let refused = |error: ControlError| match error {
        ControlError::Store(StoreError::Refused(Refused::Managed(file))) => file,
        other => panic!("{other}"),
    };
    assert_eq!(
        scene.scheduler.update(id, draft(), &actor()).await.map_err(refused),
        Err("tasks.json".into())
    );
    assert_eq!(scene.scheduler.delete(id, &actor()).await.map_err(refused), Err("tasks.json".into()));
    scene.scheduler.pause(id, &actor()).await.expect("pause works");
    scene.scheduler.resume(id, &actor()).await.expect("resume works");
    scene.scheduler.run_by_hand(id, None, &actor()).await.expect("run works");
    scene.apply(&file(&[])).await;
    scene.scheduler.update(id, draft(), &actor()).await.expect("it is the user's now");
    scene.scheduler.delete(id, &actor()).await.expect("it is the user's now");
}

#[tokio::test]
async fn an_equal_task_is_adopted_and_the_other_name_of_the_file_takes_over() {
    let mut scene = Scene::new();
    let Reading { contents, .. } = read("tasks.json", &file(&["one @daily"]), &defaults(), 0);
    let definition = contents.tasks[0].definition.clone();
    let made = scene.scheduler.create(definition, &actor()).await.expect("the name is free");
    scene.apply(&file(&["one @daily"])).await;
    let adopted = scene.task("one").await;
    assert_eq!(
        (adopted.id, adopted.managed_by(), &adopted.facts),
        (made.id, Some("tasks.json"), &made.facts)
    );
    scene.remove("tasks.json");
    scene.write("tasks.jsonc", &file(&["one @daily"]));
    assert_eq!(scene.start().await, [""; 0]);
    assert_eq!(scene.shown().await, ["one @daily tasks.jsonc"]);
    scene.write("tasks.json", &file(&[]));
    let problems = scene.start().await;
    assert_eq!(problems, ["tasks/tasks.json: tasks/tasks.jsonc is there as well: keep one of the two"]);
    assert_eq!(scene.shown().await, ["one @daily tasks.jsonc"]);
}

#[tokio::test]
async fn tasks_are_released_when_their_file_is_removed_but_not_when_the_folder_is_gone() {
    let mut scene = Scene::new();
    scene.apply(&file(&["one @daily"])).await;
    let moved = scene.folder.path().with_extension("moved");
    fs::rename(scene.folder.path(), &moved).expect("moved");
    let problems = scene.start().await;
    assert!(problems[0].contains("folder of the handlers is not there"), "{problems:?}");
    assert_eq!(scene.shown().await, ["one @daily tasks.json"]);
    fs::rename(&moved, scene.folder.path()).expect("moved back");
    scene.remove("tasks.json");
    assert_eq!(scene.start().await, [""; 0]);
    assert_eq!(scene.shown().await, ["one @daily - paused"]);
}

#[tokio::test]
async fn two_watchers_at_once_end_at_the_same_tasks() {
    let mut scene = Scene::new();
    let names: Vec<_> = (0..20).map(|n| format!("task-{n} @daily")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    scene.write("tasks.json", &file(&names));
    let parts = &scene.file.parts;
    let mut other = TaskFile::new(Parts {
        folder: parts.folder.clone(),
        scheduler: parts.scheduler.clone(),
        store: parts.store.clone(),
        catalog: parts.catalog.clone(),
        clock: parts.clock.clone(),
        defaults: parts.defaults.clone(),
    });
    tokio::join!(scene.file.start(), other.start());
    assert_eq!(lock(&scene.file.state()).problems, [""; 0]);
    assert_eq!(lock(&other.state()).problems, [""; 0]);
    assert_eq!(scene.tasks().await.len(), 20);
}
