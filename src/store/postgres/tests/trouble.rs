//! Statements that fail, records that others have, and documents that are damaged: the other operations go on.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{
    proxy::Cut,
    scene::{Scene, by_hand, ending, taking},
    server::server,
};
use crate::{
    domain::{
        activity::Size,
        definition::{
            Definition,
            after::{After, On},
        },
        ids::TaskId,
        step::Input,
    },
    store::{Figures, StoreError, SuccessorDecision, Tasks, Upkeep, Values},
};

fn following(task: TaskId) -> Definition {
    Definition { after: Some(After { task_id: task, on: On::End }), ..by_hand() }
}

/// Puts values at once; the answers in the same order.
fn put_all(scene: &Scene, keys: &[&str]) -> Vec<Result<(), StoreError>> {
    let puts: Vec<_> = keys.iter().map(|key| scene.store.put((*key).to_owned(), json!(1))).collect();
    let puts: Vec<_> = puts.into_iter().map(|put| scene.runtime.spawn(put)).collect();
    scene.runtime.block_on(async {
        let mut answers = Vec::new();
        for put in puts {
            answers.push(put.await.expect("no panic"));
        }
        answers
    })
}

#[test]
fn an_operation_that_the_database_is_unable_to_do_is_refused_and_the_others_are_made() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "unable");
    scene.let_codes_fail();
    let begun = Instant::now();
    let keys = ["a", "57014", "b", "53100", "53200", "c", "53400", "58030", "XX000"];
    for (key, answer) in keys.iter().zip(put_all(&scene, &keys)) {
        match answer {
            Ok(()) => assert_eq!(key.len(), 1),
            Err(StoreError::Unavailable(why)) => {
                assert!(key.starts_with('5'), "{key}");
                assert_eq!(*key == "53100", why.contains("the disk of the database is full"), "{why}");
            }
            Err(error) => assert_eq!((*key, error.passes()), ("XX000", false)),
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

#[test]
fn an_operation_that_ends_its_connection_or_is_always_overtaken_is_given_up_and_the_others_are_made() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "hopeless");
    scene.let_codes_fail();
    let begun = Instant::now();
    for (key, answer) in ["57P01", "40001", "good"].iter().zip(put_all(&scene, &["57P01", "40001", "good"])) {
        assert_eq!(answer.is_ok(), *key == "good", "{key}: {answer:?}");
        assert!(answer.is_ok() || matches!(answer, Err(StoreError::Unavailable(_))), "{key}: {answer:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

#[test]
fn a_task_that_another_transaction_has_delays_no_other_task_and_its_changes_keep_their_order() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "locked");
    let [locked, free] = [1, 2].map(|number| scene.create(number, by_hand()));
    scene.sql("BEGIN; SELECT 1 FROM #state WHERE rest IS NOT NULL AND task = '00000000-0000-0000-0000-000000000001' FOR UPDATE");
    let pause = scene.runtime.spawn(scene.store.change(locked, taking(Input::Pause), None, None));
    scene.runtime.block_on(tokio::task::yield_now());
    // A task that is not paused cannot be resumed.
    let resume = scene.runtime.spawn(scene.store.change(locked, taking(Input::Resume), None, None));
    let begun = Instant::now();
    for _ in 0..3 {
        let execution = scene.start(free);
        scene.end(free, execution);
    }
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    assert!(!pause.is_finished() && !resume.is_finished());
    scene.sql("COMMIT");
    scene.runtime.block_on(async {
        pause.await.expect("no panic").expect("it is paused");
        resume.await.expect("no panic").expect("it is resumed");
    });
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

#[test]
fn old_records_that_another_transaction_has_delay_no_change_for_long() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "untidy");
    let gone = scene.create(1, by_hand());
    let execution = scene.start(gone);
    scene.end(gone, execution);
    scene.sql("BEGIN; SELECT 1 FROM #execution FOR UPDATE");
    let begun = Instant::now();
    scene.runtime.block_on(scene.store.delete(gone, None)).expect("it is deleted");
    for n in 0..5 {
        scene.put(n).expect("it is kept");
    }
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    scene.sql("COMMIT");
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

#[test]
fn a_connection_without_answers_is_made_anew_for_changes_and_reads() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "mute");
    let task = scene.create(1, by_hand());
    assert!(!scene.task(task).facts.paused);
    scene.proxy.mute();
    let read = scene.runtime.block_on(scene.store.task(task));
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert!(!scene.task(task).facts.paused);
    let begun = Instant::now();
    scene.runtime.block_on(scene.store.change(task, taking(Input::Pause), None, None)).expect("it is made");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(scene.task(task).facts.paused);
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

