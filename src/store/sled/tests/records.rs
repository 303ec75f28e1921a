//! Records of every kind that do not verify: quarantined, reported, and without effect on others.

use serde_json::json;

use super::*;
use crate::{
    domain::execution::{Level, Trigger},
    store::{
        AuditPlace, AuditQuery, Change, Edit, Edited, Expected, HistoryQuery, Owner, Quota,
        sled::engine::{EngineResult, audit, rows},
    },
};

/// Makes a closed store with records of every kind: two executions of the first task, the first with output
/// in two chunks, one of them in two pieces.
fn make_full_store(tasks: &[Task]) -> TempDir {
    let directory = make_store(tasks);
    let store = open(directory.path());
    let line = |message: String| Line { time: 1, level: Level::Log, message };
    for (number, chunks) in [(1, vec!["x".repeat(40_000), "b".to_owned()]), (2, vec![])] {
        write_row(&*store, &tasks[0], number);
        for (chunk, text) in (0..).zip(chunks) {
            let execution = ExecutionId(Ulid(number));
            wait(store.append(Output { execution, chunk, lines: vec![line(text)] }));
        }
    }
    wait(store.put("first".to_owned(), json!(1)));
    wait(store.put("second".to_owned(), json!(2)));
    let delete = |number| {
        let audit = Audit {
            time: 5,
            action: "create".to_owned(),
            task_id: Some(tasks[0].id),
            task_name: Some(format!("task {number}")),
            request_id: "r".to_owned(),
            ..Audit::default()
        };
        wait(store.create(task(number, &format!("task {number}")), Some(audit)));
    };
    delete(80);
    delete(81);
    wait(store.close());
    directory
}

fn rows(store: &Arc<dyn Store>, task: &Task) -> (Vec<u128>, u64) {
    let query = ExecutionQuery { limit: 10, ..ExecutionQuery::default() };
    let page = wait(store.executions(task.id, query));
    (page.items.iter().map(|row| row.id.0.0).collect(), page.total)
}

fn texts(store: &Arc<dyn Store>, number: u128) -> Vec<usize> {
    let lines = wait(store.outputs(vec![ExecutionId(Ulid(number))], None)).remove(0);
    lines.iter().map(|line| line.message.len()).collect()
}

#[test]
fn a_damaged_record_of_any_kind_is_set_aside_and_nothing_else_changes() {
    let tasks = [task(1, "first"), task(2, "second")];
    let execution = ExecutionId(Ulid(1));
    let kinds: [(&str, Vec<u8>, String); 5] = [
        ("task", keys::task(tasks[1].id), tasks[1].id.to_string()),
        ("execution", keys::execution(tasks[0].id, execution), execution.to_string()),
        ("output", keys::output(execution, 0, 1), execution.to_string()),
        ("audit", audit::record(AuditPlace { time: 5, number: 1 }), "audit record of 5".to_owned()),
        ("value", keys::value("first"), "value \"first\"".to_owned()),
    ];
    for (kind, key, name) in kinds {
        let directory = make_full_store(&tasks);
        mangle(&directory, |db| flip_a_bit(db, &key));
        let found = SledStore::verify(directory.path(), CACHE).expect("it opens");
        let [problem] = &found.problems[..] else {
            // A damaged one of these makes further problems in the indexes and the history.
            assert!(["task", "execution", "audit"].contains(&kind), "{kind}: {:?}", found.problems);
            assert!(
                found.problems.iter().any(|problem| problem.contains("checksum")),
                "{:?}",
                found.problems
            );
            continue;
        };
        assert!(problem.contains("checksum") && problem.contains(&name), "{kind}: {problem}");
    }
    for (kind, key, name) in [
        ("task", keys::task(tasks[1].id), tasks[1].id.to_string()),
        ("execution", keys::execution(tasks[0].id, execution), execution.to_string()),
        ("output", keys::output(execution, 0, 1), execution.to_string()),
        ("audit", audit::record(AuditPlace { time: 5, number: 1 }), "audit record of 5".to_owned()),
        ("value", keys::value("first"), "value \"first\"".to_owned()),
    ] {
        let directory = make_full_store(&tasks);
        mangle(&directory, |db| flip_a_bit(db, &key));
        let store = open(directory.path());
        let report = store.report();
        let [problem] = &report.quarantined[..] else { panic!("{kind}: {report:?}") };
        assert!(problem.contains("checksum") && problem.contains(&name), "{kind}: {problem}");
        assert_eq!(report.missing, Vec::<String>::new(), "{kind}");

        let expected = |damaged: &str, without: bool| !(kind == damaged && without);
        assert_eq!(wait(store.task(tasks[1].id)).is_some(), expected("task", true), "{kind}");
        let all = if kind == "execution" { (vec![2], 1) } else { (vec![2, 1], 2) };
        assert_eq!(rows(&store, &tasks[0]), all, "{kind}");
        // A damaged chunk is left out, the others are returned.
        let output = match kind {
            "execution" => vec![],
            "output" => vec![1],
            _ => vec![40_000, 1],
        };
        assert_eq!(texts(&store, 1), output, "{kind}");
        assert_eq!(wait(store.get("first".to_owned())).is_some(), expected("value", true), "{kind}");
        assert_eq!(wait(store.get("second".to_owned())), Some(json!(2)), "{kind}");
        let audit = wait(store.remove_history(100, true)).audit;
        assert_eq!(audit, if kind == "audit" { 1 } else { 2 }, "{kind}");
        wait(store.close());
        drop(store);

        // The next start is clean, and the record stays in quarantine.
        let found = SledStore::verify(directory.path(), CACHE).expect("it opens");
        assert_eq!(found.problems, Vec::<String>::new(), "{kind}");
        assert!(
            found.quarantined.iter().any(|problem| problem.contains(&name)),
            "{kind}: {:?}",
            found.quarantined
        );
        let store = open(directory.path());
        let report = store.report();
        assert_eq!((report.quarantined, report.rebuilt, report.missing), (vec![], vec![], vec![]), "{kind}");
        wait(store.close());
    }
}

