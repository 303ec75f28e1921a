//! The audit: who did what, what it changed, and what was refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{client_as, make_token};
use crate::harness::{Client, Server, id_of};

/// The records that a query finds, newest first.
fn records(admin: &Client, query: &str) -> Vec<Value> {
    let answer = admin.get(&format!("/admin/audit?{query}")).expect(200);
    assert_eq!(answer["complete"], true, "{answer}");
    answer["records"].as_array().expect("a list").clone()
}

fn start() -> Server {
    let server = Server::start();
    server.home.write("ok", "module.exports = () => ({ success: true });");
    server
}

fn create_task(client: &Client, name: &str) -> String {
    let body = json!({ "name": name, "description": "", "handler": "ok", "schedule": "@daily",
        "params": { "password": "hush-hush", "n": 1 } });
    id_of(&client.post("/admin/scheduler", &body).expect(201)["task"])
}

#[test]
fn a_change_of_a_task_tells_who_made_it_and_the_fields() {
    let server = start();
    let admin = server.client();
    let (token, id) = make_token(admin, &json!({ "name": "alice", "role": "editor" }));
    let alice = admin.with(&token);
    let task = create_task(&alice, "audited");
    let body = json!({ "schedule": "@hourly", "params": { "password": "other-secret", "n": 2 } });
    alice.put(&format!("/admin/scheduler/{task}"), &body).expect(200);
    alice.post(&format!("/admin/scheduler/{task}/actions/pause"), &json!({})).expect(200);
    alice.put(&format!("/admin/scheduler/{task}/kv/a"), &json!({ "value": "kept-value" })).expect(200);
    alice.delete(&format!("/admin/scheduler/{task}")).expect(200);

    let found = records(admin, &format!("taskId={task}"));
    let actions: Vec<_> = found.iter().map(|record| record["action"].as_str().expect("a text")).collect();
    assert_eq!(actions, ["delete", "set", "pause", "update", "create"]);
    let update = &found[3];
    assert_eq!(update["actor"], json!({ "id": id, "name": "alice", "role": "editor", "via": "token" }));
    assert_eq!(update["target"], json!({ "kind": "task", "id": task, "name": "audited" }));
    assert_eq!((&update["address"], &update["outcome"]), (&json!("127.0.0.1"), &json!("done")));
    assert_eq!(
        update["changes"],
        json!([
            { "field": "schedule", "from": "@daily", "to": "@hourly" },
            { "field": "params.password", "from": "•••", "to": "•••" },
            { "field": "params.n", "from": 1, "to": 2 },
        ])
    );
    assert_eq!(found[1]["target"], json!({ "kind": "entry", "id": "a" }));
    assert_eq!(found[1]["changes"], json!([{ "field": "version", "from": null, "to": 1 }]));
    let text = json!(found).to_string();
    assert!(!["hush-hush", "other-secret", "kept-value", &token].iter().any(|secret| text.contains(secret)));
    assert_eq!(records(admin, &format!("actor=alice&action=pause&taskId={task}")).len(), 1);
    assert_eq!(records(admin, "actor=nobody"), Vec::<Value>::new());
}