#[test]
fn while_a_change_waits_for_the_database_others_are_refused_and_the_store_closes() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "patient");
    let task = scene.create(1, by_hand());
    scene.proxy.take_away();
    let patient = scene.runtime.spawn(scene.store.change(task, taking(Input::Pause), None, None));
    for n in 0..2 {
        let begun = Instant::now();
        assert!(matches!(scene.put(n), Err(StoreError::Unavailable(_))));
        assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    }
    assert!(!patient.is_finished());
    let begun = Instant::now();
    scene.runtime.block_on(scene.store.close()).expect("it closes");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let patient = scene.runtime.block_on(patient).expect("no panic");
    assert!(matches!(patient, Err(StoreError::Closed)), "{patient:?}");
}

#[test]
fn an_end_whose_commit_was_in_doubt_is_counted_once() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "counted");
    let task = scene.create(1, by_hand());
    let runs = [(); 3].map(|()| scene.start(task));
    for (execution, cut) in runs.into_iter().zip([Cut::After, Cut::Before, Cut::After]) {
        scene.proxy.cut(cut);
        scene.end(task, execution);
        assert!(!scene.proxy.is_armed(), "the commit was cut");
    }
    let last = scene.start(task);
    scene.end(task, last);
    let buckets = scene.runtime.block_on(scene.store.activity(Size::Day, 0, i64::MAX)).expect("it reads");
    assert_eq!(buckets.iter().map(|bucket| bucket.tally.completed).sum::<u64>(), 4);
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

/// Follows every end.
fn follow() -> SuccessorDecision {
    Box::new(|task, end, now| taking(Input::Follow(Box::new(end.clone())))(task, now))
}

#[test]
fn ends_of_a_damaged_task_keep_no_other_ends_from_the_successors() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "damaged");
    let [damaged, sound] = [1, 2].map(|number| scene.create(number, by_hand()));
    let successors =
        [(3, damaged), (4, sound), (5, sound)].map(|(number, task)| scene.create(number, following(task)));
    for task in [damaged, sound] {
        let execution = scene.start(task);
        scene.end(task, execution);
    }
    let of = |task: TaskId| format!("'{}'", uuid_of(task));
    scene.sql(&format!(
        "UPDATE #state SET facts = '{{' WHERE task IN ({}, {})",
        of(damaged),
        of(successors[1])
    ));
    let told = scene.runtime.block_on(scene.store.inform_successors(10, follow())).expect("it informs");
    let told = (told.steps.iter().map(|step| step.task.id).collect::<Vec<_>>(), told.more);
    assert_eq!(told, (vec![successors[2]], false));
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

fn uuid_of(task: TaskId) -> String {
    let digits = format!("{:032x}", task.0.0);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[test]
fn an_end_is_kept_for_a_successor_that_is_made_while_it_waits() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "followed");
    let task = scene.create(1, by_hand());
    let execution = scene.start(task);
    let id = uuid_of(task);
    scene.sql(&format!("BEGIN; SELECT 1 FROM #state WHERE task = '{id}' FOR UPDATE"));
    let end = scene.runtime.spawn(scene.store.change(task, ending(execution), None, None));
    // Until the end waits for the lock.
    let waits = "DO $$ BEGIN FOR n IN 1..1000 LOOP
          IF EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%followed%') THEN RETURN; END IF;
          PERFORM pg_sleep(0.001), pg_stat_clear_snapshot(); END LOOP; END $$";
    scene.sql(waits);
    scene.sql(&format!(
        "INSERT INTO #task (id, handler, tags, after, version, definition)
           VALUES ('00000000-0000-0000-0000-000000000009', 'h', '{{}}', '{id}', 1, '{{}}');
         COMMIT"
    ));
    scene.runtime.block_on(end).expect("no panic").expect("it ends");
    assert_eq!(scene.task(task).facts.untold.len(), 1);
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}