#[test]
fn a_record_damaged_while_the_store_is_open_is_set_aside_when_it_is_read() {
    let tasks = [task(1, "first"), task(2, "second")];
    let directory = make_full_store(&tasks);
    let store = SledStore::open(directory.path(), CACHE, clock()).expect("it opens");
    let execution = ExecutionId(Ulid(1));
    flip_a_bit(&store.db, &keys::execution(tasks[0].id, execution));
    flip_a_bit(&store.db, &keys::value("first"));
    flip_a_bit(&store.db, &keys::output(execution, 1, 0));
    let store: Arc<dyn Store> = Arc::new(store);
    assert_eq!(texts(&store, 1), [40_000]);
    assert_eq!(rows(&store, &tasks[0]).0, [2]);
    assert_eq!(wait(store.get("first".to_owned())), None);
    // Once this value is written, the quarantine is done.
    wait(store.put("tick".to_owned(), json!(1)));
    let report = store.report();
    assert_eq!(report.quarantined.len(), 3, "{report:?}");
    assert_eq!(rows(&store, &tasks[0]), (vec![2], 1));
    wait(store.close());
    drop(store);
    let store = open(directory.path());
    assert_eq!((store.report().quarantined, store.report().missing), (vec![], vec![]));
    wait(store.close());
}

#[test]
fn a_damaged_value_that_is_written_anew_is_as_good_as_any() {
    let tasks = [task(1, "first")];
    let directory = make_full_store(&tasks);
    let store = SledStore::open(directory.path(), CACHE, clock()).expect("it opens");
    flip_a_bit(&store.db, &keys::value("first"));
    wait(store.put("first".to_owned(), json!("new")));
    wait(store.close());
    drop(store);
    let store = open(directory.path());
    assert_eq!(wait(store.get("first".to_owned())), Some(json!("new")));
    assert_eq!((store.report().quarantined, store.report().missing), (vec![], vec![]));
    wait(store.close());
}