#[test]
fn tokens_sessions_secrets_and_mutes_are_in_the_audit_without_their_secrets() {
    let server = start();
    let admin = server.client();
    let (token, id) = make_token(admin, &json!({ "name": "ci", "role": "viewer" }));
    let rotated = admin.post(&format!("/admin/tokens/{id}/actions/rotate"), &json!({})).expect(200);
    admin.delete(&format!("/admin/tokens/{id}")).expect(200);
    let secret = json!({ "value": "the value of the secret", "handlers": ["*"] });
    admin.put("/admin/secrets/KEY", &secret).expect(201);
    admin.put("/admin/variables/PLAIN", &json!({ "value": "one" })).expect(201);
    admin.put("/admin/variables/PLAIN", &json!({ "value": "two" })).expect(200);
    admin.delete("/admin/secrets/KEY").expect(200);
    let session = admin.post("/admin/sessions", &json!({})).expect(201);
    let session = session["session"]["id"].as_str().expect("an id").to_owned();
    admin.delete(&format!("/admin/sessions/{session}")).expect(200);
    admin
        .put("/admin/alerts/mute", &json!({ "until": 4_000_000_000_000_i64, "reason": "works" }))
        .expect(200);
    admin.put("/admin/kv/shared", &json!({ "value": 1 })).expect(200);

    let found = records(admin, "limit=1000");
    let told: Vec<_> = found
        .iter()
        .rev()
        .map(|record| {
            let target = &record["target"];
            format!("{} {} {}", record["action"], target["kind"], target["name"].as_str().unwrap_or_default())
        })
        .map(|text| text.replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "create token ci",
            "rotate token ci",
            "delete token ci",
            "set secret ",
            "set variable ",
            "set variable ",
            "delete secret ",
            "login session ",
            "logout session ",
            "mute alerts ",
            "set entry ",
        ]
    );
    let of = |index: usize| &found[found.len() - 1 - index];
    assert_eq!(of(5)["changes"], json!([{ "field": "value", "from": "one", "to": "two" }]));
    assert_eq!(of(3)["changes"][0], json!({ "field": "value", "from": null, "to": "•••" }));
    assert_eq!(of(8)["target"]["id"], json!(session));
    assert_eq!(of(0)["actor"], json!({ "name": "config", "role": "admin", "via": "token" }));
    let text = json!(found).to_string();
    let new = rotated["token"].as_str().expect("a text");
    assert!(!["the value of the secret", &token, new].iter().any(|secret| text.contains(secret)));
}

#[test]
fn refusals_and_logins_that_fail_are_in_the_audit() {
    let server = start();
    let admin = server.client();
    let viewer = client_as(admin, "viewer");
    let task = create_task(admin, "refused");
    assert_eq!(viewer.post(&format!("/admin/scheduler/{task}/actions/run"), &json!({})).status, 403);
    assert_eq!(viewer.get("/admin/audit").status, 403);
    let resume = format!("/admin/scheduler/{task}/actions/resume");
    assert_eq!(admin.post(&resume, &json!({})).status, 409);
    let stranger = admin.with("not-a-token-of-this-server");
    for _ in 0..3 {
        assert_eq!(stranger.get("/admin/me").status, 401);
    }
    let refused: Vec<_> =
        records(admin, "").into_iter().filter(|record| record["outcome"] == "refused").collect();
    let told: Vec<_> = refused
        .iter()
        .rev()
        .map(|record| (&record["action"], &record["target"]["kind"], &record["actor"]["name"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("run"), &json!("task"), &json!("the viewer")),
            (&json!("read"), &json!("audit"), &json!("the viewer")),
            (&json!("resume"), &json!("task"), &json!("config")),
            (&json!("login"), &json!(null), &json!(null)),
        ]
    );
    assert!(refused[3]["reason"].as_str().is_some_and(|why| why.contains("operator")), "{}", refused[3]);
    assert_eq!((&refused[0]["address"], &refused[0]["actor"]), (&json!("127.0.0.1"), &json!(null)));
    let of_task: Vec<_> =
        records(admin, &format!("taskId={task}")).iter().map(|record| record["action"].clone()).collect();
    assert_eq!(of_task, ["resume", "run", "create"]);
}

