//! `tasks.json`: tasks from a file.

use std::{fs, time::Duration};

use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Chance, GATED, Home, Options, Server, field, id_of, seed, task, until};

/// A file with tasks of the handler `hello`; `(name, schedule, more)` each.
fn file(tasks: &[(&str, &str, Value)]) -> String {
    let tasks: Vec<_> =
        tasks.iter().map(|(name, schedule, more)| task(name, "hello", schedule, more)).collect();
    serde_json::to_string_pretty(&json!({ "tasks": tasks })).expect("JSON")
}

fn recurring() -> Value {
    json!({ "recurring": true })
}

/// A server whose folder has this file when it starts.
fn start(text: &str) -> Server {
    let home = Home::new();
    home.write("hello", "module.exports = () => 'hello'");
    home.write("tasks.json", text);
    Options::default().start_in(home).expect("it starts")
}

fn named(server: &Server, name: &str) -> Option<Value> {
    let list = server.client().get("/admin/scheduler?limit=100").expect(200);
    list["tasks"].as_array()?.iter().find(|task| task["name"] == name).cloned()
}

fn ready(server: &Server) -> Value {
    let answer = server.client().get("/ready");
    answer.expect(200)["taskFile"].take()
}

#[test]
fn tasks_of_the_file_are_there_when_the_server_listens_and_follow_its_changes() {
    let server = start(&file(&[("nightly", "0 3 * * *", recurring()), ("once", "now", Value::Null)]));
    let nightly = named(&server, "nightly").expect("it is there");
    assert_eq!(nightly["managedBy"], "tasks.json");
    let once = id_of(&named(&server, "once").expect("it is there"));
    server.until_status(&once, "completed");
    assert_eq!(ready(&server), json!({ "file": "tasks.json", "tasks": 2, "mistakes": 0, "problems": [] }));

    server.home.write(
        "tasks.json",
        &file(&[
            ("nightly", "0 3 * * *", recurring()),
            ("once", "now", json!({ "timeout": 500 })),
            ("weekly", "@weekly", recurring()),
        ]),
    );
    until("the file is read", || named(&server, "weekly"));
    let names = ["nextRun", "updatedAt", "createdAt", "_key"];
    assert_eq!(field(&named(&server, "nightly").expect("there"), names), field(&nightly, names));
    let once = server.task(&once);
    assert_eq!(field(&once, ["status", "timeout"]), [json!("completed"), json!(500)]);

    server.home.write("tasks.json", &file(&[("nightly", "0 3 * * *", recurring())]));
    let weekly =
        until("it is released", || named(&server, "weekly").filter(|task| task["status"] == "paused"));
    assert_eq!(weekly["managedBy"], Value::Null);
}

#[test]
fn the_api_refuses_to_change_a_task_of_the_file_and_names_the_file() {
    let server = start(&file(&[("nightly", "0 3 * * *", recurring())]));
    let id = id_of(&named(&server, "nightly").expect("it is there"));
    let path = format!("/admin/scheduler/{id}");
    let expected = "Task is managed by tasks.json: change or remove it there";
    for method in ["PUT", "PATCH"] {
        let request = server.client().request(method, &path).header("content-type", "application/json");
        assert_eq!(server.client().send(request, "{\"timeout\": 500}").message(409), expected);
    }
    assert_eq!(server.client().delete(&path).message(409), expected);
    server.act(&id, "pause").expect(200);
    server.act(&id, "resume").expect(200);
    server.act(&id, "reset-retries").expect(200);
    assert_eq!(server.run(&id)["result"], "hello");
    let document = server.task(&id);
    assert_eq!(field(&document, ["managedBy", "status"]), [json!("tasks.json"), json!("active")]);
}

#[test]
fn a_broken_file_changes_nothing_and_is_reported_until_it_is_mended() {
    let mut server = start(&file(&[("nightly", "0 3 * * *", recurring())]));
    let broken = file(&[("other", "61 * * * *", recurring())]).replace("description", "descripton");
    server.home.write("tasks.json", &broken);
    let problems = until("it is reported", || {
        ready(&server)["problems"].as_array().filter(|problems| !problems.is_empty()).cloned()
    });
    let anonymous = server.client().send(server.client().anonymous("GET", "/ready"), "").expect(200);
    assert_eq!(anonymous["taskFile"]["mistakes"], 3);
    assert_eq!(
        anonymous["taskFile"]["problems"],
        json!(["3 mistakes: a token that is for all handlers shows more"])
    );
    let texts: Vec<_> = problems.iter().map(|problem| problem.as_str().expect("a text")).collect();
    assert_snapshot!(texts.join("\n"), @r#"
    tasks/tasks.json:3:5: task "other": description is required
    tasks/tasks.json:5:7: task "other": descripton is not known here; known are name, description, type, handler, params, schedule, timezone, recurring, maxRetries, retryDelay, retryBackoff, timeout, overlap, misfire, onExhausted, keepExecutions, tags, startAt, endAt, maxRuns, jitter, priority, concurrencyKey, after, alerts
    tasks/tasks.json:7:19: task "other": schedule: the minute field is wrong at character 1 ("61"): 61 is out of range: use a number from 0 to 59
    "#);
    assert!(named(&server, "other").is_none() && named(&server, "nightly").is_some());
    assert_eq!(server.log().matches("descripton").count(), 1, "it is logged once: {}", server.log());

    server.kill();
    server.start_again();
    assert_eq!(ready(&server)["problems"].as_array().map(Vec::len), Some(3));
    assert!(named(&server, "nightly").expect("there")["managedBy"] == "tasks.json");
    server.home.write("tasks.json", &file(&[("nightly", "@daily", recurring())]));
    until("it is mended", || named(&server, "nightly").filter(|task| task["schedule"] == "@daily"));
    assert_eq!(ready(&server)["problems"], json!([]));
}

#[test]
fn a_server_killed_while_it_applies_the_file_ends_at_its_tasks_without_duplicates() {
    let names: Vec<_> = (0..60).map(|n| format!("task-{n}")).collect();
    let tasks = |schedule: &'static str| {
        let tasks: Vec<_> = names.iter().map(|name| (name.as_str(), schedule, recurring())).collect();
        file(&tasks)
    };
    let mut server = start(&file(&[]));
    server.kill();
    let mut chance = Chance::new(seed("ISOCHRON_SEED"));
    for round in 0..4 {
        server.home.write("tasks.json", &tasks(if round % 2 == 0 { "@hourly" } else { "@daily" }));
        server.start_and_kill(Duration::from_millis(chance.below(700) as u64));
    }
    server.start_again();
    let list = server.client().get("/admin/scheduler?limit=100").expect(200);
    assert_eq!(list["total"], 60);
    let tasks = list["tasks"].as_array().expect("tasks");
    assert!(tasks.iter().all(|t| t["schedule"] == "@daily" && t["managedBy"] == "tasks.json"), "{list}");
    server.signal(Signal::TERM);
    server.exit();
    let verified = server.home.run(&["store", "verify"]);
    assert_eq!(verified.code(), Some(0), "{verified:?}");
}

