//! Tasks that run after other tasks.

use serde_json::{Value, json};

use crate::harness::{GATED, Server, task, until};

/// A body of a task without a schedule that runs after another one and returns `ctx.after`.
fn follower(server: &Server, name: &str, of: &str, on: &str) -> String {
    server.home.write("tells", "module.exports = (params, ctx) => ctx.after");
    let body =
        json!({ "name": name, "description": "", "handler": "tells", "after": { "taskId": of, "on": on } });
    server.create(&body)
}

/// The one execution that a task has, once it has completed.
#[track_caller]
fn only_run(server: &Server, id: &str) -> Value {
    let rows = until("the task has run", || {
        let rows = server.executions(id);
        rows.iter().any(|row| row["status"] == "completed").then_some(rows)
    });
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone()
}

#[test]
fn a_task_runs_after_another_one_and_has_its_result() {
    let server = Server::start();
    let first = server.create_dormant("first", "module.exports = () => ({ rows: 3 })", &json!({}));
    let on_success = follower(&server, "on success", &first, "success");
    let on_failure = follower(&server, "on failure", &first, "failure");
    let at_last = follower(&server, "at last", &on_success, "end");
    let document = server.task(&on_success);
    assert_eq!((&document["schedule"], &document["scheduleType"]), (&json!("never"), &json!("never")));
    assert_eq!((&document["nextRun"], &document["status"]), (&Value::Null, &json!("active")));

    let run = server.run(&first);
    let row = only_run(&server, &on_success);
    assert_eq!(row["trigger"], "after");
    let after = &row["result"];
    assert_eq!(
        [&after["taskId"], &after["taskName"], &after["executionId"], &after["status"], &after["result"]],
        [&json!(first), &json!("first"), &run["id"], &json!("completed"), &json!({ "rows": 3 })]
    );
    let last = only_run(&server, &at_last);
    assert_eq!(last["result"]["executionId"], row["id"], "a chain goes on");
    assert_eq!(server.executions(&on_failure).len(), 0);
    assert_eq!(server.run(&on_success)["result"], Value::Null, "a run by hand follows nothing");
}

#[test]
fn a_lost_run_is_told_of_after_the_restart() {
    let mut server = Server::start();
    server.home.write("gated", GATED);
    let first = server.create(&task("first", "gated", "now", &json!({})));
    server.until_status(&first, "running");
    let cleanup = follower(&server, "cleanup", &first, "failure");
    server.kill();
    server.start_again();
    let row = only_run(&server, &cleanup);
    assert_eq!(row["result"]["status"], "failed");
    assert!(row["result"]["error"].as_str().is_some_and(|error| error.contains("died")), "{row}");
}

#[test]
fn a_circle_a_stranger_and_the_deletion_of_a_predecessor_are_refused() {
    let server = Server::start();
    let first = server.create_dormant("first", "module.exports = () => 1", &json!({}));
    let second = follower(&server, "second", &first, "end");
    let path = |id: &str| format!("/admin/scheduler/{id}");
    let circle = json!({ "after": { "taskId": second, "on": "end" } });
    let answer = server.client().put(&path(&first), &circle).expect(400);
    assert_eq!(answer["details"][0]["field"], "after.taskId");
    assert!(answer["message"].as_str().is_some_and(|text| text.contains("circle: \"first\" runs after")));
    let stranger = json!({ "after": { "taskId": "task-01arz3ndektsv4rrffq69g5fav", "on": "end" } });
    assert!(server.client().put(&path(&first), &stranger).message(400).contains("names no task"));
    assert!(server.client().delete(&path(&first)).message(409).contains("\"second\" runs after it"));
    server.client().put(&path(&second), &json!({ "after": null })).expect(200);
    server.client().delete(&path(&first)).expect(200);
}
