//! Bulk actions and backfills over HTTP.

use serde_json::{Value, json};

use crate::harness::{GATED, Server, task, until};

const BULK: &str = "/admin/scheduler/bulk";

fn names_of(answer: &Value, ok: bool) -> Vec<&str> {
    let results = answer["results"].as_array().expect("results");
    let chosen = results.iter().filter(|result| result["ok"] == ok);
    chosen.map(|result| result["name"].as_str().unwrap_or("nobody")).collect()
}

fn server() -> Server {
    let server = Server::start();
    server.home.write("fine", "module.exports = (params) => params");
    server
}

#[test]
fn an_action_on_many_ids_says_for_each_what_came_of_it() {
    let server = server();
    let ids = ["one", "two", "three"]
        .map(|name| server.create(&task(name, "fine", "2099-01-01T00:00:00Z", &Value::Null)));
    server.act(&ids[1], "pause").expect(200);
    let unknown = "task-01arz3ndektsv4rrffq69g5fav";
    let body = json!({ "action": "pause", "ids": [ids[0], ids[1], unknown, "nonsense"], "dryRun": true });
    let tried = server.client().post(BULK, &body).expect(200);
    assert_eq!((names_of(&tried, true), tried["dryRun"].as_bool()), (vec!["one"], Some(true)));
    assert_eq!(server.task(&ids[0])["status"], "active", "nothing is done");

    let body = json!({ "action": "pause", "ids": [ids[0], ids[1], unknown, "nonsense"] });
    let done = server.client().post(BULK, &body).expect(200);
    assert_eq!(names_of(&done, true), ["one"]);
    let told = |index: usize| {
        let result = &done["results"][index];
        (result["status"].as_str().unwrap_or("none"), result["message"].as_str().unwrap_or("done"))
    };
    assert_eq!(told(0), ("paused", "done"));
    assert_eq!(told(1), ("paused", "Task is already paused"));
    assert_eq!((told(2), told(3)), (("none", "Task not found"), ("none", "Task not found")));
    assert_eq!((&done["matched"], &done["cursor"]), (&json!(4), &Value::Null));
    assert_eq!(server.task(&ids[0])["status"], "paused");
    assert_eq!(server.task(&ids[2])["status"], "active");
}

#[test]
fn a_filter_chooses_tasks_and_a_run_has_its_params() {
    let server = server();
    for number in 0..5 {
        let more = json!({ "tags": [if number < 3 { "few" } else { "others" }] });
        server.create(&task(&format!("task {number}"), "fine", "2099-01-01T00:00:00Z", &more));
    }
    let body = json!({ "action": "run", "filter": { "tag": "few" }, "params": { "seven": 7 } });
    let done = server.client().post(BULK, &body).expect(200);
    assert_eq!(names_of(&done, true), ["task 0", "task 1", "task 2"]);
    for result in done["results"].as_array().expect("results") {
        let (id, run) = (result["id"].as_str().expect("an id"), result["executionId"].clone());
        let ended = until("the run ends", || {
            server.executions(id).into_iter().find(|row| row["id"] == run && row["status"] == "completed")
        });
        assert_eq!(ended["result"], json!({ "seven": 7 }));
    }
}

#[test]
fn many_tasks_are_deleted_only_when_their_number_is_confirmed() {
    let server = server();
    server.home.write("gated", GATED);
    for name in ["first", "second"] {
        server.create(&task(name, "fine", "2099-01-01T00:00:00Z", &Value::Null));
    }
    let running = server.create(&task("runs", "gated", "now", &Value::Null));
    server.until_status(&running, "running");
    let delete = |more: Value| {
        let mut body = json!({ "action": "delete", "filter": {} });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        server.client().post(BULK, &body)
    };
    assert!(delete(json!({})).message(400).contains("confirm must be the number"));
    assert_eq!(delete(json!({ "dryRun": true })).expect(200)["matched"], 3);
    assert!(delete(json!({ "confirm": 2 })).message(409).contains("3 tasks"));
    let done = delete(json!({ "confirm": 3 })).expect(200);
    assert_eq!(names_of(&done, true), ["first", "second", "runs"], "a run in progress is cancelled first");
    assert_eq!(server.client().get("/admin/scheduler").expect(200)["total"], 0);
}

