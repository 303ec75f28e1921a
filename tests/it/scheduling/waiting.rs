//! Runs that wait: answers tell the cause of a wait, and a cancellation that finds no run in progress does too.

use serde_json::json;

use crate::harness::{GATED, Server};

#[test]
fn a_run_that_waits_for_a_slot_is_said_to_wait() {
    let server = Server::start();
    let keyed = json!({ "concurrencyKey": "database" });
    let first = server.create_dormant("first", GATED, &keyed);
    let second = server.create_dormant("second", "module.exports = () => 2", &keyed);
    let earlier =
        server.run_with(&server.create_dormant("free", "module.exports = () => 3", &json!({})), &json!({}));
    server.act(&first, "run").expect(200);
    server.until_output(&first);
    let waits = "waits for a slot of the concurrency key \"database\"";
    let begun = server.act(&second, "run").expect(200);
    assert_eq!(begun["meta"]["message"], format!("Task \"second\" execution {waits}"));
    let refused = server.act(&second, "cancel").message(409);
    assert_eq!(refused, format!("Task is not running: its next run {waits}"));
    let rerun = format!("/admin/executions/{}/actions/rerun", earlier["id"].as_str().expect("an id"));
    let begun = server.client().action(&rerun).expect(200);
    assert_eq!(begun["meta"]["message"], "Task \"free\" execution started");
    server.open_gate();
    server.until_rows(&second, "completed", 1);
    assert_eq!(server.act(&second, "cancel").message(409), "Task is not running");
}

#[test]
fn a_cancellation_between_two_attempts_tells_the_time_of_the_next_one() {
    let server = Server::start();
    let more = json!({ "maxRetries": 1, "retryDelay": 3_600_000 });
    let id = server.create_dormant("fails", "module.exports = () => { throw new Error('no') }", &more);
    server.run(&id);
    let refused = server.act(&id, "cancel").message(409);
    let wait = "Task is not running: its next run is attempt 2 and waits for its time, 2";
    assert!(refused.starts_with(wait), "{refused}");
    server.act(&id, "pause").expect(200);
    let refused = server.act(&id, "cancel").message(409);
    assert_eq!(refused, "Task is not running: its next run waits until the task is resumed");
}
