//! Copies in files, whole and damaged. How a store reads and takes in copies is in its contract.

use std::{fs, path::PathBuf, sync::Arc};

use serde_json::json;
use tempfile::TempDir;
use ulid::Ulid;

use crate::{
    backup::{
        file::{self, TransferError},
        lines,
    },
    domain::{
        draft::tests::definition,
        execution::{ExecutionStatus, Level, Line},
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{
        Output, Store, contract,
        copy::{Counts, Import, Quarantined, Record},
        sled::SledStore,
    },
};

struct Scene {
    directory: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { directory: tempfile::tempdir().expect("a directory"), runtime }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self, name: &str) -> Arc<dyn Store> {
        Arc::new(SledStore::open(&self.path(name), 8 << 20, Arc::new(|| 0)).expect("it opens"))
    }

    fn close(&self, store: &Arc<dyn Store>) {
        self.runtime.block_on(store.close()).expect("it closes");
    }

    fn import(&self, store: &Arc<dyn Store>, path: &std::path::Path) -> Result<Counts, TransferError> {
        self.runtime.block_on(file::import(&**store, path))
    }

    /// What the store would write into a file.
    fn text(&self, store: &Arc<dyn Store>) -> String {
        let path = self.path("read");
        self.runtime.block_on(file::export(&**store, &path, 7)).expect("it is written");
        fs::read_to_string(path).expect("a text")
    }

    fn written(&self, records: &[Record]) -> PathBuf {
        let path = self.path("written");
        let mut lines = lines::Lines::begin(fs::File::create(&path).expect("a file"), 7).expect("it writes");
        records.iter().for_each(|record| lines.add(record).expect("it writes"));
        lines.end().expect("it writes");
        path
    }
}

fn task(number: u128, name: &str) -> Task {
    let mut definition = definition("@hourly");
    name.clone_into(&mut definition.name);
    definition.params =
        json!({"zeta": 1.1, "alpha": [0.1, -3, 18_446_744_073_709_551_615_u64, "\u{2028}\n"]})
            .as_object()
            .expect("an object")
            .clone();
    Task::new(TaskId(Ulid(number)), definition, 0)
}

fn records() -> Vec<Record> {
    let (first, second) = (task(1, "first"), task(2, "second"));
    let id = ExecutionId(Ulid(9));
    let row = contract::row(&first, id, ExecutionStatus::Completed, 5);
    let line = |message: &str| Line { time: 3, level: Level::Warn, message: message.to_owned() };
    vec![
        Record::Task(Box::new(first)),
        Record::Execution(Box::new(row)),
        Record::Output(Output { execution: id, chunk: 0, lines: vec![line("a\tb"), line("🦀")] }),
        Record::Output(Output { execution: id, chunk: 3, lines: vec![line("c")] }),
        Record::Task(Box::new(second)),
        Record::Value { key: "system/x".to_owned(), value: json!([1, null]) },
        Record::Quarantine(Quarantined { key: b"t123".to_vec(), bytes: vec![0, 255, 16] }),
    ]
}

#[test]
fn a_file_brings_back_everything_to_the_letter() {
    let scene = Scene::new();
    let path = scene.written(&records());
    let store = scene.open("store");
    let counts = scene.import(&store, &path).expect("it is a copy");
    let expected =
        Counts { tasks: 2, executions: 1, output: 2, values: 1, quarantined: 1, ..Counts::default() };
    assert_eq!(counts, expected);
    assert_eq!(scene.text(&store), fs::read_to_string(&path).expect("a text"));
    scene.close(&store);
}

#[test]
fn a_file_that_lacks_its_end_or_has_a_byte_changed_is_refused_and_the_store_stays_empty() {
    let scene = Scene::new();
    let path = scene.written(&records());
    let whole = fs::read(&path).expect("bytes");
    let store = scene.open("store");
    let empty = scene.text(&store);
    let refuse = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).expect("it writes");
        let error = scene.import(&store, &path).expect_err(what);
        assert!(matches!(error, TransferError::File { .. }), "{what}: {error}");
        assert_eq!(scene.text(&store), empty, "{what}");
    };
    for at in (0..whole.len()).step_by(37) {
        refuse(&whole[..at], &format!("cut at {at}"));
        let mut changed = whole.clone();
        changed[at] ^= 1;
        refuse(&changed, &format!("byte {at} changed"));
    }
    refuse(&[&whole[..], b"\n"].concat(), "something behind it");
    let miscounted =
        String::from_utf8(whole.clone()).expect("a text").replace("\"values\":1", "\"values\":2");
    refuse(miscounted.as_bytes(), "a wrong count");
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for gone in 0..lines.len() {
        let rest: Vec<u8> = lines
            .iter()
            .enumerate()
            .filter(|(n, _)| *n != gone)
            .flat_map(|(_, line)| *line)
            .copied()
            .collect();
        refuse(&rest, &format!("without line {gone}"));
    }
    fs::write(&path, &whole).expect("it writes");
    scene.import(&store, &path).expect("the whole one is right");
    scene.close(&store);
}

