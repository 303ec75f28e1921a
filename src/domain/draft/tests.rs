//! What is refused, and with which words.

use serde_json::json;

use super::*;
use crate::domain::time::LATEST;

/// A valid definition for other rooms' tests.
pub(crate) fn definition(schedule: &str) -> Definition {
    let body = json!({"name": "sample", "description": "", "handler": "sample", "schedule": schedule,
        "recurring": !Timetable::parse(schedule).expect("a schedule").is_one_time()});
    let defaults = Defaults { timezone: Tz::UTC, keep_executions: 100 };
    read(&body).and_then(|draft| draft.create(&defaults, 0)).expect("a valid body")
}

fn read(body: &Value) -> Result<Draft, Vec<Problem>> {
    Draft::read(body.as_object().expect("an object"))
}

#[test]
fn each_wrong_field_is_named_with_what_would_be_right() {
    let deep = (0..33).fold(json!(1), |inner, _| json!({ "a": inner }));
    let cases = [
        (json!({"nmae": 1}), "nmae", "is not known here"),
        (json!({"": 1}), "\"\"", "is not known here"),
        (json!({"name": "a"}), "name", "has 1 character: 3 to 50"),
        (json!({"name": "ab"}), "name", "has 2 characters: 3 to 50"),
        (json!({"name": "é".repeat(51)}), "name", "has 51 characters"),
        (
            json!({"name": "a\nb"}),
            "name",
            "control or bidirectional characters, such as a line break: it is \"a\\nb\"",
        ),
        (json!({"name": "a\u{2028}b"}), "name", "it is \"a\\u2028b\""),
        (json!({"name": "fdp.\u{202e}exe"}), "name", "control or bidirectional"),
        (json!({"name": "abc\u{200f}"}), "name", "control or bidirectional"),
        (json!({"name": "   "}), "name", "a visible character"),
        (json!({"name": "\u{200b}\u{2800} \u{3164}"}), "name", "a visible character"),
        (json!({"name": null}), "name", "must be a string, not null"),
        (json!({"description": "x".repeat(201)}), "description", "at most 200"),
        (json!({"type": "http"}), "type", "only \"script\""),
        (json!({"handler": "../x"}), "handler", "is no handler's name"),
        (json!({"handler": "a/b.js"}), "handler", "write \"a/b\""),
        (json!({"params": []}), "params", "must be an object, not an array"),
        (json!({"params": deep}), "params", "deeper than 32 levels"),
        (json!({"params": {"a": [{"__proto__": 1}]}}), "params.a[0].__proto__", "not allowed"),
        (json!({"params": {"a": "x".repeat(256 * 1024)}}), "params", "at most 262144"),
        (json!({"schedule": 5}), "schedule", "must be a string, not a number"),
        (json!({"schedule": "61 * * * *"}), "schedule", "minute"),
        (json!({"timezone": "Mars/Base"}), "timezone", "Mars/Base"),
        (json!({"recurring": "yes"}), "recurring", "true or false"),
        (json!({"maxRetries": 11}), "maxRetries", "from 0 to 10, not 11"),
        (json!({"maxRetries": 1.5}), "maxRetries", "not 1.5"),
        (json!({"retryDelay": 999}), "retryDelay", "from 1000 to 3600000"),
        (json!({"retryBackoff": "linear"}), "retryBackoff", "\"exponential\""),
        (json!({"timeout": 99}), "timeout", "from 100 to 86400000"),
        (json!({"overlap": "never"}), "overlap", "\"replace\""),
        (json!({"misfire": true}), "misfire", "must be a string"),
        (json!({"onExhausted": "give up"}), "onExhausted", "\"stop\""),
        (json!({"keepExecutions": 0}), "keepExecutions", "from 1 to 10000"),
        (json!({"tags": "a"}), "tags", "an array of strings, not a string"),
        (json!({"tags": ["a", ""]}), "tags[1]", "has 0 characters: 1 to 40"),
        (json!({"tags": ["x".repeat(41)]}), "tags[0]", "has 41 characters"),
        (json!({"tags": ["a", "b", "a"]}), "tags[2]", "is \"a\" once more"),
        (json!({"tags": ["a\u{0}b"]}), "tags[0]", "control or bidirectional"),
        (json!({"tags": [" "]}), "tags[0]", "a visible character"),
        (json!({"tags": [7]}), "tags[0]", "must be a string, not a number"),
        (json!({"tags": vec!["a"; 21]}), "tags", "has 21 tags: at most 20"),
        (json!({"startAt": "2030-01-01"}), "startAt", "not a string, or null"),
        (json!({"endAt": -1}), "endAt", "from 0 to 253402300799999, not -1, or null"),
        (json!({"maxRuns": 0}), "maxRuns", "from 1 to"),
        (json!({"jitter": 3_600_001}), "jitter", "from 0 to 3600000"),
        (json!({"jitter": null}), "jitter", "not null"),
        (json!({"priority": 11}), "priority", "from -10 to 10, not 11"),
        (json!({"priority": 0.5}), "priority", "not 0.5"),
        (json!({"priority": "high"}), "priority", "not a string"),
        (json!({"concurrencyKey": ""}), "concurrencyKey", "has 0 characters: 1 to 100"),
        (json!({"concurrencyKey": 5}), "concurrencyKey", "a string or null"),
        (json!({"after": "task-1"}), "after", "an object with taskId and on"),
        (json!({"after": {"taskId": "x", "on": "end"}}), "after.taskId", "the id of a task"),
        (
            json!({"after": {"taskId": "task-01arz3ndektsv4rrffq69g5fav", "on": "sunday"}}),
            "after.on",
            "\"failure\"",
        ),
        (json!({"after": {"task": "x"}}), "after.task", "not known here"),
        (json!({"alerts": {}}), "alerts", "a list of rules"),
    ];
    for (body, field, words) in cases {
        let problems = read(&body).expect_err(field);
        let found = problems.iter().any(|p| p.field.starts_with(field) && p.problem.contains(words));
        assert!(found, "{body}: {problems:?}");
    }
}

