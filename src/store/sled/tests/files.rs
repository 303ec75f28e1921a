//! Damaged files. sled may refuse them, panic, or go on without a part of them; a store that opens has all
//! acknowledged records, or reports the missing ones.

use std::{fs, path::PathBuf};

use serde_json::json;

use super::*;
use crate::store::copy::{Cursor, Record};

/// The variable with the number of damaged copies to try, for more than the usual number.
const COPIES: &str = "ISOCHRON_DAMAGED_COPIES";

/// Makes a store that has been opened several times, with small and large values.
fn make_full_store(tasks: u128) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for round in 0..3_u128 {
        let store = open(directory.path());
        for number in 1..=tasks {
            let task = task(round * 1000 + number, &format!("task {round} {number}"));
            wait(store.create(task.clone(), None));
            write_row(&*store, &task, round * 1000 + number);
            wait(store.put(format!("key {number}"), json!([round as u64, "v".repeat(700)])));
        }
        for turn in 0..4 {
            // The first tasks keep three rows, so that older ones go.
            for number in 1..=tasks {
                let id = 100_000 * (1 + round) + 10_000 * turn + number;
                write_row(&*store, &task(number, &format!("task 0 {number}")), id);
            }
            wait(store.put(format!("large {}", turn % 2), json!(format!("{round}{turn}").repeat(90_000))));
        }
        wait(store.close());
    }
    directory
}

fn everything(store: &dyn Store) -> Vec<Record> {
    let (mut records, mut rest) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = rest {
        let part = wait(store.export(from));
        records.extend(part.records);
        rest = part.rest;
    }
    records
}

fn copy(from: &Path, to: &Path) -> Vec<PathBuf> {
    fs::create_dir_all(to).expect("a directory");
    let mut files = Vec::new();
    for entry in fs::read_dir(from).expect("it reads") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            files.extend(copy(&entry.path(), &to));
        } else {
            fs::copy(entry.path(), &to).expect("copied");
            files.push(to);
        }
    }
    files.sort();
    files
}

/// Damages one of the files in one of five ways, by `number`; returns a description.
fn damage(files: &[PathBuf], number: usize) -> String {
    let path = &files[number % files.len()];
    let mut bytes = fs::read(path).expect("it reads");
    // Spread over the file, the same in every run.
    let at = (number * 2_654_435_761) % bytes.len().max(1);
    let how = number / files.len() % 5;
    let what = ["cut", "a bit", "zeroes", "gone", "other bytes"][how];
    match how {
        0 => bytes.truncate(at),
        1 if !bytes.is_empty() => bytes[at] ^= 1 << (number % 8),
        2 => bytes[at..].iter_mut().take(3000).for_each(|byte| *byte = 0),
        4 => {
            let middle = bytes.len() / 2;
            bytes.rotate_left(middle.min(512));
        }
        _ => {}
    }
    fs::write(path, bytes).expect("written");
    if how == 3 {
        fs::remove_file(path).expect("removed");
    }
    format!("{}: {what} at {at}", path.file_name().expect("a name").display())
}