#[test]
fn records_that_do_not_belong_together_are_refused_with_their_line() {
    let scene = Scene::new();
    let store = scene.open("store");
    let empty = scene.text(&store);
    let all = records();
    let named = |number, name: &str| Record::Task(Box::new(task(number, name)));
    let cases: [(Vec<Record>, u64, &str); 8] = [
        (vec![named(1, "first"), named(1, "other")], 3, "is there twice"),
        (vec![named(1, "first"), named(2, "first")], 3, "\"first\" is there twice"),
        (vec![all[0].clone(), all[1].clone(), all[1].clone()], 4, "is there twice"),
        (vec![all[4].clone(), all[1].clone()], 3, "behind its task"),
        (vec![all[0].clone(), all[2].clone()], 3, "behind its execution"),
        (vec![all[0].clone(), all[1].clone(), all[3].clone(), all[2].clone()], 5, "piece 0"),
        (vec![all[5].clone(), all[5].clone()], 3, "\"system/x\" is there twice"),
        (vec![all[0].clone(), all[1].clone(), all[2].clone(), all[4].clone(), all[2].clone()], 6, "behind"),
    ];
    for (records, expected, words) in cases {
        let path = scene.written(&records);
        match scene.import(&store, &path) {
            Err(TransferError::File { line, problem, .. }) => {
                assert_eq!(line, expected, "{problem}");
                assert!(problem.contains(words), "{problem}");
            }
            other => panic!("{words}: {other:?}"),
        }
        assert_eq!(scene.text(&store), empty);
    }
    // One that only the store itself can see.
    let other_task = contract::row(&task(2, "second"), ExecutionId(Ulid(9)), ExecutionStatus::Completed, 5);
    let twice = [&all[..5], &[Record::Execution(Box::new(other_task)), all[2].clone()]].concat();
    let error = scene.import(&store, &scene.written(&twice)).expect_err("the id is another task's too");
    assert!(error.to_string().contains("occurs twice"), "{error}");
    assert_eq!(scene.text(&store), empty);
    scene.close(&store);
}

#[test]
fn what_another_version_wrote_is_refused_by_name() {
    let scene = Scene::new();
    let store = scene.open("store");
    for (text, words) in [
        (r#"{"format":"isochron export","version":2,"schema":1,"made":7}"#, "version 2"),
        (r#"{"format":"isochron export","version":1,"schema":5,"made":7}"#, "schema 5"),
        (r#"{"format":"something else","version":1,"schema":1,"made":7}"#, "no export of isochron"),
        ("PK", "no export of isochron"),
    ] {
        let path = scene.path("other");
        fs::write(&path, format!("{text}\n")).expect("it writes");
        let error = scene.import(&store, &path).expect_err(text).to_string();
        assert!(error.contains(words) && error.contains("line 1"), "{error}");
    }
    scene.close(&store);
}

#[test]
fn a_file_is_there_when_it_is_complete_and_not_before() {
    let scene = Scene::new();
    let store = scene.open("store");
    let path = scene.path("copy");
    scene.runtime.block_on(file::export(&*store, &path, 7)).expect("it is written");
    let names = |scene: &Scene| {
        let entries = fs::read_dir(scene.directory.path()).expect("it reads");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&scene), ["copy", "store"]);
    let before = fs::read(&path).expect("bytes");
    scene.close(&store);
    scene.runtime.block_on(file::export(&*store, &path, 8)).expect_err("the store is closed");
    assert_eq!(
        (names(&scene), fs::read(&path).expect("bytes")),
        (vec!["copy".into(), "store".into()], before)
    );
}

#[test]
fn an_import_that_was_interrupted_is_not_served() {
    let scene = Scene::new();
    let store = scene.open("store");
    let import = Import::Records(records());
    scene.runtime.block_on(store.import(import)).expect("it is empty");
    scene.close(&store);
    drop(store);
    let Err(error) = SledStore::open(&scene.path("store"), 8 << 20, Arc::new(|| 0)) else {
        panic!("it is served")
    };
    assert!(error.to_string().contains("interrupted"), "{error}");
}
