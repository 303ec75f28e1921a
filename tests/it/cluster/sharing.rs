//! Servers that all work.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Cluster, living, node_of};
use crate::harness::{Database, Server, task, until};

const TICK: &str = "module.exports = async () => { await new Promise((go) => setTimeout(go, 100)) };";
/// Tasks that are due at the same times.
const TASKS: usize = 12;

fn nodes_of(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().filter_map(|row| row["node"].as_str()).map(str::to_owned).collect()
}

#[test]
fn two_servers_share_what_is_due_and_no_planned_time_starts_twice() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "share");
    let [a, b] = ["a", "b"].map(|name| cluster.start(name, &[("tick", TICK)]));
    let names: Vec<_> = living(&b).iter().map(|node| node["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    let ids: Vec<_> = (0..TASKS)
        .map(|n| {
            let server = if n.is_multiple_of(2) { &a } else { &b };
            server.create(&task(&format!("tick {n}"), "tick", "every 500ms", &json!({ "recurring": true })))
        })
        .collect();
    let both = BTreeSet::from(["a", "b"].map(|name| node_of(&a, name).expect("it lives")));
    until("both have run something, and each task ten times", || {
        let rows: Vec<_> = ids.iter().map(|id| b.executions(id)).collect();
        let all = rows.iter().all(|rows| rows.len() >= 10);
        (all && nodes_of(&rows.concat()) == both).then_some(())
    });
    for id in &ids {
        a.act(id, "pause").expect(200);
    }
    for id in &ids {
        let rows = until("its last run has ended", || {
            let rows = b.executions(id);
            rows.iter().all(|row| row["status"] != "running").then_some(rows)
        });
        assert_eq!(rows, a.executions(id), "both servers tell the same");
        let mut times: Vec<_> = rows.iter().map(|row| row["scheduledFor"].as_i64()).collect();
        let count = times.len();
        times.sort_unstable();
        times.dedup();
        assert_eq!(times.len(), count, "a planned time has started twice: {rows:?}");
        let bad = rows.iter().find(|row| row["status"] != "completed");
        assert!(bad.is_none(), "{bad:?}");
    }
}

/// The answers that do not depend on the server that is asked.
fn answers(server: &Server, task: &str) -> Vec<Value> {
    let paths = [
        "/admin/scheduler?limit=50".to_owned(),
        format!("/admin/scheduler/{task}"),
        format!("/admin/scheduler/{task}/executions"),
        "/admin/executions".to_owned(),
        "/admin/upcoming".to_owned(),
    ];
    paths
        .iter()
        .map(|path| {
            let mut body = server.client().get(path).expect(200);
            body["meta"] = Value::Null;
            body
        })
        .collect()
}

#[test]
fn a_change_that_one_server_has_acknowledged_is_in_the_next_answer_of_the_other() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "answers");
    let handlers = [("one", "module.exports = () => 1")];
    let [a, b] = ["a", "b"].map(|name| cluster.start(name, &handlers));
    let [mut first, mut second] = [&a, &b];
    let id = a.create(&task("yearly", "one", "0 0 1 1 *", &json!({ "recurring": true })));
    for _ in 0..3 {
        assert_eq!(answers(first, &id), answers(second, &id));
        let path = format!("/admin/scheduler/{id}");
        first.act(&id, "pause").expect(200);
        assert_eq!(second.task(&id)["status"], "paused");
        second.act(&id, "resume").expect(200);
        first.client().put(&path, &json!({ "description": "changed" })).expect(200);
        assert_eq!(second.task(&id)["description"], "changed");
        let run = first.run(&id);
        assert_eq!(run["status"], "completed");
        assert_eq!(second.executions(&id)[0]["id"], run["id"]);
        (first, second) = (second, first);
    }
    a.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    assert_eq!(b.client().get(&format!("/admin/scheduler/{id}")).status, 404);
}
