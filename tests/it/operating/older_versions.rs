//! A store and an export that version 0.1.0 made (`tests/stores`).

use std::{fs, path::Path};

use serde_json::Value;

use crate::harness::Home;

/// The records of an export, without its first and last line.
fn records(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("the export");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    lines[1..lines.len() - 1].to_vec()
}

/// Asserts that `new` has each value of `old`; a later version may have added fields.
fn assert_holds(new: &Value, old: &Value, path: &str) {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            for (key, value) in old {
                let path = format!("{path}.{key}");
                assert_holds(new.get(key).unwrap_or_else(|| panic!("{path} is gone")), value, &path);
            }
        }
        _ => assert_eq!(new, old, "{path}"),
    }
}

/// Exports the store of `home` and compares each record with those of version 0.1.0.
fn assert_has_all_records(home: &Home, old: &[Value]) {
    let exported = home.run(&["store", "export", "now"]);
    assert_eq!(exported.code(), Some(0), "{exported:?}");
    let new = records(&home.path().join("now"));
    assert_eq!(new.len(), old.len());
    for (new, old) in new.iter().zip(old) {
        assert_holds(new, old, "record");
    }
}

#[test]
fn a_store_of_version_0_1_0_opens_with_every_record() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/0.1.0");
    let old = records(&from.join("export.jsonl"));
    assert_eq!(old.len(), 20);

    let home = Home::new();
    fs::create_dir_all(home.data().join("store")).expect("the folder");
    for entry in fs::read_dir(from.join("store")).expect("the store's files") {
        let entry = entry.expect("an entry");
        if entry.path().is_file() {
            fs::copy(entry.path(), home.data().join("store").join(entry.file_name())).expect("copied");
        }
    }
    assert_has_all_records(&home, &old);
    let verified = home.run(&["store", "verify"]);
    assert_eq!(verified.code(), Some(0), "{verified:?}");
}

#[test]
fn an_export_of_version_0_1_0_is_imported_with_every_record() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/0.1.0/export.jsonl");
    let home = Home::new();
    let imported = home.run(&["store", "import", file.to_str().expect("UTF-8")]);
    assert_eq!(imported.code(), Some(0), "{imported:?}");
    assert_has_all_records(&home, &records(&file));
}
