//! Tasks that are refused, with the reason: every rule of the body's table.

use insta::{assert_json_snapshot, assert_snapshot};
use serde_json::{Value, json};

use crate::harness::{Server, redact};

fn server() -> Server {
    let server = Server::start();
    server.home.write("fine", "module.exports = () => 1");
    server
}

/// A valid body with `change` applied.
fn body(change: &Value) -> Value {
    let mut body = json!({ "name": "a task", "description": "", "handler": "fine", "schedule": "@daily" });
    for (key, value) in change.as_object().expect("an object") {
        body[key] = value.clone();
    }
    body
}

#[test]
fn every_field_has_its_rule_and_the_answer_says_it() {
    let server = server();
    let cases = [
        json!({ "name": "ab" }),
        json!({ "name": "x".repeat(51) }),
        json!({ "name": 7 }),
        json!({ "name": null }),
        json!({ "description": "x".repeat(201) }),
        json!({ "description": null }),
        json!({ "type": "http" }),
        json!({ "handler": "" }),
        json!({ "handler": "fine.js" }),
        json!({ "handler": "../fine" }),
        json!({ "handler": "/etc/passwd" }),
        json!({ "handler": "a//b" }),
        json!({ "handler": "nobody" }),
        json!({ "params": [] }),
        json!({ "params": null }),
        json!({ "schedule": "" }),
        json!({ "schedule": "61 * * * *" }),
        json!({ "schedule": "0 25 * * *" }),
        json!({ "schedule": "* * * 13 *" }),
        json!({ "schedule": "* * * * mun" }),
        json!({ "schedule": "5-1 * * * *" }),
        json!({ "schedule": "*/0 * * * *" }),
        json!({ "schedule": "5/10 * * * *" }),
        json!({ "schedule": "0 0 30 2 *" }),
        json!({ "schedule": "* * * *" }),
        json!({ "schedule": "every 99ms" }),
        json!({ "schedule": "every fortnight" }),
        json!({ "schedule": "@fortnightly" }),
        json!({ "schedule": "2026-13-01T00:00:00Z" }),
        json!({ "schedule": "2026-12-01T00:00:00" }),
        json!({ "schedule": 1_798_131_600_000_i64 }),
        json!({ "timezone": "Mars/Olympus" }),
        json!({ "timezone": "" }),
        json!({ "recurring": "yes" }),
        json!({ "recurring": true, "schedule": "now" }),
        json!({ "recurring": true, "schedule": "2099-01-01T00:00:00Z" }),
        json!({ "recurring": true, "schedule": "4070908800000" }),
        json!({ "maxRetries": -1 }),
        json!({ "maxRetries": 11 }),
        json!({ "maxRetries": 1.5 }),
        json!({ "maxRetries": "3" }),
        json!({ "retryDelay": 999 }),
        json!({ "retryDelay": 3_600_001 }),
        json!({ "retryBackoff": "linear" }),
        json!({ "timeout": 99 }),
        json!({ "timeout": 86_400_001 }),
        json!({ "timeout": null }),
        json!({ "overlap": "ignore" }),
        json!({ "misfire": "twice" }),
        json!({ "onExhausted": "panic" }),
        json!({ "keepExecutions": 0 }),
        json!({ "keepExecutions": 10_001 }),
        json!({ "_key": "task-1" }),
        json!({ "status": "active" }),
    ];
    let told = cases.map(|change| {
        let answer = server.client().post("/admin/scheduler", &body(&change)).expect(400);
        let details = answer["details"].as_array().expect("details");
        let fields: Vec<_> = details.iter().filter_map(|detail| detail["field"].as_str()).collect();
        let changed: Vec<_> = change.as_object().expect("an object").keys().collect();
        assert!(fields.len() == 1 && changed.iter().any(|key| *key == fields[0]), "{change}: {answer}");
        format!("{}: {}", fields[0], details[0]["problem"].as_str().expect("a text"))
    });
    assert_snapshot!(told.join("\n"), @r#"
    name: has 2 characters: 3 to 50 are allowed
    name: has 51 characters: 3 to 50 are allowed
    name: must be a string, not a number
    name: must be a string, not null
    description: has 201 characters: at most 200 are allowed
    description: must be a string, not null
    type: "http" is not supported: only "script" is
    handler: must not be empty
    handler: is a file name: leave the extension out and write "fine"
    handler: "../fine" is no handler's name: it is the name of a file below the handlers' folder without its extension, of letters, digits, - and _, with / between folders
    handler: "/etc/passwd" is no handler's name: it is the name of a file below the handlers' folder without its extension, of letters, digits, - and _, with / between folders
    handler: "a//b" is no handler's name: it is the name of a file below the handlers' folder without its extension, of letters, digits, - and _, with / between folders
    handler: no handler "nobody" (tasks/nobody.js is not there): there are fine
    params: must be an object, not an array
    params: must be an object, not null
    schedule: the schedule is empty: give "now", a cron expression such as "0 9 * * 1", an interval such as "every 15m" or a time such as "2026-05-01T09:00:00Z"
    schedule: the minute field is wrong at character 1 ("61"): 61 is out of range: use a number from 0 to 59
    schedule: the hour field is wrong at character 3 ("25"): 25 is out of range: use a number from 0 to 23
    schedule: the month field is wrong at character 7 ("13"): 13 is out of range: use a number from 1 to 12 or a name of three letters such as jan
    schedule: the day of week field is wrong at character 9 ("mun"): "mun" is not understood: use a number from 0 to 7 (0 and 7 are Sunday) or a name of three letters such as mon
    schedule: the minute field is wrong at character 1 ("5-1"): the range runs backwards: write two ranges with a comma between them
    schedule: the minute field is wrong at character 1 ("*/0"): the step is 0: use 1 or more
    schedule: the minute field is wrong at character 1 ("5/10"): a step needs a range: write 5-59/10 to start at 5, or */10
    schedule: the schedule has no run within eight years: no such date comes up (is the day in the month?)
    schedule: a cron expression has 5 fields (minute, hour, day of month, month, day of week) or 6 with seconds in front, but this has 4
    schedule: the interval is 99 ms: use at least 100 ms
    schedule: "every" needs a whole number and a unit: write it as in "every 15m"
    schedule: "@fortnightly" is not known: use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually
    schedule: there is no date 2026-13-01: check the month (1 to 12) and the day
    schedule: "2026-12-01T00:00:00" does not say which zone it is in: add Z for UTC or an offset such as +02:00
    schedule: must be a string, not a number
    timezone: "Mars/Olympus" is not a time zone: give an IANA name such as "Europe/Berlin" or "UTC"
    timezone: the time zone is empty: give an IANA name such as "Europe/Berlin" or "UTC"
    recurring: must be true or false, not a string
    recurring: must be false with the one-time schedule "now"
    recurring: must be false with the one-time schedule "2099-01-01T00:00:00Z"
    recurring: must be false with the one-time schedule "4070908800000"
    maxRetries: must be a whole number from 0 to 10, not -1
    maxRetries: must be a whole number from 0 to 10, not 11
    maxRetries: must be a whole number from 0 to 10, not 1.5
    maxRetries: must be a whole number from 0 to 10, not a string
    retryDelay: must be a whole number from 1000 to 3600000, not 999
    retryDelay: must be a whole number from 1000 to 3600000, not 3600001
    retryBackoff: must be one of "fixed", "exponential", not "linear"
    timeout: must be a whole number from 100 to 86400000, not 99
    timeout: must be a whole number from 100 to 86400000, not 86400001
    timeout: must be a whole number from 100 to 86400000, not null
    overlap: must be one of "skip", "queue", "allow", "replace", not "ignore"
    misfire: must be one of "once", "skip", "all", not "twice"
    onExhausted: must be one of "continue", "stop", not "panic"
    keepExecutions: must be a whole number from 1 to 10000, not 0
    keepExecutions: must be a whole number from 1 to 10000, not 10001
    _key: is not known here; known are name, description, type, handler, params, schedule, timezone, recurring, maxRetries, retryDelay, retryBackoff, timeout, overlap, misfire, onExhausted, keepExecutions, tags, startAt, endAt, maxRuns, jitter, priority, concurrencyKey, after, alerts
    status: is not known here; known are name, description, type, handler, params, schedule, timezone, recurring, maxRetries, retryDelay, retryBackoff, timeout, overlap, misfire, onExhausted, keepExecutions, tags, startAt, endAt, maxRuns, jitter, priority, concurrencyKey, after, alerts
    "#);
    assert_eq!(server.client().get("/admin/scheduler").expect(200)["total"], 0);
}

#[test]
fn the_bounds_themselves_are_allowed() {
    let server = server();
    let cases = [
        json!({ "name": "abc" }),
        json!({ "name": "ü".repeat(50) }),
        json!({ "description": "💥".repeat(200) }),
        json!({ "maxRetries": 0, "retryDelay": 1000, "timeout": 100, "keepExecutions": 1 }),
        json!({ "maxRetries": 10, "retryDelay": 3_600_000, "timeout": 86_400_000, "keepExecutions": 10_000 }),
        json!({ "schedule": "every 100ms", "recurring": true }),
        json!({ "schedule": "0 0 29 2 *" }),
        json!({ "params": nested(32) }),
        json!({ "params": { "filling": "x".repeat(256 * 1024 - r#"{"filling":""}"#.len()) } }),
    ];
    for (number, change) in cases.iter().enumerate() {
        let mut body = body(change);
        if change.get("name").is_none() {
            body["name"] = json!(format!("task {number}"));
        }
        let answer = server.client().post("/admin/scheduler", &body);
        assert_eq!(answer.status, 201, "{number}: {}", answer.body);
        let id = answer.body["task"]["_key"].as_str().expect("an id");
        assert_eq!(server.task(id)["params"], body.get("params").cloned().unwrap_or_else(|| json!({})));
    }
}

/// An object with `levels` levels.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({ "bottom": 1 }), |inner, level| {
        if level % 2 == 0 || level == levels - 1 { json!({ "in": inner }) } else { json!([inner]) }
    })
}

#[test]
fn params_are_bounded_and_free_of_names_that_mean_something_to_javascript() {
    let server = server();
    let told = |params: &str| {
        let text = body(&json!({ "params": "PARAMS" })).to_string().replace("\"PARAMS\"", params);
        let client = server.client();
        let request = client.request("POST", "/admin/scheduler").header("content-type", "application/json");
        let answer = client.send(request, text).expect(400);
        let details = answer["details"].as_array().expect("details");
        let texts = details.iter().map(|d| {
            format!("{}: {}", d["field"].as_str().expect("a text"), d["problem"].as_str().expect("a text"))
        });
        texts.collect::<Vec<_>>().join("; ")
    };
    let large = json!({ "filling": "x".repeat(256 * 1024) }).to_string();
    let deep = nested(33).to_string();
    let cases = [
        r#"{"__proto__": {"admin": true}}"#,
        r#"{"list": [1, {"constructor": 1}]}"#,
        r#"{"a": {"b": {"prototype": 1}}}"#,
        r#"{"__prot\u006f__": 1}"#,
        &large,
        &deep,
    ];
    let mut texts = cases.map(told);
    texts[5] = texts[5].replace(".in", "").replace("[0]", "");
    assert_snapshot!(texts.join("\n"), @r#"
    params.__proto__: the key "__proto__" is not allowed at any level
    params.list[1].constructor: the key "constructor" is not allowed at any level
    params.a.b.prototype: the key "prototype" is not allowed at any level
    params.__proto__: the key "__proto__" is not allowed at any level
    params: takes 262158 bytes as JSON: at most 262144 are allowed
    params: is nested deeper than 32 levels
    "#);

    // The parameters of one run have the same bound.
    let id = server.create_dormant("runs", "module.exports = () => 1", &json!({}));
    let path = format!("/admin/scheduler/{id}/actions/run");
    let once = json!({ "params": { "deep": [{ "constructor": 1 }] } });
    assert_eq!(
        server.client().post(&path, &once).expect(400)["details"][0]["field"],
        "params.deep[0].constructor"
    );
    assert_eq!(server.client().post(&path, &json!({ "params": 1 })).status, 400);
    assert_eq!(server.client().post(&path, &json!({ "parms": {} })).status, 400);
    assert_eq!(server.executions(&id).len(), 0);
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let _guard = redact();
    let wrong = json!({ "name": "x", "handler": "fine", "schedule": "* * *", "timeout": 1, "retries": 3 });
    let server = server();
    let answer = server.client().post("/admin/scheduler", &wrong);
    assert_json_snapshot!(answer.expect(400), @r#"
    {
      "error": true,
      "code": 400,
      "errorNum": 400,
      "errorMessage": "Invalid request: description is required; retries is not known here; known are name, description, type, handler, params, schedule, timezone, recurring, maxRetries, retryDelay, retryBackoff, timeout, overlap, misfire, onExhausted, keepExecutions, tags, startAt, endAt, maxRuns, jitter, priority, concurrencyKey, after, alerts; name has 1 character: 3 to 50 are allowed; schedule: a cron expression has 5 fields (minute, hour, day of month, month, day of week) or 6 with seconds in front, but this has 3; timeout must be a whole number from 100 to 86400000, not 1",
      "message": "Invalid request: description is required; retries is not known here; known are name, description, type, handler, params, schedule, timezone, recurring, maxRetries, retryDelay, retryBackoff, timeout, overlap, misfire, onExhausted, keepExecutions, tags, startAt, endAt, maxRuns, jitter, priority, concurrencyKey, after, alerts; name has 1 character: 3 to 50 are allowed; schedule: a cron expression has 5 fields (minute, hour, day of month, month, day of week) or 6 with seconds in front, but this has 3; timeout must be a whole number from 100 to 86400000, not 1",
      "details": [
        {
          "field": "description",
          "problem": "is required"
        },
        {
          "field": "retries",
          "problem": "is not known here; known are name, description, type, handler, params, schedule, timezone, recurring, maxRetries, retryDelay, retryBackoff, timeout, overlap, misfire, onExhausted, keepExecutions, tags, startAt, endAt, maxRuns, jitter, priority, concurrencyKey, after, alerts"
        },
        {
          "field": "name",
          "problem": "has 1 character: 3 to 50 are allowed"
        },
        {
          "field": "schedule",
          "problem": "a cron expression has 5 fields (minute, hour, day of month, month, day of week) or 6 with seconds in front, but this has 3"
        },
        {
          "field": "timeout",
          "problem": "must be a whole number from 100 to 86400000, not 1"
        }
      ],
      "requestId": "[request id]"
    }
    "#);
    let empty = server.client().post("/admin/scheduler", &json!({})).expect(400);
    let fields: Vec<_> = empty["details"].as_array().expect("details").iter().map(|d| &d["field"]).collect();
    assert_eq!(fields, ["name", "description", "handler", "schedule"]);
}

#[test]
fn a_handler_that_does_not_load_is_refused_with_the_reason() {
    let server = server();
    server.home.write("lib/broken", "exports.half = {\n  a: 1,,\n};\n");
    let cases = [
        ("syntax", "// A comment.\nmodule.exports = () => {\n  return 1 +;\n};\n"),
        ("throws", "const settings = undefined;\nmodule.exports = settings.handler;\n"),
        ("requires", "const half = require('./lib/broken');\nmodule.exports = () => half;\n"),
        ("missing", "module.exports = require('./nothing');\n"),
        ("module", "export const a = 1;\n"),
        ("nothing", "// I forgot.\n"),
        ("number", "module.exports = 42;\n"),
        ("helpers", "exports.a = () => 1;\nexports.b = () => 2;\n"),
    ];
    let told = cases.map(|(name, source)| {
        server.home.write(name, source);
        let answer = server.client().post("/admin/scheduler", &body(&json!({ "handler": name }))).expect(400);
        assert_eq!(answer["details"][0]["field"], "handler", "{answer}");
        answer["details"][0]["problem"].as_str().expect("a text").to_owned()
    });
    assert_snapshot!(told.join("\n---\n"), @"
    tasks/syntax.js:3:13: SyntaxError: Unexpected token ';'
        return 1 +;
                  ^
    ---
    TypeError: Cannot read properties of undefined (reading 'handler'), at Object.<anonymous> (tasks/throws.js:2:27)
    ---
    tasks/lib/broken.js:2:8: SyntaxError: Unexpected token ','
        a: 1,,
             ^
    ---
    Cannot find module './nothing' from tasks/missing.js; looked for tasks/nothing as it is, with .js, .cjs, .mjs, .json, .ts, .cts, .mts, and for an index file in it, at Object.<anonymous> (tasks/missing.js:1:18)
    ---
    tasks/module.js exports an object with a; a handler exports a function: export default async (params, ctx) => { … }
    ---
    tasks/nothing.js exports an empty object; a handler exports a function: module.exports = async (params, ctx) => { … }
    ---
    tasks/number.js exports a number; a handler exports a function: module.exports = async (params, ctx) => { … }
    ---
    tasks/helpers.js exports an object with a, b; a handler exports a function: module.exports = async (params, ctx) => { … }
    ");

    let id = server.create_dormant("runs", "module.exports = () => 1", &json!({}));
    let path = format!("/admin/scheduler/{id}");
    assert_eq!(server.client().put(&path, &json!({ "handler": "syntax" })).status, 400);
    assert_eq!(server.task(&id)["handler"], "runs");
}