#[test]
fn fields_that_do_not_go_together_are_refused() {
    let defaults = Defaults { timezone: Tz::UTC, keep_executions: 100 };
    let base = json!({"name": "sample", "description": "d", "handler": "h"});
    let with = |extra: Value| {
        let mut body = base.as_object().cloned().expect("an object");
        body.extend(extra.as_object().cloned().expect("an object"));
        Draft::read_new(&body).and_then(|draft| draft.create(&defaults, 0))
    };
    let field = |result: Result<Definition, Vec<Problem>>| result.expect_err("refused")[0].field.clone();
    assert_eq!(field(with(json!({}))), "schedule");
    assert_eq!(field(with(json!({"schedule": "now", "recurring": true}))), "recurring");
    assert_eq!(field(with(json!({"schedule": "0 0 30 2 *", "recurring": true}))), "schedule");
    for (schedule, bounds, wrong) in [
        ("now", json!({"startAt": 5}), "startAt"),
        ("2030-01-01T00:00:00Z", json!({"endAt": 5}), "endAt"),
        ("0 3 * * *", json!({"startAt": 5, "endAt": 5}), "endAt"),
        ("0 3 * * *", json!({"endAt": 10_000}), "endAt"),
        ("0 3 * * *", json!({"startAt": 11_000_000, "endAt": 80_000_000}), "endAt"),
    ] {
        let mut body = bounds.clone();
        body["schedule"] = json!(schedule);
        assert_eq!(field(with(body)), wrong, "{schedule} {bounds}");
    }
    with(json!({"schedule": "0 3 * * *", "endAt": 10_800_000})).expect("a run is left");
    let after = json!({"taskId": "task-01arz3ndektsv4rrffq69g5fav", "on": "end"});
    with(json!({"schedule": "never", "after": after, "startAt": 5, "endAt": 10_000})).expect("it follows");
    let never = with(json!({"schedule": "never", "endAt": 10_000})).expect_err("it never runs by itself");
    assert_eq!(
        never,
        [Problem::new("endAt", "must be null with the schedule \"never\", which plans no run")]
    );
    let late = json!({"schedule": "0 3 * * *", "startAt": LATEST, "endAt": null});
    let late = with(late).expect_err("no time is planned after it");
    assert_eq!(late[0].field, "startAt");
    assert!(late[0].problem.starts_with("leaves no run of the schedule"), "{late:?}");
    let both = json!({"schedule": "0 3 * * *", "startAt": LATEST - 1, "endAt": LATEST});
    assert_eq!(field(with(both)), "startAt", "without endAt there is no run either");
    let task = with(json!({"schedule": "0 3 * * *"})).expect("valid");
    assert!(!task.recurring && task.timeout == 300_000 && task.retry_delay == 60_000);
    let changed = Draft::read(json!({"timeout": 200}).as_object().expect("an object"))
        .and_then(|draft| draft.update(&task, 0))
        .expect("valid");
    assert_eq!(changed, Definition { timeout: 200, ..task });
}

