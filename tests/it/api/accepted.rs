//! Requests that differ from the documents but have a plain meaning: they work.

use serde_json::{Value, json};

use crate::harness::{Server, field, task, until};

#[test]
fn a_body_that_starts_with_a_byte_order_mark_is_read() {
    let server = Server::start();
    server.home.write("marked", "module.exports = (params) => params");
    let client = server.client();
    let send = |path: &str, body: &Value| {
        let request = client.request("POST", path).header("content-type", "application/json");
        client.send(request, format!("\u{feff}{body}"))
    };
    let created = send("/admin/scheduler", &task("marked", "marked", "0 0 1 1 *", &json!({}))).expect(201);
    let id = created["task"]["_key"].as_str().expect("an id");
    let run = send(&format!("/admin/scheduler/{id}/actions/run?wait=true"), &json!({"params": {"a": 1}}));
    assert_eq!(run.expect(200)["execution"]["result"], json!({"a": 1}));
    assert_eq!(send(&format!("/admin/scheduler/{id}/actions/pause"), &json!({})).status, 200);
    let wrong = client.request("POST", "/admin/scheduler").header("content-type", "application/json");
    let message = client.send(wrong, "\u{feff}{\"name\": tru}").message(400);
    assert!(message.contains("line 1 column"), "{message}");
}

#[test]
fn the_whole_document_of_a_task_can_be_sent_back_with_a_change() {
    let server = Server::start();
    let source = "module.exports = () => ({ ratio: 1.0, big: 12345678901234567890, list: [0.1] })";
    let id = server.create_dormant("whole", source, &json!({"params": {"b": 1, "a": [1.5]}}));
    server.run(&id);
    let path = format!("/admin/scheduler/{id}");
    let before = server.task(&id);
    let same = server.client().put(&path, &before).expect(200)["task"].take();
    assert_eq!(same, before, "nothing has changed, so nothing is changed");

    let answer = server.client().get(&path).expect(200);
    assert_eq!(server.client().put(&path, &answer).expect(200)["task"], before, "the whole answer works too");

    let mut changed = before.clone();
    changed["description"] = json!("by the whole document");
    changed["schedule"] = json!("0 0 2 1 *");
    let after = server.client().put(&path, &changed).expect(200)["task"].take();
    assert_eq!(field(&after, ["description", "schedule"]), field(&changed, ["description", "schedule"]));
    assert_eq!(
        field(&after, ["_key", "createdAt", "executions"]),
        field(&before, ["_key", "createdAt", "executions"])
    );
}

#[test]
fn a_field_that_cannot_be_changed_is_named_when_it_is() {
    let server = Server::start();
    let id = server.create_dormant("fixed", "module.exports = () => 1", &json!({}));
    server.run(&id);
    let path = format!("/admin/scheduler/{id}");
    let document = server.task(&id);
    let cases = [
        ("_key", json!("task-01arz3ndektsv4rrffq69g5fav")),
        ("scheduleType", json!("hourly")),
        ("nextRun", json!(0)),
        ("period", json!(5)),
        ("retryCount", json!(3)),
        ("lastRetry", json!(1)),
        ("status", json!("paused")),
        ("createdAt", json!(1)),
        ("updatedAt", json!(1)),
        ("lastExecution", Value::Null),
        ("executions", json!([])),
    ];
    for (name, value) in cases {
        for body in [json!({ name: value }), {
            let mut whole = document.clone();
            whole["name"] = json!("other name");
            whole[name] = value.clone();
            whole
        }] {
            let answer = server.client().put(&path, &body).expect(400);
            let details = answer["details"].as_array().expect("details");
            assert_eq!(details.len(), 1, "{name}: {answer}");
            assert_eq!(details[0]["field"], name, "{answer}");
            let problem = details[0]["problem"].as_str().expect("a text");
            assert!(problem.contains("read-only"), "{name}: {problem}");
        }
    }
    assert_eq!(server.task(&id), document, "nothing has changed");
    // Other mistakes in the body are reported too.
    let several = server.client().put(&path, &json!({"status": "paused", "timeout": 1, "color": "red"}));
    let several = several.expect(400);
    let mut fields: Vec<_> =
        several["details"].as_array().expect("details").iter().map(|d| &d["field"]).collect();
    fields.sort_by_key(ToString::to_string);
    assert_eq!(fields, ["color", "status", "timeout"]);
}

