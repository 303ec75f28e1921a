//! Requests to one server about a run of another one.

use serde_json::{Value, json};

use super::{Cluster, node_of};
use crate::harness::{Database, ENDLESS, GATED, Server, field, task, until};

/// Two servers, and a run on the first: nobody else had joined when it began.
fn start_with_run(cluster: &Cluster<'_>, handler: &str) -> (Server, Server, String, Value) {
    let a = cluster.start("a", &[("handler", handler)]);
    let id = a.create(&task("long", "handler", "now", &Value::Null));
    a.until_output(&id);
    let b = cluster.start("b", &[("handler", handler)]);
    let execution = b.executions(&id)[0].clone();
    assert_eq!(execution["node"].as_str().map(str::to_owned), node_of(&b, "a"), "the first server runs it");
    (a, b, id, execution["id"].clone())
}

#[test]
fn a_run_is_cancelled_whichever_server_is_asked() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "cancel");
    let (a, b, id, execution) = start_with_run(&cluster, ENDLESS);
    b.act(&id, "cancel").expect(200);
    let row = b.execution(&id, &execution);
    assert_eq!(row["status"], "cancelled", "the answer comes after the end");
    assert_eq!(a.execution(&id, &execution), row);
    until("its runner is free", || (a.client().get("/ready").body["runners"]["waiting"] == 0).then_some(()));
}

#[test]
fn a_task_that_another_server_runs_is_deleted() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "delete");
    let (a, b, id, _) = start_with_run(&cluster, ENDLESS);
    b.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    assert_eq!(a.client().get(&format!("/admin/scheduler/{id}")).status, 404);
}

#[test]
fn a_request_waits_for_a_run_that_another_server_takes() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "wait");
    let a = cluster.start("a", &[("one", "module.exports = () => 1")]);
    // It has room for one run.
    let full = cluster.options("b").set("RUNNERS__MAX", "1").start();
    full.home.write("one", "module.exports = () => 1");
    full.home.write("gated", GATED);
    let gated = full.create(&task("gated", "gated", "0 0 1 1 *", &json!({ "recurring": true })));
    let other = full.create(&task("one", "one", "0 0 1 1 *", &json!({ "recurring": true })));
    let b = node_of(&a, "b").expect("it lives");
    // The first server has no such handler, so that only runs of the second one are at the gate.
    until("the second server is full", || {
        full.act(&gated, "run").expect(200);
        let rows = until("it has begun or failed", || {
            let rows = full.executions(&gated);
            rows.first().is_some_and(|row| row["node"].is_string()).then_some(rows)
        });
        (rows[0]["status"] == "running" && rows[0]["node"] == b).then_some(())
    });
    let row = full.run(&other);
    let a = node_of(&a, "a").expect("it lives");
    assert_eq!(field(&row, ["status", "node"]), [json!("completed"), json!(a)]);
    full.open_gate();
}

#[test]
fn the_output_of_a_run_is_followed_on_another_server() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "output");
    let (a, b, _, execution) = start_with_run(&cluster, GATED);
    let path = format!("/admin/executions/{}/stream", execution.as_str().expect("an id"));
    let mut stream = b.client().open(&path);
    let first = stream.until("lines");
    let line = &first.last().expect("an event").data[0];
    assert_eq!(field(line, ["n", "message"]), [json!(0), json!("at the gate")]);
    a.open_gate();
    let rest = stream.until("end");
    let end = &rest.last().expect("an end").data;
    assert_eq!(field(end, ["status", "result"]), [json!("completed"), json!("through")]);
}
