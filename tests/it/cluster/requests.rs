//! Requests to one server about a run of another one.

use serde_json::{Value, json};

use super::{CALM, Cluster, TOKEN, node_of};
use crate::harness::{Database, ENDLESS, GATED, Happening, Server, field, task, until};

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
    let cluster = Cluster::new(database, "cancel").with_lease(CALM);
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
    let cluster = Cluster::new(database, "delete").with_lease(CALM);
    let (a, b, id, _) = start_with_run(&cluster, ENDLESS);
    b.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    assert_eq!(a.client().get(&format!("/admin/scheduler/{id}")).status, 404);
}

#[test]
fn a_request_waits_for_a_run_that_another_server_takes() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "wait").with_lease(CALM);
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
        let asked = full.act(&gated, "run").expect(200)["executionId"].take();
        let row = until("it has begun on this server, or is over", || {
            let row = full.executions(&gated).into_iter().find(|row| row["id"] == asked)?;
            (row["status"] != "running" || row["node"] == b).then_some(row)
        });
        (row["status"] == "running").then_some(())
    });
    let row = full.run(&other);
    let a = node_of(&a, "a").expect("it lives");
    assert_eq!(field(&row, ["status", "node"]), [json!("completed"), json!(a)]);
    full.open_gate();
}

#[test]
fn the_output_of_a_run_is_followed_on_another_server() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "output").with_lease(CALM);
    let (a, b, _, execution) = start_with_run(&cluster, GATED);
    // The other server looks at the changes of all from then on.
    let mut news = b.client().open("/admin/events");
    news.until("gap");
    let path = format!("/admin/executions/{}/stream", execution.as_str().expect("an id"));
    let mut stream = b.client().open(&path);
    let first = stream.until("lines");
    let line = &first.last().expect("an event").data[0];
    assert_eq!(field(line, ["n", "message"]), [json!(0), json!("at the gate")]);
    a.open_gate();
    let rest = stream.until("end");
    assert!(rest.iter().any(|event| event.name == "execution-ended"), "{rest:?}");
    let end = &rest.last().expect("an end").data;
    assert_eq!(field(end, ["status", "result"]), [json!("completed"), json!("through")]);
}

#[test]
fn a_node_that_is_drained_finishes_its_runs_and_takes_no_new_ones_until_it_is_let() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "drain").with_lease(CALM);
    let a = cluster.start("a", &[("handler", GATED), ("tick", "module.exports = () => 1")]);
    let id = a.create(&task("long", "handler", "now", &Value::Null));
    a.until_output(&id);
    let ticks = a.create(&task("ticks", "tick", "every 500ms", &json!({ "recurring": true })));
    a.until_rows(&ticks, "completed", 1);
    let node = node_of(&a, "a").expect("it lives");
    let drain = |action: &str| {
        let path = format!("/admin/nodes/{node}/actions/{action}");
        a.client().action(&path).expect(200)["node"]["drained"].take()
    };

    // The only node: its scheduler claims nothing, and goes on being a member.
    assert_eq!(drain("drain"), true);
    assert_eq!(a.client().get("/admin/nodes").expect(200)["nodes"][0]["drained"], true);
    until("runs that were claimed before have ended", || {
        let rows = a.executions(&ticks);
        rows.iter().all(|row| row["status"] != "running").then_some(())
    });
    let taken = a.executions(&ticks)[0]["id"].clone();
    let b = cluster.start("b", &[("tick", "module.exports = () => 1")]);
    let rows = until("the other node takes what is due", || {
        let rows: Vec<_> = a.executions(&ticks).into_iter().take_while(|row| row["id"] != taken).collect();
        (rows.len() >= 3).then_some(rows)
    });
    let other = node_of(&a, "b").expect("it lives");
    let of_b = |row: &Value| row["status"] == "skipped" || row["node"] == other;
    assert!(rows.iter().all(of_b), "{rows:?}");
    assert_eq!(a.task(&id)["status"], "running", "the run that it had goes on");
    a.open_gate();
    a.until_status(&id, "completed");

    // Any node is asked, by the name of any.
    let url = format!("http://{}", b.client().address());
    let command = |arguments: &[&str]| {
        let mut command = b.home.command(&[arguments, &["--server", &url]].concat());
        let output = command.env("ISOCHRON_TOKEN", TOKEN).output().expect("it runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert!(command(&["node", "list"]).contains("drained"));
    assert_eq!(command(&["node", "drain", "a", "--undo"]), "the node a takes runs again\n");
    until("both take runs again", || {
        a.executions(&ticks).iter().take(5).any(|row| row["node"] == node).then_some(())
    });
    let audit = a.client().get("/admin/audit?action=drain").expect(200);
    assert_eq!(audit["records"][0]["target"]["id"], "a", "{audit}");
    assert_eq!(a.client().action("/admin/nodes/node-x/actions/drain").status, 404);
}

#[test]
fn servers_with_other_handlers_are_named_until_their_files_are_the_same() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "differing").with_lease(CALM);
    let [a, b] = [("a", "1"), ("b", "2")].map(|(name, result)| {
        cluster.start(name, &[("one", format!("module.exports = () => {result}").as_str())])
    });
    let differing = || a.client().get("/ready").body["cluster"]["differing"].clone();
    until("the other is named", || (differing() == json!(["b"])).then_some(()));
    let anyone = a.client().text(a.client().anonymous("GET", "/ready"));
    assert!(anyone.contains("1 server: a token") && !anyone.contains("[\"b\"]"), "{anyone}");
    b.home.write("one", "module.exports = () => 1");
    until("the files are the same", || (differing() == json!([])).then_some(()));
    assert!(a.log().contains("the files of the handlers of other servers differ"), "{}", a.log());
}

