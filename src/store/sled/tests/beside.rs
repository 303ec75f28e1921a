//! The scrub while the store serves: its findings and repairs.

use serde_json::json;

use super::*;
use crate::store::ScrubState;

/// Opens a store whose scrub waits for the test's [`part`] calls.
fn open_unscrubbed(directory: &TempDir) -> SledStore {
    let never = Duration::from_secs(3600);
    SledStore::open_tuned(
        directory.path(),
        CACHE,
        clock(),
        Tuning { scrubbed_at_once: 0, pause: never, ..Tuning::default() },
    )
    .expect("it opens")
}

/// Scrubs one more part; whether more are left.
fn part(store: &SledStore) -> bool {
    wait(store.ask(|writer| writer.scrub().map(Some)))
}

fn many() -> Vec<Task> {
    (1..=600).map(|number| task(number, &format!("task {number:03}"))).collect()
}

fn next(store: &SledStore, task: &Task, time: Millis) {
    let decide: Decision = Box::new(move |task, _| {
        let mut task = task.clone();
        (task.facts.next, task.updated_at) = (Some(time), time);
        Ok(Step::to(task))
    });
    wait(store.change(task.id, decide, None, None));
}

#[test]
fn what_changes_during_the_check_is_no_difference() {
    let tasks = many();
    let directory = make_store(&tasks);
    let store = open_unscrubbed(&directory);
    assert_eq!((store.report().scrub, store.report().tasks), (ScrubState::Running, 600));
    let mut numbers = 0;
    let mut parts = 0;
    while part(&store) {
        parts += 1;
        // Change entries that the scrub has visited and entries that it has not.
        for _ in 0..2 {
            numbers += 37;
            let which = &tasks[numbers % 590];
            next(&store, which, i64::try_from(numbers).expect("small"));
            write_row(&store, which, u128::try_from(numbers).expect("small"));
            wait(store.put(format!("key {}", numbers % 11), json!(numbers)));
        }
        if parts == 3 {
            wait(store.delete(tasks[595].id, None));
            wait(store.delete(tasks[599].id, None));
            wait(store.create(task(5000, "new"), None));
        }
    }
    assert!(parts > 10, "it takes some: {parts}");
    let report = store.report();
    assert_eq!((report.scrub, report.tasks), (ScrubState::Done, 599));
    assert_eq!((report.quarantined, report.rebuilt, report.missing), (vec![], vec![], vec![]));
    wait(store.close());
    drop(store);
    let report = open(directory.path()).report();
    assert_eq!((report.rebuilt, report.missing), (vec![], vec![]));
}

#[test]
fn damage_that_it_finds_is_mended_beside_the_work() {
    let tasks = many();
    let directory = make_store(&tasks);
    let due = |task: &Task| due::key(task, task.due().expect("it is planned"));
    mangle(&directory, |db| {
        db.remove(due(&tasks[5])).expect("it writes");
        db.insert(keys::name("nobody"), &tasks[9].id.to_bytes()).expect("it writes");
        db.insert(keys::running(tasks[7].id, ExecutionId(Ulid(9))), b"").expect("it writes");
        flip_a_bit(db, &keys::task(tasks[100].id));
    });
    let store = open_unscrubbed(&directory);
    // The damage does not disturb other tasks before the scrub reaches it.
    assert_eq!(wait(store.task(tasks[3].id)).as_ref(), Some(&tasks[3]));
    while part(&store) {
        next(&store, &tasks[3], 77);
    }
    let report = store.report();
    assert_eq!(report.scrub, ScrubState::Done);
    assert_eq!(report.rebuilt, ["names", "due", "status", "handler", "updated", "running", "counters"]);
    assert!(report.quarantined.len() == 1 && report.missing.is_empty(), "{report:?}");
    assert_eq!(wait(store.running()), []);
    assert!(store.db.contains_key(due(&tasks[5])).expect("it reads"));
    let query = TaskQuery {
        status: None,
        handler: Some(tasks[0].definition.handler.clone()),
        tag: None,
        after: None,
        bound: None,
        name: None,
        sort: TaskSort::NextRun,
        direction: Direction::Ascending,
        skip: 0,
        limit: 1000,
        newest: 0,
    };
    let page = wait(store.tasks(query));
    assert_eq!((page.items.len(), page.total), (599, 599));
    wait(store.create(task(7000, &tasks[100].definition.name), None));
    wait(store.close());
    drop(store);
    assert_eq!(SledStore::verify(directory.path(), CACHE).expect("it opens").problems, Vec::<String>::new());
}

#[test]
fn it_goes_on_by_itself_until_all_is_checked() {
    let directory = make_store(&many());
    let store = SledStore::open_tuned(
        directory.path(),
        CACHE,
        clock(),
        Tuning { scrubbed_at_once: 0, pause: Duration::ZERO, ..Tuning::default() },
    )
    .expect("it opens");
    // The scrub does its parts between these changes.
    let mut turns = 0;
    while store.report().scrub == ScrubState::Running {
        wait(store.put("turn".to_owned(), json!(turns)));
        turns += 1;
        assert!(turns < 100_000, "it ends");
    }
    wait(store.close());
}