#[test]
fn a_document_from_before_the_tasks_last_run_can_still_be_sent_back() {
    let server = Server::start();
    let id = server.create_dormant("stale", "module.exports = () => 1", &json!({}));
    server.run(&id);
    let mut old = server.task(&id);
    until("the clock goes on", || {
        server.run(&id);
        (server.task(&id)["updatedAt"] != old["updatedAt"]).then_some(())
    });
    old["description"] = json!("new");
    let after = server.client().put(&format!("/admin/scheduler/{id}"), &old).expect(200)["task"].take();
    assert_eq!(after["description"], "new");
    old["_key"] = json!("task-01arz3ndektsv4rrffq69g5fav");
    let refused = server.client().put(&format!("/admin/scheduler/{id}"), &old).message(400);
    assert!(refused.contains("_key is read-only"), "{refused}");
}

#[test]
fn an_interval_may_be_written_as_other_crons_write_it() {
    let server = Server::start();
    let preview = |schedule: &str| {
        let path = format!("/admin/schedule/preview?after=0&count=2&schedule={schedule}");
        let answer = server.client().get(&path).expect(200);
        field(&answer, ["scheduleType", "description", "next"])
    };
    assert_eq!(preview("@every%205m"), preview("every%205m"));
    assert_eq!(preview("%20@EVERY%201h%20"), preview("every%201h"));
    let wrong = server.client().get("/admin/schedule/preview?schedule=@every%205").message(400);
    assert!(wrong.contains("has no unit"), "{wrong}");
    let id = server.create_dormant("often", "module.exports = () => 1", &json!({}));
    let body = json!({"schedule": "@every 1h"});
    let task = server.client().put(&format!("/admin/scheduler/{id}"), &body).expect(200)["task"].take();
    assert_eq!(field(&task, ["schedule", "period"]), [json!("@every 1h"), json!(3_600_000)]);
}

#[test]
fn a_slash_at_the_end_of_a_path_changes_nothing() {
    let server = Server::start();
    let id = server.create_dormant("slashed", "module.exports = () => 1", &json!({}));
    let client = server.client();
    for path in [
        "/health/".to_owned(),
        "/ready/".to_owned(),
        "/admin/scheduler/".to_owned(),
        "/admin/scheduler/?limit=1".to_owned(),
        format!("/admin/scheduler/{id}/"),
        format!("/admin/scheduler/{id}/executions/"),
        "/admin/handlers/".to_owned(),
        "/admin/schedule/preview/?schedule=@daily".to_owned(),
    ] {
        assert_eq!(client.get(&path).status, 200, "{path}");
    }
    assert_eq!(client.action(&format!("/admin/scheduler/{id}/actions/run/?wait=true")).status, 200);
    for path in ["/admin/", "/admin/scheduler/", "/admin/handlers//"] {
        let answer = client.send(client.anonymous("GET", path), "");
        assert_eq!(answer.status, 401, "{path} needs the token");
    }
    assert_eq!(client.get("/admin/nothing/").message(404), "There is nothing at /admin/nothing");
    assert_eq!(client.get(&format!("/admin/scheduler/{id}/?unknown=1")).status, 400);
}

#[test]
fn patch_is_put() {
    let server = Server::start();
    let id = server.create_dormant("patched", "module.exports = () => 1", &json!({}));
    let client = server.client();
    let request = client.request("PATCH", &format!("/admin/scheduler/{id}"));
    let request = request.header("content-type", "application/json");
    let answer = client.send(request, json!({"timeout": 1234}).to_string()).expect(200);
    assert_eq!(answer["task"]["timeout"], 1234);
    assert_eq!(answer["meta"]["message"], "Task updated successfully");
}
