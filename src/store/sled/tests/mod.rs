//! The contract, and stories of the sled backend alone: damaged indexes and the lock here; damaged records,
//! damaged files, large values and the scrub in files of their own.

mod beside;
mod files;
mod large;
mod records;

use std::{path::Path, sync::Arc};

use tempfile::TempDir;
use ulid::Ulid;

use crate::{
    domain::{draft::tests::definition, execution::ExecutionStatus},
    store::{
        Direction, Store, TaskSort, Values, contract,
        sled::{engine::due, open::opening::open_tree, *},
    },
};

impl SledStore {
    /// The keys and the records that were read so far.
    pub(crate) fn count_reads(&self) -> (u64, u64) {
        self.view.reads().count()
    }
}

const CACHE: u64 = 8 * 1024 * 1024;

fn open(directory: &Path) -> Arc<dyn Store> {
    open_at(directory, clock())
}

pub(in crate::store) fn open_at(directory: &Path, now: Now) -> Arc<dyn Store> {
    // Low enough for the contract's lists to be read in every way.
    let bounds = Bounds { sorted: 12, scanned: 30 };
    let tuning = Tuning { bounds, ..Tuning::default() };
    Arc::new(SledStore::open_tuned(directory, CACHE, now, tuning).expect("it opens"))
}

/// A clock that stands still.
fn clock() -> Now {
    Arc::new(|| 0)
}

contract::passes!(super::open_at);

fn wait<T>(commit: Answer<T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(commit).expect("it is done")
}

fn task(number: u128, name: &str) -> Task {
    let mut definition = definition("@hourly");
    name.clone_into(&mut definition.name);
    definition.keep_executions = 3;
    Task::new(TaskId(Ulid(number)), definition, 0)
}

/// Makes a directory with a closed store of these tasks.
fn make_store(tasks: &[Task]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    for task in tasks {
        wait(store.create(task.clone(), None));
    }
    wait(store.close());
    directory
}

/// Changes the closed store behind its back.
fn mangle(directory: &TempDir, how: impl FnOnce(&Engine)) {
    let db = open_tree(directory.path(), CACHE).expect("it opens");
    how(&db);
    db.flush().expect("it flushes");
}

fn flip_a_bit(db: &Engine, key: &[u8]) {
    let mut bytes = db.get(key).expect("it reads").expect("it is there").to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    db.insert(key, bytes).expect("it writes");
}

fn names(store: &Arc<dyn Store>) -> Vec<String> {
    let (sort, direction) = (TaskSort::Name, Direction::Ascending);
    let query = TaskQuery {
        status: None,
        handler: None,
        tag: None,
        after: None,
        bound: None,
        name: None,
        sort,
        direction,
        skip: 0,
        limit: 100,
        newest: 0,
    };
    let page = wait(store.tasks(query));
    assert_eq!(page.total, page.items.len() as u64);
    page.items.into_iter().map(|view| view.task.definition.name).collect()
}

fn write_row(store: &(impl Store + ?Sized), task: &Task, number: u128) {
    let rows = vec![contract::row(task, ExecutionId(Ulid(number)), ExecutionStatus::Completed, 5)];
    let decide: Decision = Box::new(move |task, _| Ok(Step { rows: rows.clone(), ..Step::to(task.clone()) }));
    wait(store.change(task.id, decide, None, None));
}

#[test]
fn a_damaged_task_is_set_aside_and_the_others_go_on() {
    let tasks = [task(1, "first"), task(2, "damaged"), task(3, "third")];
    let directory = make_store(&tasks);
    mangle(&directory, |db| flip_a_bit(db, &keys::task(tasks[1].id)));

    let store = open(directory.path());
    let [quarantined] = &store.report().quarantined[..] else { panic!("one: {:?}", store.report()) };
    assert!(quarantined.contains(&tasks[1].id.to_string()), "it is named: {quarantined}");
    assert!(quarantined.contains("checksum"), "and so is the reason: {quarantined}");
    assert_eq!((names(&store), store.report().tasks), (vec!["first".to_owned(), "third".to_owned()], 2));
    assert_eq!(wait(store.task(tasks[1].id)), None);
    assert_eq!(wait(store.task(tasks[2].id)).as_ref(), Some(&tasks[2]));
    // The task's name is free, its record is in quarantine, and the next start is clean.
    wait(store.create(task(4, "damaged"), None));
    assert_eq!(wait(store.statistics(false))["collections"]["setAside"]["count"], 1);
    wait(store.close());
    drop(store);
    let store = open(directory.path());
    let clean = Report { epoch: 3, tasks: 3, ..Report::default() };
    assert_eq!(store.report(), clean);
    wait(store.close());
}

#[test]
fn a_record_under_another_key_is_set_aside() {
    let tasks = [task(1, "first"), task(2, "second")];
    let directory = make_store(&tasks);
    mangle(&directory, |db| {
        let other = db.get(keys::task(tasks[0].id)).expect("it reads").expect("it is there");
        db.insert(keys::task(tasks[1].id), other).expect("it writes");
    });
    let store = open(directory.path());
    assert_eq!((names(&store), store.report().quarantined.len()), (vec!["first".to_owned()], 1));
    wait(store.close());
    drop(store);
    let store = open(directory.path());
    assert_eq!((names(&store), store.report().quarantined.len()), (vec!["first".to_owned()], 0));
    wait(store.close());
}