#[test]
fn an_answer_is_not_many_times_as_long_as_the_body() {
    let many = (0..1000).map(|number| (format!("key {number}"), json!(1))).collect::<Map<_, _>>();
    let items = vec![json!({"__proto__": 1, "a": [[]]}); 1000];
    let long = "x".repeat(10_000);
    let bodies = [json!(many), json!({ "params": { "a": items } }), json!({ "params": { long: items } })];
    for body in bodies {
        let object = body.as_object().expect("an object");
        for problems in [Draft::read(object).expect_err("wrong"), read_run(object).expect_err("wrong")] {
            let words: usize = problems.iter().map(|p| p.field.len() + p.problem.len()).sum();
            assert!(words < 20_000, "{words} bytes to say that {} things are wrong", problems.len());
            assert!(problems[0].field.starts_with("key 0") || problems[0].field.starts_with("params."));
        }
    }
}

#[test]
fn the_table_has_the_fields_of_a_definition_and_takes_every_word_that_it_names() {
    let task = definition("0 9 * * 1");
    let used = json!({"tags": ["a"], "startAt": 0, "endAt": 4_070_908_800_000_i64, "maxRuns": 1, "jitter": 1,
        "priority": -10, "concurrencyKey": "db", "after": {"taskId": "task-01arz3ndektsv4rrffq69g5fav", "on": "end"}, "alerts": []});
    let used = read(&used).and_then(|draft| draft.update(&task, 0)).expect("valid");
    let stored = serde_json::to_value(&used).expect("JSON");
    let names: Vec<_> = FIELDS.iter().map(|field| field.name).filter(|name| *name != "type").collect();
    assert_eq!(stored.as_object().expect("an object").keys().collect::<Vec<_>>(), names);
    for (name, words) in [
        ("retryBackoff", ["fixed", "exponential"].as_slice()),
        ("overlap", &["skip", "queue", "allow", "replace"]),
        ("misfire", &["once", "skip", "all"]),
        ("onExhausted", &["continue", "stop"]),
    ] {
        for word in words {
            let changed = read(&json!({ name: word })).and_then(|draft| draft.update(&task, 0)).expect(word);
            assert_eq!(serde_json::to_value(&changed).expect("JSON")[name], *word);
        }
    }
}

#[test]
fn a_definition_stores_nothing_of_fields_that_are_not_used() {
    let stored = serde_json::to_value(definition("0 9 * * 1")).expect("JSON");
    let (shown, absent): (Vec<_>, Vec<_>) = FIELDS
        .iter()
        .map(|field| (field.name, field.show(&stored)))
        .partition(|(name, _)| stored.get(name).is_some());
    assert_eq!(shown.len(), 15, "the fields of the first release");
    let shows = json!(absent.into_iter().collect::<std::collections::BTreeMap<_, _>>());
    assert_eq!(
        shows,
        json!({"type": "script", "tags": [], "startAt": null, "endAt": null, "maxRuns": null, "jitter": 0, "priority": 0, "concurrencyKey": null, "after": null, "alerts": null})
    );
}

#[test]
fn the_documentation_shows_the_table() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).expect("it reads");
    let table = fields::reference();
    assert!(page.contains(&table), "docs/api.md must have this table:\n{table}");
}

#[test]
fn a_definition_is_stored_as_it_was_written_and_never_read_when_it_is_wrong() {
    let mut task = definition(" 0  9 * * 1");
    task.timezone = chrono_tz::Europe::Berlin;
    let stored = serde_json::to_value(&task).expect("JSON");
    assert_eq!((&stored["schedule"], &stored["timezone"]), (&json!(" 0  9 * * 1"), &json!("Europe/Berlin")));
    assert_eq!(serde_json::from_value::<Definition>(stored.clone()).expect("it reads"), task);
    for (name, wrong) in [("schedule", "@fortnightly"), ("timezone", "Mars/Olympus")] {
        let mut stored = stored.clone();
        stored[name] = json!(wrong);
        let error = serde_json::from_value::<Definition>(stored).expect_err("wrong").to_string();
        assert!(error.contains(wrong), "{error}");
    }
}