#[test]
fn a_store_with_damaged_files_has_everything_or_says_what_is_wrong_and_what_to_do() {
    let wanted = std::env::var(COPIES).ok().and_then(|number| number.parse().ok());
    let whole = make_full_store(if wanted.is_some() { 300 } else { 12 });
    let store = open(whole.path());
    let before = everything(&*store);
    wait(store.close());
    drop(store);
    assert!(before.len() > 80, "{}", before.len());
    let mut figures = std::collections::BTreeMap::<_, usize>::new();
    for number in 0..wanted.unwrap_or(150) {
        let directory = tempfile::tempdir().expect("a directory");
        let files: Vec<_> = copy(whole.path(), directory.path())
            .into_iter()
            .filter(|file| !file.ends_with("lock") && !file.ends_with("mark"))
            .collect();
        // Damage the largest file, `db`, more often than others.
        let most =
            files.iter().filter(|file| file.ends_with("db")).cycle().take(6).cloned().collect::<Vec<_>>();
        let what = damage(&[files, most].concat(), number);
        let outcome = match SledStore::open(directory.path(), CACHE, clock()) {
            Ok(store) => {
                let report = store.report();
                let after = everything(&store);
                wait(store.close());
                if report.quarantined.is_empty() {
                    assert!(after == before, "{what}: records are missing and the report is empty");
                    "open, whole"
                } else {
                    let sound = |record: &&Record| !matches!(record, Record::Quarantine(_));
                    assert!(after.iter().filter(sound).all(|record| before.contains(record)), "{what}");
                    "open, records set aside"
                }
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("isochron store import"), "{what}: {text}");
                match error {
                    OpenError::Lost { .. } => "refused, something is missing",
                    _ => "refused, unreadable",
                }
            }
        };
        *figures.entry(outcome).or_default() += 1;
    }
    println!("{figures:?}");
    assert!(
        figures.contains_key("open, whole") && figures.contains_key("refused, unreadable"),
        "{figures:?}"
    );
}

#[test]
fn a_panic_of_sled_is_an_error_that_says_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let panics = || -> Result<(), OpenError> { panic!("index out of bounds:\n the len is 1") };
    let error = opening::catch_panic(directory.path(), panics).expect_err("it panics").to_string();
    assert!(error.contains("damaged: index out of bounds: the len is 1"), "{error}");
    assert!(error.contains("isochron store import"), "{error}");
}

#[test]
fn a_store_that_lacks_what_was_acknowledged_last_is_refused() {
    let directory = make_store(&[task(1, "first")]);
    let earlier = tempfile::tempdir().expect("a directory");
    copy(directory.path(), earlier.path());
    let store = open(directory.path());
    wait(store.create(task(2, "second"), None));
    wait(store.close());
    drop(store);
    // The files of an earlier time with the later acknowledged number.
    let mark = fs::read(directory.path().join("mark")).expect("the mark");
    fs::write(earlier.path().join("mark"), mark).expect("written");
    let Err(error) = SledStore::open(earlier.path(), CACHE, clock()) else { panic!("it is served") };
    let error = error.to_string();
    assert!(error.contains("lost something") && error.contains("isochron store import"), "{error}");
    let found = SledStore::verify(earlier.path(), CACHE).expect("it can be looked at");
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    // The operator accepts the store with its losses.
    fs::remove_file(earlier.path().join("mark")).expect("removed");
    let store = open(earlier.path());
    assert_eq!((names(&store), store.report().missing), (vec!["first".to_owned()], vec![]));
    wait(store.close());
}

#[test]
fn a_record_that_has_gone_or_come_back_without_a_word_is_noticed() {
    let tasks = [task(1, "first"), task(2, "second")];
    let row = keys::execution(tasks[0].id, ExecutionId(Ulid(1)));
    type Case<'a> = (&'a str, &'a dyn Fn(&Engine));
    let cases: [Case<'_>; 3] = [
        ("1 of 1 executions are missing", &|db| drop(db.remove(&row).expect("it writes"))),
        ("1 of 2 tasks are missing", &|db| drop(db.remove(keys::task(tasks[1].id)).expect("it writes"))),
        ("some values are not as they were written last", &|db| {
            let old = engine::record::encode(&json!("old")).expect("encodes");
            db.insert(keys::value("key"), old).expect("it writes");
        }),
    ];
    for (expected, change) in cases {
        let directory = make_store(&tasks);
        let store = open(directory.path());
        write_row(&*store, &tasks[0], 1);
        wait(store.put("key".to_owned(), json!("new")));
        wait(store.close());
        drop(store);
        mangle(&directory, change);
        let Err(error) = SledStore::open(directory.path(), CACHE, clock()) else { panic!("{expected}") };
        assert!(error.to_string().contains(expected), "{error}");
        let found = SledStore::verify(directory.path(), CACHE).expect("it can be looked at");
        assert!(found.problems.iter().any(|problem| problem == expected), "{:?}", found.problems);
    }
}