#[test]
fn a_damaged_index_is_made_anew() {
    let tasks = [task(1, "first"), task(2, "second")];
    let directory = make_store(&tasks);
    let whole = |directory: &TempDir| {
        let db = open_tree(directory.path(), CACHE).expect("it opens");
        let entries = keys::INDEXES
            .map(|(prefix, _)| db.scan_prefix([prefix]).collect::<sled::Result<Vec<_>>>().expect("it reads"));
        entries.to_vec()
    };
    let before = whole(&directory);
    // A missing entry, a surplus one, a wrong one, and a wrong counter.
    mangle(&directory, |db| {
        db.remove(due::key(&tasks[0], tasks[0].facts.next.expect("it is planned"))).expect("it writes");
        db.insert(keys::running(tasks[1].id, ExecutionId(Ulid(9))), b"").expect("it writes");
        db.insert(keys::name("first"), &tasks[1].id.to_bytes()).expect("it writes");
        db.insert(keys::status_count(tasks[0].status()), &7_u64.to_be_bytes()).expect("it writes");
    });

    let store = open(directory.path());
    assert_eq!(store.report().rebuilt, ["names", "due", "running", "counters"]);
    assert_eq!(
        (names(&store), wait(store.running())),
        (vec!["first".to_owned(), "second".to_owned()], vec![])
    );
    assert_eq!(wait(store.next_due()), tasks[0].due());
    wait(store.close());
    drop(store);
    assert_eq!(whole(&directory), before);
}

#[test]
fn a_task_damaged_while_the_store_is_open_stops_no_other() {
    let tasks = [task(1, "damaged"), task(2, "sound")];
    let directory = tempfile::tempdir().expect("a directory");
    let store = SledStore::open(directory.path(), CACHE, clock()).expect("it opens");
    for task in &tasks {
        wait(store.create(task.clone(), None));
    }
    flip_a_bit(&store.db, &keys::task(tasks[0].id));
    assert_eq!(wait(store.task(tasks[0].id)), None);
    let decide: Decision = Box::new(|task, _| {
        let mut task = task.clone();
        task.facts.next = None;
        Ok(Step::to(task))
    });
    let steps = wait(store.claim(Millis::MAX - 1, 10, decide));
    assert_eq!(steps.steps.iter().map(|step| step.task.id).collect::<Vec<_>>(), [tasks[1].id]);
    assert_eq!(wait(store.next_due()), None, "the damaged task is not claimed again and again");
    wait(store.close());
}

#[test]
fn the_history_of_a_deleted_task_goes_after_a_restart_too() {
    let mut task = task(1, "task");
    task.definition.keep_executions = 1000;
    let directory = make_store(std::slice::from_ref(&task));
    let store = open(directory.path());
    for number in 1..=200 {
        write_row(&*store, &task, number);
    }
    drop((wait(store.delete(task.id, None)), wait(store.close())));
    drop(store);
    let store = open(directory.path());
    for tick in 0..10 {
        wait(store.put("tick".to_owned(), tick.into()));
    }
    let statistics = wait(store.statistics(true));
    assert_eq!(statistics["collections"]["executions"]["count"], 0);
    assert_eq!(statistics["indexes"]["retention"]["count"], 0);
    wait(store.close());
}

#[test]
fn a_second_store_on_the_directory_is_told_who_has_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let refused = match SledStore::open(directory.path(), CACHE, clock()) {
        Err(OpenError::Locked(error)) => error.to_string(),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it opens twice"),
    };
    for part in [&format!("process {}", std::process::id()), &directory.path().display().to_string()] {
        assert!(refused.contains(part), "{part} is not in {refused}");
    }
    wait(store.close());
    drop(store);
    wait(open(directory.path()).close());
}

#[test]
fn settings_that_a_first_start_left_unfinished_are_made_anew() {
    for left in [0, 7, 58, 61] {
        let directory = make_store(&[task(1, "there")]);
        let conf = directory.path().join("conf");
        let whole = std::fs::read(&conf).expect("sled's settings");
        std::fs::write(&conf, &whole[..left.min(whole.len())]).expect("they are cut off");
        assert_eq!(names(&open(directory.path())), ["there"], "with {left} bytes left");
        assert_eq!(std::fs::read(&conf).expect("they are there"), whole);
        // The length is on the disk, the bytes are not yet.
        std::fs::write(&conf, vec![0; whole.len()]).expect("they are zeros");
        assert_eq!(names(&open(directory.path())), ["there"]);
    }
}

#[test]
fn a_store_keeps_the_size_of_pieces_that_it_was_made_with() {
    let directory = tempfile::tempdir().expect("a directory");
    let small = sled::Config::new().path(directory.path()).segment_size(512 * 1024);
    drop(small.open().expect("it opens"));
    let store = open(directory.path());
    wait(store.create(task(1, "there"), None));
    wait(store.close());
    drop(store);
    assert_eq!(names(&open(directory.path())), ["there"]);
}

#[test]
fn a_snapshot_that_was_never_finished_is_no_obstacle() {
    let directory = make_store(&[task(1, "there")]);
    for part in [&b""[..], b"a part of it"] {
        std::fs::write(directory.path().join("snap.7FFFFFFFFFFFFFFF.generating"), part).expect("it is left");
        assert_eq!(names(&open(directory.path())), ["there"]);
    }
}