#[test]
fn what_does_not_verify_is_in_a_copy_as_it_was_found() {
    use crate::store::copy::{Cursor, Import, Record};
    let tasks = [task(1, "first"), task(2, "second")];
    let directory = make_full_store(&tasks);
    let store = SledStore::open(directory.path(), CACHE, clock()).expect("it opens");
    // The damaged records are not quarantined yet: they have not been read.
    flip_a_bit(&store.db, &keys::task(tasks[0].id));
    flip_a_bit(&store.db, &keys::value("first"));
    let before: usize = store.db.len();
    let part = wait(store.export(Cursor::default()));
    assert!(part.rest.is_none(), "it is small");
    let aside = part.records.iter().filter(|record| matches!(record, Record::Quarantine(_))).count();
    // The task, its two rows, the three pieces of output, the value.
    assert_eq!(aside, 7);
    assert_eq!(store.db.len(), before, "a copy changes nothing");
    wait(store.close());
    let other = tempfile::tempdir().expect("a directory");
    let store = open(other.path());
    wait(store.import(Import::Records(part.records.clone())));
    wait(store.import(Import::Complete));
    let again = wait(store.export(Cursor::default())).records;
    assert!(again.len() == part.records.len() && again.iter().all(|record| part.records.contains(record)));
    wait(store.close());
}

/// Makes a store with two entries, of which one is shown for an hour.
fn make_entries() -> (TempDir, Owner) {
    let task = task(1, "task");
    let directory = make_store(std::slice::from_ref(&task));
    let (store, owner) = (open(directory.path()), Owner::Task(task.id));
    for (key, ttl) in [("a", None), ("b", Some(3_600_000))] {
        wait(store.edit(set_entry(owner, key, ttl)));
    }
    wait(store.close());
    (directory, owner)
}

fn set_entry(owner: Owner, key: &str, ttl: Option<Millis>) -> Edit {
    let change = Change::Set { value: serde_json::json!("x"), ttl, expected: Expected::Any };
    let quota = Quota { entries: 2, bytes: 10_000 };
    Edit { owner, key: key.to_owned(), change, fence: None, quota, audit: None }
}