#[test]
fn events_of_every_server_are_heard_on_each() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "events").with_lease(CALM);
    let [a, b] = ["a", "b"].map(|name| cluster.start(name, &[("one", "module.exports = () => 1")]));
    until("each knows of the other", || {
        let nodes = |server: &Server| server.client().get("/ready").body["cluster"]["nodes"].clone();
        (nodes(&a) == 2 && nodes(&b) == 2).then_some(())
    });
    let [mut heard, mut own] = [&a, &b].map(|server| server.client().open("/admin/events"));
    // Both look at the changes of all from now on.
    for stream in [&mut heard, &mut own] {
        stream.until("gap");
    }
    // So that the second server runs what it is asked to run.
    let first = node_of(&a, "a").expect("it lives");
    a.client().action(&format!("/admin/nodes/{first}/actions/drain")).expect(200);
    let id = b.create(&task("theirs", "one", "0 0 1 1 *", &json!({ "recurring": true })));
    let of_task = |happening: &Happening| happening.data["taskId"] == id.as_str();
    let created = heard.until("task-created").pop().expect("an event");
    assert!(of_task(&created), "{created:?}");
    assert_eq!((&created.data["taskName"], &created.data["handler"]), (&json!("theirs"), &json!("one")));
    b.act(&id, "pause").expect(200);
    let paused = heard.until("task-updated").pop().expect("an event");
    assert_eq!((of_task(&paused), &paused.data["task"]["status"]), (true, &json!("paused")));
    let run = b.act(&id, "run").expect(200);
    let ended = heard.until("execution-ended").pop().expect("an event");
    assert_eq!(
        (&ended.data["executionId"], &ended.data["status"]),
        (&run["executionId"], &json!("completed"))
    );
    // Whose handlers are bound to others does not learn of the deletion: all read their lists anew.
    b.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    heard.until("gap");
    // The events of the server itself are told once.
    let all = own.until("task-deleted");
    let mut names: Vec<_> = all.iter().filter(|event| of_task(event)).map(|event| &*event.name).collect();
    names.retain(|name| *name != "progress");
    assert_eq!(
        names,
        [
            "task-created",
            "task-updated",
            "task-updated",
            "execution-started",
            "execution-ended",
            "task-deleted"
        ],
        "{all:?}"
    );
}
