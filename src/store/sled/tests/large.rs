//! Large values, which are stored in overflow pieces.

use serde_json::json;

use super::*;

/// Makes a value whose record has this many bytes.
fn value(bytes: usize, letter: &str) -> Value {
    // Subtract the record's head and two quotation marks.
    json!(letter.repeat(bytes - 7))
}

fn put(store: &Arc<dyn Store>, key: &str, value: &Value) {
    wait(store.put(key.to_owned(), value.clone()));
}

fn read(store: &Arc<dyn Store>, key: &str) -> Option<Value> {
    wait(store.get(key.to_owned()))
}

/// The keys of all overflow pieces.
fn pieces(db: &Engine) -> Vec<Vec<u8>> {
    db.scan_prefix([keys::PIECE]).keys().map(|key| key.expect("it reads").to_vec()).collect()
}

#[test]
fn values_of_any_size_take_each_others_place() {
    const PIECE: usize = 32 * 1024;
    let sizes = [8, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 5 * PIECE + 3, 3 << 20, 40, 3 * PIECE, PIECE];
    let directory = tempfile::tempdir().expect("a directory");
    let sled = SledStore::open(directory.path(), CACHE, clock()).expect("it opens");
    let db = sled.db.clone();
    let store: Arc<dyn Store> = Arc::new(sled);
    put(&store, "neighbour", &value(100_000, "n"));
    let neighbours = pieces(&db).len();
    for (size, letter) in sizes.iter().zip(["a", "b"].iter().cycle()) {
        let value = value(*size, letter);
        put(&store, "key", &value);
        assert_eq!(read(&store, "key"), Some(value), "{size}");
        let expected = if *size > PIECE { size.div_ceil(PIECE) } else { 0 };
        assert_eq!(pieces(&db).len() - neighbours, expected, "{size}");
    }
    assert_eq!(read(&store, "neighbour"), Some(value(100_000, "n")));
    drop(db);
    wait(store.close());
    drop(store);
    let found = SledStore::verify(directory.path(), CACHE).expect("it opens");
    assert_eq!(found.problems, Vec::<String>::new());
    let store = open(directory.path());
    assert_eq!(read(&store, "key"), Some(value(PIECE, "b")));
    wait(store.close());
}

#[test]
fn a_large_task_goes_with_all_its_pieces() {
    let mut large = task(1, "large");
    large.definition.params.insert("text".to_owned(), json!("x".repeat(700_000)));
    let directory = make_store(&[large.clone(), task(2, "small")]);
    let sled = SledStore::open(directory.path(), CACHE, clock()).expect("it opens");
    let db = sled.db.clone();
    let store: Arc<dyn Store> = Arc::new(sled);
    assert_eq!(wait(store.task(large.id)).as_ref(), Some(&large));
    assert_ne!(pieces(&db), Vec::<Vec<u8>>::new());
    wait(store.delete(large.id, None));
    assert_eq!(pieces(&db), Vec::<Vec<u8>>::new());
    wait(store.close());
}

/// A blob may be missing after a loss of power although the batch that made it is durable.
#[test]
fn nothing_is_so_large_that_it_becomes_a_file_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let mut files = 0;
    for round in 0..6 {
        for number in 0..20 {
            put(&store, &format!("key {number:02}"), &value(900_000 + round, "v"));
            files += std::fs::read_dir(directory.path().join("blobs")).expect("it reads").count();
        }
    }
    assert_eq!(files, 0);
    wait(store.close());
}

#[test]
fn a_large_value_of_which_anything_is_missing_or_damaged_is_set_aside_with_all_that_is_left() {
    const PIECE: usize = 32 * 1024;
    type Harm = fn(&Engine, &[u8]);
    let harms: [(&str, Harm, usize); 4] = [
        ("no piece", |db, piece| drop(db.remove(piece)), 3 * PIECE + 13),
        ("a damaged piece", flip_a_bit, 100_013),
        ("a damaged head", |db, _| flip_a_bit(db, &keys::value("large")), 100_013),
        (
            "a head of another version",
            |db, _| {
                let mut head = db.get(keys::value("large")).expect("it reads").expect("it is there").to_vec();
                head[0] ^= 1;
                db.insert(keys::value("large"), head).expect("it writes");
            },
            100_013,
        ),
    ];
    for (name, harm, left) in harms {
        let directory = tempfile::tempdir().expect("a directory");
        let store = open(directory.path());
        put(&store, "large", &value(100_000, "v"));
        // A neighbour by key, and by the keys of its pieces.
        put(&store, "large\0\0", &value(100_000, "o"));
        wait(store.close());
        drop(store);
        mangle(&directory, |db| {
            let pieces = pieces(db);
            harm(db, pieces.iter().rfind(|key| key.len() == 11).expect("its last piece"));
        });
        let found = SledStore::verify(directory.path(), CACHE).expect("it opens");
        let [problem] = &found.problems[..] else { panic!("{name}: {:?}", found.problems) };
        assert!(problem.contains("value \"large\""), "{name}: {problem}");

        let store = open(directory.path());
        assert_eq!(store.report().quarantined, std::slice::from_ref(problem), "{name}");
        assert_eq!(store.report().missing, Vec::<String>::new(), "{name}");
        assert_eq!(read(&store, "large"), None, "{name}");
        assert_eq!(read(&store, "large\0\0"), Some(value(100_000, "o")), "{name}");
        put(&store, "large", &value(50_000, "w"));
        assert_eq!(read(&store, "large"), Some(value(50_000, "w")), "{name}");
        wait(store.close());
        drop(store);
        let found = SledStore::verify(directory.path(), CACHE).expect("it opens");
        assert_eq!(found.problems, Vec::<String>::new(), "{name}");
        let [aside] = &found.quarantined[..] else { panic!("{name}: {:?}", found.quarantined) };
        assert!(aside.contains(&format!("({left} bytes)")), "{name}: {aside}");
    }
}