#[test]
fn a_task_in_progress_is_cancelled_when_the_file_deletes_it_and_the_file_is_in_the_audit() {
    let server = start(&file(&[]));
    server.home.write("gated", GATED);
    let body = task("gated", "gated", "now", &Value::Null);
    server.home.write("tasks.json", &json!({ "tasks": [body], "removed": "delete" }).to_string());
    let id = id_of(&until("it is created", || named(&server, "gated")));
    server.until_output(&id);
    server.home.write("tasks.json", "{ \"tasks\": [], \"removed\": \"delete\" }");
    until("it is deleted", || named(&server, "gated").is_none().then_some(()));
    server.signal(Signal::TERM);
    let mut server = server;
    server.exit();
    assert_eq!(server.home.run(&["store", "export", "copy"]).code(), Some(0));
    let copy = fs::read_to_string(server.home.path().join("copy")).expect("the copy");
    let records = copy.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let audit: Vec<_> = records.filter_map(|record| record.get("audit").cloned()).collect();
    let told: Vec<_> =
        audit.iter().map(|record| field(record, ["action", "taskName", "requestId"])).collect();
    assert_eq!(
        told,
        [["create", "gated", "tasks.json"], ["delete", "gated", "tasks.json"]].map(|t| t.map(Value::from))
    );
}

#[test]
fn a_copy_of_the_store_keeps_the_hold_of_the_file() {
    let mut server = start(&file(&[("nightly", "0 3 * * *", recurring()), ("gone", "@daily", recurring())]));
    server.home.write("tasks.json", &file(&[("nightly", "0 3 * * *", recurring())]));
    until("it is released", || named(&server, "gone").filter(|task| task["managedBy"].is_null()));
    server.signal(Signal::TERM);
    server.exit();
    assert_eq!(server.home.run(&["store", "export", "copy"]).code(), Some(0));
    fs::remove_dir_all(server.home.data().join("store")).expect("removed");
    assert_eq!(server.home.run(&["store", "import", "copy"]).code(), Some(0));
    let all = [("nightly", "0 3 * * *", recurring()), ("gone", "@daily", recurring())];
    server.home.write("tasks.json", &file(&all));
    server.start_again();
    let gone = named(&server, "gone").expect("it is there");
    assert_eq!(field(&gone, ["managedBy", "status"]), [json!("tasks.json"), json!("active")]);
}

#[test]
fn a_task_of_the_file_follows_another_one_by_its_name() {
    let after = |name: &str| json!({ "after": { "task": name, "on": "success" } });
    let never = "never";
    let server = start(&file(&[
        ("third", never, after("second")),
        ("second", never, after("first")),
        ("first", "0 3 1 1 *", recurring()),
    ]));
    let first = id_of(&named(&server, "first").expect("it is there"));
    let second = named(&server, "second").expect("it is there");
    assert_eq!(second["after"], json!({ "taskId": first, "on": "success" }));
    server.run(&first);
    let third = id_of(&named(&server, "third").expect("it is there"));
    until("the chain has run", || {
        server.executions(&third).iter().any(|row| row["status"] == "completed").then_some(())
    });

    let problems = |text: &str| {
        server.home.write("tasks.json", text);
        until("the mistake is found", || {
            let problems = ready(&server)["problems"].take();
            (problems != json!([])).then_some(problems)
        })
    };
    let text = file(&[("second", never, after("nobody")), ("first", "0 3 1 1 *", recurring())]);
    let stranger = problems(&text).to_string();
    assert!(stranger.contains("task \\\"second\\\": after.task names no task: \\\"nobody\\\""), "{stranger}");
    server.home.write("tasks.json", &file(&[("first", "0 3 1 1 *", recurring())]));
    until("the mistake is mended", || (ready(&server)["problems"] == json!([])).then_some(()));
    let circle = problems(&file(&[("one", never, after("two")), ("two", never, after("one"))])).to_string();
    assert!(circle.contains("circle: \\\"one\\\" runs after \\\"two\\\" runs after \\\"one\\\""), "{circle}");
}