#[test]
fn a_bulk_action_is_read_strictly() {
    let server = server();
    for (body, field) in [
        (json!({}), "action"),
        (json!({ "action": "explode", "ids": ["task-1"] }), "action"),
        (json!({ "action": "pause" }), "ids"),
        (json!({ "action": "pause", "ids": [], "filter": {} }), "ids"),
        (json!({ "action": "pause", "ids": [] }), "ids"),
        (json!({ "action": "pause", "ids": ["a", "a"] }), "ids"),
        (json!({ "action": "pause", "ids": [1] }), "ids"),
        (json!({ "action": "pause", "ids": ["a"], "cursor": "task-1" }), "cursor"),
        (json!({ "action": "pause", "filter": { "tags": "x" } }), "filter.tags"),
        (json!({ "action": "pause", "filter": { "status": "busy" } }), "filter.status"),
        (json!({ "action": "pause", "filter": {}, "cursor": "here" }), "cursor"),
        (json!({ "action": "pause", "ids": ["a"], "params": {} }), "params"),
        (json!({ "action": "run", "ids": ["a"], "params": [] }), "params"),
        (json!({ "action": "pause", "ids": ["a"], "dryrun": true }), "dryrun"),
        (json!({ "action": "pause", "ids": ["a"], "dryRun": "yes" }), "dryRun"),
    ] {
        let answer = server.client().post(BULK, &body).expect(400);
        assert_eq!(answer["details"][0]["field"], field, "{body}: {answer}");
    }
}

/// A daily task, and its planned time on 2 March 2026.
fn create_daily(server: &Server, handler: &str) -> (String, i64) {
    let first = server.create(&task("first", "fine", "2099-01-01T00:00:00Z", &Value::Null));
    let now = server.task(&first)["createdAt"].as_i64().expect("a time");
    // Half a day from now, so that no planned time comes meanwhile.
    let hour = (now / 3_600_000 + 12) % 24;
    let id =
        server.create(&task("daily", handler, &format!("0 {hour} * * *"), &json!({ "recurring": true })));
    (id, 1_772_409_600_000 + hour * 3_600_000)
}

#[test]
fn a_backfill_runs_past_times_in_order_and_is_seen_in_the_document() {
    let server = server();
    let (id, last) = create_daily(&server, "fine");
    let path = format!("/admin/scheduler/{id}/actions/backfill");
    let day = 86_400_000_i64;
    let body = json!({ "from": last - 3 * day, "to": last, "max": 3 });
    let begun = server.client().post(&path, &body).expect(200);
    assert_eq!((&begun["planned"], &begun["truncated"]), (&json!(3), &json!(true)));
    let rows = until("three have run", || {
        let rows = server.executions(&id);
        (rows.len() == 3 && rows.iter().all(|row| row["status"] == "completed")).then_some(rows)
    });
    let mut planned: Vec<_> = rows.iter().map(|row| row["scheduledFor"].as_i64().expect("a time")).collect();
    planned.reverse();
    assert_eq!(planned, [last - 3 * day, last - 2 * day, last - day]);
    assert!(rows.iter().all(|row| row["trigger"] == "backfill"));
    assert_eq!(server.task(&id)["backfill"], Value::Null);
    let filtered =
        server.client().get(&format!("/admin/scheduler/{id}/executions?trigger=backfill")).expect(200);
    assert_eq!(filtered["totalExecutions"], 3);

    for (body, field) in [
        (json!({ "to": last }), "from"),
        (json!({ "from": last, "to": last - 1 }), "to"),
        (json!({ "from": last, "to": 4_070_908_800_000_i64 }), "to"),
        (json!({ "from": last, "to": last, "max": 1001 }), "max"),
        (json!({ "from": last + 1, "to": last + 2 }), "from"),
    ] {
        assert_eq!(server.client().post(&path, &body).expect(400)["details"][0]["field"], field, "{body}");
    }
}

#[test]
fn a_backfill_under_way_survives_a_kill_and_is_ended_by_a_cancel() {
    let mut server = server();
    server.home.write("gated", GATED);
    let (id, last) = create_daily(&server, "gated");
    let path = format!("/admin/scheduler/{id}/actions/backfill");
    server.client().post(&path, &json!({ "from": last, "to": last + 5 * 86_400_000 })).expect(200);
    server.until_status(&id, "running");
    assert_eq!(server.client().post(&path, &json!({ "from": last, "to": last })).status, 409);
    let before = server.task(&id)["backfill"].clone();
    assert_eq!((&before["left"], &before["total"]), (&json!(5), &json!(6)));
    server.kill();
    server.start_again();
    until("the next time runs", || {
        let rows = server.executions(&id);
        (rows.len() == 2 && rows[0]["status"] == "running").then_some(rows)
    });
    server.act(&id, "cancel").expect(200);
    assert_eq!(server.task(&id)["backfill"], Value::Null);
    assert_eq!(server.executions(&id).len(), 2);
}