#[test]
fn pieces_whose_value_is_gone_are_set_aside_and_take_no_part_in_a_new_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    put(&store, "gone", &value(100_000, "v"));
    wait(store.close());
    drop(store);
    mangle(&directory, |db| {
        db.remove(keys::value("gone")).expect("it writes");
    });
    // The operator accepts the store with its losses.
    std::fs::remove_file(directory.path().join("mark")).expect("it is there");
    let found = SledStore::verify(directory.path(), CACHE).expect("it opens");
    assert_eq!(found.problems.len(), 4, "each piece: {:?}", found.problems);
    assert!(found.problems[0].contains("a piece of value \"gone\""), "{:?}", found.problems);

    // The value is written anew before the scrub reaches its pieces.
    let store = SledStore::open_tuned(
        directory.path(),
        CACHE,
        clock(),
        Tuning { scrubbed_at_once: 0, pause: Duration::from_secs(3600), ..Tuning::default() },
    )
    .expect("it opens");
    wait(store.put("gone".to_owned(), value(50_000, "n")));
    while wait(store.ask(|writer| writer.scrub().map(Some))) {}
    assert_eq!(wait(store.get("gone".to_owned())), Some(value(50_000, "n")));
    assert_eq!(store.report().quarantined, Vec::<String>::new());
    store.db.remove(keys::value("gone")).expect("it writes");
    wait(store.close());
    drop(store);
    std::fs::remove_file(directory.path().join("mark")).expect("it is there");
    let store = open(directory.path());
    assert_eq!(store.report().quarantined.len(), 2, "{:?}", store.report());
    wait(store.close());
    drop(store);
    let found = SledStore::verify(directory.path(), CACHE).expect("it opens");
    assert_eq!((found.problems, found.quarantined.len()), (vec![], 2));
}

#[test]
fn what_an_import_sets_aside_may_be_any_bytes_under_any_key() {
    use crate::store::copy::{Cursor, Import, Quarantined, Record};
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    // An empty record, the head of a value of 16 exabytes, and a piece without a key.
    let head = [&[2][..], &[0xff; 8], &[0; 4]].concat();
    let records: Vec<_> = [(vec![], vec![]), (keys::value("key"), head), (vec![keys::PIECE], vec![1])]
        .into_iter()
        .map(|(key, bytes)| Record::Quarantine(Quarantined { key, bytes }))
        .collect();
    wait(store.import(Import::Records(records.clone())));
    wait(store.import(Import::Complete));
    let again = wait(store.export(Cursor::default())).records;
    assert_eq!(again.len(), records.len());
    assert!(records.iter().all(|record| again.contains(record)), "{again:?}");
    wait(store.close());
    drop(store);
    let found = SledStore::verify(directory.path(), CACHE).expect("it opens");
    assert_eq!((found.problems, found.quarantined.len()), (vec![], 3));
}

#[test]
fn readers_see_one_value_or_the_other_while_they_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let values = [value(200_000, "a"), value(100_000, "b"), value(10, "c")];
    put(&store, "key", &values[0]);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while read(&store, "done").is_none() {
                let found = read(&store, "key").expect("it is never without a value");
                assert!(values.contains(&found), "{} bytes", found.to_string().len());
            }
        });
        for value in values.iter().cycle().take(60) {
            put(&store, "key", value);
        }
        put(&store, "done", &json!(true));
        reader.join().expect("every value was one of those");
    });
    assert_eq!(store.report().quarantined, Vec::<String>::new());
    wait(store.close());
}

#[test]
fn a_copy_that_is_given_up_leaves_no_pieces() {
    use crate::store::copy::{Import, Record};
    let directory = tempfile::tempdir().expect("a directory");
    let sled = SledStore::open(directory.path(), CACHE, clock()).expect("it opens");
    let db = sled.db.clone();
    let store: Arc<dyn Store> = Arc::new(sled);
    let mut task = task(1, "large");
    task.definition.params.insert("text".to_owned(), json!("x".repeat(100_000)));
    let value = Record::Value { key: "large".to_owned(), value: value(100_000, "v") };
    wait(store.import(Import::Records(vec![Record::Task(Box::new(task)), value])));
    assert_eq!(pieces(&db).len(), 8);
    wait(store.import(Import::Abandon));
    assert_eq!(pieces(&db), Vec::<Vec<u8>>::new());
    wait(store.import(Import::Records(Vec::new())));
    wait(store.import(Import::Complete));
    drop(db);
    wait(store.close());
    drop(store);
    let found = SledStore::verify(directory.path(), CACHE).expect("it opens");
    assert_eq!(found.problems, Vec::<String>::new());
}