#[test]
fn accounts_and_the_index_by_expiry_are_rebuilt_from_the_entries() {
    let (directory, owner) = make_entries();
    mangle(&directory, |db| {
        db.remove(keys::account(owner)).expect("it goes");
        db.remove(keys::expiry(3_600_000, owner, "b")).expect("it goes");
    });
    let problems = SledStore::verify(directory.path(), CACHE).expect("it opens").problems;
    assert!(problems.iter().any(|problem| problem.contains("it should be 2 entries")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("index expiry")), "{problems:?}");
    let store = open_at(directory.path(), Arc::new(|| 3_600_000));
    assert_eq!(store.report().rebuilt, ["accounts", "expiry"]);
    assert_eq!(wait(store.entry(owner, "b".to_owned())), None, "its time has passed");
    // The quota counts right again, and no version is given twice.
    let Edited::Set(entry) = wait(store.edit(set_entry(owner, "c", None))) else { panic!("it is set") };
    assert!(entry.version > 1000, "{entry:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(store.edit(set_entry(owner, "d", None))).expect_err("two are the most");
    wait(store.close());
    drop(store);
    let verified = SledStore::verify(directory.path(), CACHE).expect("it opens");
    assert_eq!((verified.problems, verified.counts.entries), (Vec::<String>::new(), 2));
}

#[test]
fn a_damaged_entry_is_set_aside_and_no_longer_counts() {
    let (directory, owner) = make_entries();
    mangle(&directory, |db| flip_a_bit(db, &keys::entry(owner, "a")));
    let store = open(directory.path());
    let [quarantined] = &store.report().quarantined[..] else { panic!("one: {:?}", store.report()) };
    assert!(quarantined.contains("entry \"a\" of task-"), "{quarantined}");
    assert_eq!(wait(store.entry(owner, "a".to_owned())), None);
    assert!(matches!(wait(store.edit(set_entry(owner, "a", None))), Edited::Set(_)), "there is room");
    wait(store.close());
    drop(store);
    let verified = SledStore::verify(directory.path(), CACHE).expect("it opens");
    assert_eq!((verified.problems, verified.counts.entries), (Vec::<String>::new(), 2));
}

#[test]
fn indexes_of_executions_are_built_in_a_store_of_an_earlier_version_and_rebuilt_in_others() {
    let mut task = task(1, "task");
    task.definition.keep_executions = 1000;
    let directory = make_store(std::slice::from_ref(&task));
    let store = open(directory.path());
    for number in 1..=300 {
        write_row(&*store, &task, number);
    }
    wait(store.close());
    drop(store);
    let whole = || {
        let mut found = Vec::new();
        mangle(&directory, |db| {
            let entries = |(index, _)| db.scan_prefix([index]).collect::<EngineResult<Vec<_>>>();
            found = rows::INDEXES.map(|index| entries(index).expect("it reads")).to_vec();
        });
        found
    };
    let before = whole();
    assert_eq!(before[2].len(), 300);
    mangle(&directory, |db| {
        for index in rows::INDEXES.map(|(index, _)| index).into_iter().chain([keys::RETENTION]) {
            for key in db.scan_prefix([index]).keys().collect::<EngineResult<Vec<_>>>().expect("it reads") {
                // The index by age had no words.
                match index {
                    keys::RETENTION => db.insert(key, b"").expect("it writes"),
                    _ => db.remove(key).expect("it writes"),
                };
            }
        }
        db.remove(rows::complete()).expect("it writes");
    });
    let verified = SledStore::verify(directory.path(), CACHE).expect("it reads");
    assert_eq!(verified.problems, Vec::<String>::new(), "an earlier version is no fault");
    let store = open(directory.path());
    assert_eq!(store.report().rebuilt, Vec::<String>::new());
    let query = HistoryQuery { triggers: vec![Trigger::Retry], limit: 10, ..HistoryQuery::default() };
    let page = wait(store.history(query));
    assert_eq!((page.rows.len(), page.complete), (0, true));
    wait(store.close());
    drop(store);
    assert_eq!(whole(), before);

    mangle(&directory, |db| {
        let (key, _) = db.scan_prefix([rows::BY_HANDLER]).next().expect("an entry").expect("it reads");
        db.remove(key).expect("it writes");
        db.insert([&[rows::LOCATION][..], &[9; 16]].concat(), &[8; 16]).expect("it writes");
    });
    let verified = SledStore::verify(directory.path(), CACHE).expect("it reads");
    assert_eq!(verified.problems.len(), 2, "{:?}", verified.problems);
    let store = open(directory.path());
    assert_eq!(store.report().rebuilt, ["executions by handler", "executions by id"]);
    wait(store.close());
    drop(store);
    assert_eq!(whole(), before);
}

#[test]
fn the_index_of_the_audit_is_built_in_a_store_of_an_earlier_version_and_rebuilt_in_others() {
    let task = task(1, "task");
    let directory = make_store(std::slice::from_ref(&task));
    let store = open(directory.path());
    for time in 0..300 {
        let record = Audit { time, action: "run".to_owned(), ..Audit::default() };
        wait(store.add_audit(if time % 3 == 0 { record } else { record.about(&task) }));
    }
    wait(store.close());
    drop(store);
    let of_task = |store: &Arc<dyn Store>| {
        let query = AuditQuery { task: Some(task.id), limit: 1000, ..AuditQuery::default() };
        let page = wait(store.audits(query));
        (page.records.len(), page.complete)
    };
    mangle(&directory, |db| {
        for key in
            db.scan_prefix([audit::BY_TASK]).keys().collect::<EngineResult<Vec<_>>>().expect("it reads")
        {
            db.remove(key).expect("it writes");
        }
        db.remove(audit::complete()).expect("it writes");
    });
    let verified = SledStore::verify(directory.path(), CACHE).expect("it reads");
    assert_eq!(verified.problems, Vec::<String>::new(), "an earlier version is no fault");
    let store = open(directory.path());
    assert_eq!((store.report().rebuilt, of_task(&store)), (vec![], (200, true)));
    wait(store.close());
    drop(store);

    mangle(&directory, |db| {
        let (key, _) = db.scan_prefix([audit::BY_TASK]).next().expect("an entry").expect("it reads");
        db.remove(key).expect("it writes");
        db.insert(audit::of_task_at(task.id, AuditPlace { time: -1, number: 1 }), b"").expect("it writes");
    });
    let verified = SledStore::verify(directory.path(), CACHE).expect("it reads");
    assert_eq!(verified.problems.len(), 2, "{:?}", verified.problems);
    let store = open(directory.path());
    assert_eq!((store.report().rebuilt, of_task(&store)), (vec!["audit by task".to_owned()], (200, true)));
    wait(store.close());
    drop(store);
    let verified = SledStore::verify(directory.path(), CACHE).expect("it reads");
    assert_eq!(verified.problems, Vec::<String>::new());
}
