//! Servers that all work.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{CALM, Cluster, LEASE, living, node_of};
use crate::harness::{CommandResult, Database, Home, Server, task, until};

const TICK: &str = "module.exports = async () => { await new Promise((go) => setTimeout(go, 100)) };";
/// Tasks that are due at the same times.
const TASKS: usize = 12;

fn nodes_of(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().filter_map(|row| row["node"].as_str()).map(str::to_owned).collect()
}

#[test]
fn two_servers_share_what_is_due_and_no_planned_time_starts_twice() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "share").with_lease(CALM);
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
        // A busy machine lets times pass, which is on record.
        let bad = rows.iter().find(|row| row["status"] != "completed" && row["status"] != "skipped");
        assert!(bad.is_none(), "{bad:?}");
    }
}

#[test]
fn a_handler_that_is_run_by_itself_beats_for_as_long_as_it_takes() {
    const SLOW: &str = "module.exports = async (params, ctx) => {
        await new Promise((go) => setTimeout(go, 5000));
        await ctx.kv.set('end', 'reached');
        return ctx.kv.get('end');
    }";
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "alone");
    let server = cluster.start("server", &[]);
    let home = Home::new();
    home.write("slow", SLOW);
    let mut command = home.command(&["run", "slow", "--data", "data"]);
    let environment = [
        ("ISOCHRON_STORE__URL", database.url()),
        ("ISOCHRON_STORE__SCHEMA", "alone".to_owned()),
        ("ISOCHRON_CLUSTER__NAME", "alone".to_owned()),
        ("ISOCHRON_CLUSTER__LEASE", LEASE.to_string()),
        ("ISOCHRON_SECRET_KEY", "5e".repeat(32)),
    ];
    let run = CommandResult::of(command.envs(environment));
    assert!(run.out().contains("reached"), "the lease is shorter than the run: {} {}", run.out(), run.err());
    let nodes = server.client().get("/admin/nodes").expect(200);
    let node = nodes["nodes"].as_array().and_then(|nodes| nodes.iter().find(|node| node["name"] == "alone"));
    let node = node.expect("it was a node");
    assert_eq!((&node["places"], &node["why"]), (&json!(0), &json!("it has left")), "{nodes}");
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
    let cluster = Cluster::new(database, "answers").with_lease(CALM);
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

#[test]
fn tokens_sessions_and_secrets_of_one_server_are_those_of_all() {
    let Some(database) = Database::of_all() else { return };
    let cluster = Cluster::new(database, "tokens").with_lease(CALM);
    let [a, b] = ["a", "b"].map(|name| cluster.start(name, &[]));
    let wanted = json!({ "name": "ci", "role": "viewer" });
    let made = a.client().post("/admin/tokens", &wanted).expect(201);
    let ci = b.client().with(made["token"].as_str().expect("its text"));
    assert_eq!(ci.get("/admin/me").status, 200, "it lets in at once");
    assert_eq!(b.client().get("/admin/tokens").expect(200)["tokens"][0]["name"], "ci");
    let taken = b.client().post("/admin/tokens", &wanted);
    assert_eq!(taken.status, 409, "{}", taken.body);
    let id = made["record"]["id"].as_str().expect("its id");
    a.client().delete(&format!("/admin/tokens/{id}")).expect(200);
    assert_eq!(b.client().get("/admin/tokens").expect(200)["total"], 0);
    assert_eq!(ci.get("/admin/me").status, 401, "the list was read anew");

    let login = a.client().post("/admin/sessions", &json!({}));
    let cookie = login.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let ask = |server: &Server| {
        let request = server.client().anonymous("GET", "/admin/me").header("cookie", &cookie);
        server.client().send(request, "").status
    };
    assert_eq!((ask(&a), ask(&b)), (200, 200));

    let secret = json!({ "value": "open sesame", "handlers": ["tell"] });
    a.client().put("/admin/secrets/API_KEY", &secret).expect(201);
    assert_eq!(b.client().get("/admin/secrets/API_KEY").expect(200)["secret"]["name"], "API_KEY");
    a.client().put("/admin/variables/PLACE", &json!({ "value": "here", "handlers": ["*"] })).expect(201);
    b.client().put("/admin/variables/PLACE", &json!({ "value": "there" })).expect(200);
    assert_eq!(a.client().get("/admin/variables/PLACE").expect(200)["variable"]["value"], "there");
    for server in [&a, &b] {
        let text = "module.exports = async (params, ctx) =>
            [process.env.PLACE, (await ctx.secrets.get('API_KEY')).length]";
        server.home.write("tell", text);
    }
    let id = b.create(&task("tell", "tell", "0 0 1 1 *", &json!({ "recurring": true })));
    until("runs have the values of the other server", || {
        (b.run(&id)["result"] == json!(["there", 11])).then_some(())
    });
}