#[test]
fn a_refused_request_is_in_the_audit_by_the_action_and_the_thing_of_its_route() {
    let server = start();
    let admin = server.client();
    let viewer = client_as(admin, "viewer");
    let task = create_task(admin, "refused");
    let run = server.run(&task)["id"].as_str().expect("an id").to_owned();
    let body = json!({});
    for answer in [
        viewer.put("/admin/secrets/KEY", &body),
        viewer.put(&format!("/admin/scheduler/{task}/kv/a/b%20c"), &body),
        viewer.delete("/admin/kv/shared%2Fkey"),
        viewer.delete("/admin/variables/PLAIN"),
        viewer.post("/admin/tokens", &body),
        viewer.post(&format!("/admin/executions/{run}/actions/rerun"), &body),
        viewer.put("/admin/alerts/mute", &body),
        viewer.post("/admin/alerts/test", &body),
        viewer.post("/admin/scheduler/bulk", &body),
        viewer.put(&format!("/admin/scheduler/{task}"), &body),
        viewer.get(&format!("/admin/sources/{}", "0".repeat(64))),
    ] {
        assert_eq!(answer.status, 403, "{}", answer.body);
    }
    let told: Vec<_> = records(admin, "actor=the%20viewer")
        .iter()
        .rev()
        .map(|record| {
            let about = if record["taskId"] == json!(task) { ", of the task" } else { "" };
            let id = record["target"]["id"].as_str().expect("an id");
            let id = id.replace(&task, "TASK").replace(&run, "RUN");
            format!("{} {} {id}{about}", record["action"], record["target"]["kind"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        [
            "set secret KEY",
            "set entry a/b c, of the task",
            "delete entry shared/key",
            "delete variable PLAIN",
            "create token ",
            "rerun execution RUN, of the task",
            "mute alerts ",
            "test channel ",
            "bulk task ",
            "update task TASK, of the task",
            &format!("read source {}", "0".repeat(64)),
        ]
    );
}

#[test]
fn a_change_that_another_site_asks_for_is_in_the_audit_once_a_minute() {
    let server = start();
    let admin = server.client();
    let refused = |path: &str| {
        let request = admin.anonymous("POST", path).header("origin", "https://elsewhere.example");
        let answer = admin.send(request, "");
        assert_eq!(answer.status, 403, "{}", answer.body);
        answer.body["requestId"].clone()
    };
    let first = refused("/tasks/task-x/run");
    refused("/admin/scheduler/bulk");
    let found = records(admin, "action=cross-site");
    let [record] = found.as_slice() else { panic!("one record: {found:?}") };
    assert_eq!(
        [&record["outcome"], &record["address"], &record["actor"], &record["requestId"]],
        [&json!("refused"), &json!("127.0.0.1"), &Value::Null, &first]
    );
    assert_eq!(record["target"], json!({ "kind": "page", "id": "/tasks/task-x/run" }));
    assert!(record["reason"].as_str().is_some_and(|why| why.contains("another site")), "{record}");
}

#[test]
fn the_audit_is_read_page_by_page_and_as_lines() {
    let server = start();
    let admin = server.client();
    let task = create_task(admin, "paged");
    for action in ["pause", "resume"].repeat(5) {
        admin.post(&format!("/admin/scheduler/{task}/actions/{action}"), &json!({})).expect(200);
    }
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = admin.get(&format!("/admin/audit?limit=4&taskId={task}{cursor}")).expect(200);
        ids.extend(page["records"].as_array().expect("a list").iter().map(|record| record["id"].clone()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let unique: BTreeSet<_> = ids.iter().map(Value::to_string).collect();
    assert_eq!((ids.len(), unique.len()), (11, 11));
    let text = admin.text(admin.request("GET", &format!("/admin/audit?format=ndjson&limit=3&taskId={task}")));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.iter().map(|line| line["id"].clone()).collect::<Vec<_>>(), ids[..3]);
    for (query, part) in [
        ("taskId=x", "taskId must be the id of a task"),
        ("cursor=x", "cursor must be the nextCursor"),
        ("limit=0", "limit"),
        ("who=x", "who"),
        ("format=csv", "format"),
        ("action=pausing", "action must be one of \"create\", \"update\""),
        ("from=2&to=1", "from must not be later than \"to\""),
    ] {
        let answer = admin.get(&format!("/admin/audit?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body["message"].as_str().is_some_and(|text| text.contains(part)), "{}", answer.body);
    }
}

#[test]
fn the_refusals_of_one_token_cannot_fill_the_audit_of_a_task() {
    let server = start();
    let admin = server.client();
    let task = create_task(admin, "refused");
    let viewer = client_as(admin, "viewer");
    for action in ["run", "pause", "cancel"].iter().cycle().take(150) {
        viewer.action(&format!("/admin/scheduler/{task}/actions/{action}")).expect(403);
    }
    admin.action(&format!("/admin/scheduler/{task}/actions/pause")).expect(200);
    let about = records(admin, &format!("limit=1000&taskId={task}"));
    let refused = about.iter().filter(|record| record["outcome"] == "refused").count();
    assert_eq!(refused, 60, "a token writes that many in a minute");
    assert_eq!(about[0]["action"], "pause", "other records are written all the same");
}
