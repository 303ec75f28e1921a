//! Fuzzing of bodies, queries and ids. See `crate::fuzzing`.

use axum::http::Uri;
use serde_json::{Map, Value};

use super::{
    error::ApiError,
    input::{Fields, LARGEST_SKIP, parse},
};
use crate::domain::{
    Millis,
    definition::Definition,
    draft::{Defaults, Draft, Problem, read_run},
    ids::{ExecutionId, TaskId},
};

/// The day on which every body comes in.
const NOW: Millis = 1_767_225_600_000;

/// Reads bytes that start with `?` as a query and all others as a body.
pub fn bodies(bytes: &[u8]) {
    match bytes.strip_prefix(b"?") {
        Some(query) => ask(&String::from_utf8_lossy(query)),
        None => body(bytes),
    }
}

fn ask(query: &str) {
    if let Ok(id) = query.parse::<TaskId>() {
        assert_eq!(id.to_string(), query);
    }
    if let Ok(id) = query.parse::<ExecutionId>() {
        assert_eq!(id.to_string(), query);
    }
    let Ok(uri) = format!("/?{query}").parse::<Uri>() else { return };
    let Ok(mut fields) = Fields::read(&uri) else { return };
    let skip = fields.number("skip", 0, LARGEST_SKIP, 0);
    let after = fields.number("after", 0, Millis::MAX, NOW);
    fields.choice("wait", &[("true", true), ("false", false)]);
    fields.text("name");
    assert!(skip <= LARGEST_SKIP && after >= 0, "{query}");
    if let Err(error) = fields.finish() {
        assert_short(&error, query.len());
    }
}

fn body(bytes: &[u8]) {
    let lax = serde_json::from_slice::<Value>(bytes);
    let object = match (parse(bytes), lax) {
        (Ok(object), lax) => {
            assert_eq!(lax.ok(), Some(Value::Object(object.clone())), "read as ever");
            object
        }
        (Err(error), Ok(Value::Object(_))) => {
            assert!(format!("{error:?}").contains("is given twice"), "{error:?}");
            return;
        }
        (Err(_), _) => return,
    };
    if let Err(problems) = read_run(&object) {
        assert_named(problems, bytes.len());
    }
    match Draft::read_new(&object) {
        Ok(draft) => create(&draft),
        Err(problems) => assert_named(problems, bytes.len()),
    }
    // A change may leave out the fields that a new task must have.
    let changed = read(&sample()).and_then(|task| task.create(&defaults(), NOW)).and_then(|old| {
        let draft = Draft::read(&object)?;
        let changed = draft.update(&old, NOW)?;
        assert_eq!(draft.update(&changed, NOW).as_ref(), Ok(&changed), "a change made twice");
        Ok(changed)
    });
    match changed {
        Ok(definition) => assert_accepted_again(&definition),
        Err(problems) => assert_named(problems, bytes.len()),
    }
}

fn create(draft: &Draft) {
    match draft.create(&defaults(), NOW) {
        Ok(definition) => assert_accepted_again(&definition),
        Err(problems) => assert_named(problems, 0),
    }
}

/// Checks that an accepted definition is accepted again, and is the same.
fn assert_accepted_again(definition: &Definition) {
    let text = serde_json::to_vec(definition).expect("a definition becomes JSON");
    let back = parse(&text).expect("and is read again");
    let back = read(&back).and_then(|draft| draft.create(&defaults(), NOW));
    assert_eq!(back.as_ref(), Ok(definition));
}

fn read(body: &Map<String, Value>) -> Result<Draft, Vec<Problem>> {
    Draft::read_new(body)
}

/// Checks that a refusal names its fields, and is not many times as long as the body.
fn assert_named(problems: Vec<Problem>, length: usize) {
    assert!(problems.iter().all(|p| !p.field.is_empty() && !p.problem.is_empty()), "{problems:?}");
    assert_short(&ApiError::invalid(problems), length);
}

fn assert_short(error: &ApiError, length: usize) {
    let answer = format!("{error:?}").len();
    assert!(answer < 64 * 1024 + 16 * length, "{answer} bytes of answer to {length} bytes");
}

fn defaults() -> Defaults {
    Defaults { timezone: chrono_tz::Europe::Berlin, keep_executions: 100 }
}

fn sample() -> Map<String, Value> {
    let fields = [("name", "sample"), ("description", ""), ("handler", "sample"), ("schedule", "0 9 * * 1")];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}
