//! Missing things, and changes that conflict with the state.

use serde_json::{Value, json};

use crate::harness::{GATED, Server, task};

const UNKNOWN: &str = "task-01j9zzzzzzzzzzzzzzzzzzzzzz";

#[test]
fn what_does_not_exist_is_404_whatever_is_asked_of_it() {
    let server = Server::start();
    let client = server.client();
    for id in [UNKNOWN, "1", "task-", "exec-01j9zzzzzzzzzzzzzzzzzzzzzz", "%00", "task-%F0%9F%92%A5"] {
        let path = format!("/admin/scheduler/{id}");
        assert_eq!(client.get(&path).message(404), "Task not found", "{id}");
        assert_eq!(client.put(&path, &json!({ "description": "x" })).message(404), "Task not found", "{id}");
        assert_eq!(client.delete(&path).message(404), "Task not found", "{id}");
        for action in ["run", "pause", "resume", "reset-retries", "cancel"] {
            assert_eq!(server.act(id, action).message(404), "Task not found", "{action} {id}");
        }
        assert_eq!(client.get(&format!("{path}/executions")).message(404), "Task not found", "{id}");
        assert_eq!(client.get(&format!("{path}/executions/exec-1")).status, 404, "{id}");
    }
    let id = server.create_dormant("there", "module.exports = () => 1", &json!({}));
    for execution in ["exec-01j9zzzzzzzzzzzzzzzzzzzzzz", "nonsense", &id] {
        let path = format!("/admin/scheduler/{id}/executions/{execution}");
        assert_eq!(client.get(&path).message(404), "Execution not found", "{execution}");
    }
    // An execution belongs to its task: it cannot be read through another task.
    let other = server.create_dormant("other", "module.exports = () => 1", &json!({}));
    let execution = server.run(&other)["id"].take();
    let path = format!("/admin/scheduler/{id}/executions/{}", execution.as_str().expect("an id"));
    assert_eq!(client.get(&path).message(404), "Execution not found");
    for path in ["/nothing", "/admin/nothing", "/admin/scheduler/x/y", "/favicon.ico"] {
        let answer = client.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        assert_eq!(answer.body["error"], true, "{path}: {}", answer.body);
    }
}

#[test]
fn a_name_is_taken_once() {
    let server = Server::start();
    let first = server.create_dormant("first", "module.exports = () => 1", &json!({}));
    let second = server.create_dormant("second", "module.exports = () => 1", &json!({}));
    let again = server.client().post("/admin/scheduler", &task("first", "first", "@daily", &Value::Null));
    assert_eq!(again.message(409), "Task with name \"first\" already exists");
    let path = format!("/admin/scheduler/{second}");
    let renamed = server.client().put(&path, &json!({ "name": "first" }));
    assert_eq!(renamed.message(409), "Task with name \"first\" already exists");
    assert_eq!(server.task(&second)["name"], "second");
    server.client().put(&path, &json!({ "name": "second", "description": "same name" })).expect(200);
    server.client().put(&format!("/admin/scheduler/{first}"), &json!({ "name": "third" })).expect(200);
    server.client().put(&path, &json!({ "name": "first" })).expect(200);
}

#[test]
fn actions_that_do_not_fit_the_status_are_conflicts() {
    let server = Server::start();
    let id = server.create_dormant("gated", GATED, &json!({}));
    assert_eq!(server.act(&id, "resume").message(409), "Task is not paused");
    assert_eq!(server.act(&id, "cancel").message(409), "Task is not running");
    server.act(&id, "pause").expect(200);
    assert_eq!(server.act(&id, "pause").message(409), "Task is already paused");
    server.act(&id, "run").expect(200);
    assert_eq!(server.act(&id, "run").message(409), "Task is already running");
    assert_eq!(server.task(&id)["status"], "running", "running goes before paused");
    server.open_gate();
    assert_eq!(server.until_status(&id, "paused")["lastExecution"]["status"], "completed");
    assert_eq!(server.act(&id, "cancel").message(409), "Task is not running");
    assert_eq!(server.executions(&id).len(), 1, "what was refused left no trace");
}

#[test]
fn of_many_who_want_the_same_name_or_the_same_run_one_gets_it() {
    let server = Server::start();
    let id = server.create_dormant("gated", GATED, &json!({}));
    let body = task("contested", "gated", "@daily", &json!({ "recurring": true }));
    let statuses = |ask: &(dyn Fn() -> u16 + Sync)| {
        std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            let mut found: Vec<_> = asking.into_iter().map(|one| one.join().expect("an answer")).collect();
            found.sort_unstable();
            found
        })
    };
    let one_of = |status: u16| {
        let mut all = vec![status];
        all.extend([409; 7]);
        all
    };
    assert_eq!(statuses(&|| server.client().post("/admin/scheduler", &body).status), one_of(201));
    assert_eq!(statuses(&|| server.act(&id, "run").status), one_of(200));
    assert_eq!(server.executions(&id).len(), 1);
}
