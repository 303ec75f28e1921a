//! Tasks from the command line.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{command, out, run};
use crate::harness::{Home, Server};

const QUICK: &str = "module.exports = (params) => params;";

#[test]
fn a_task_is_created_changed_paused_and_deleted() {
    let server = Server::start();
    server.home.write("reports/sales", QUICK);
    let created = out(
        &server,
        &["task", "create", "--name", "nightly", "--handler", "reports/sales", "--schedule", "30 12 * * *"],
    );
    assert!(created.starts_with("the task \"nightly\" is created: task-"), "{created}");
    assert!(created.contains("it runs once: --recurring lets it go on"), "{created}");
    let changed = out(
        &server,
        &["task", "update", "nightly", "--recurring", "--zone", "Europe/Berlin", "--set", "timeout=60000"],
    );
    assert!(changed.contains("Europe/Berlin") && changed.matches(" 12:30:00 CE").count() == 3, "{changed}");
    let shown: Value =
        serde_json::from_str(&out(&server, &["task", "show", "nightly", "--json"])).expect("JSON");
    assert_eq!([&shown["timeout"], &shown["recurring"]], [&json!(60000), &json!(true)]);

    assert!(out(&server, &["task", "pause", "night"]).contains("\"nightly\" paused"), "a beginning suffices");
    let twice = run(&server, &["task", "pause", "nightly"]);
    assert_eq!(
        (twice.code, twice.err.as_str()),
        (Some(3), "isochron: the server refused (409): Task is already paused\n")
    );
    assert!(out(&server, &["task", "show", "nightly"]).contains("paused"));
    out(&server, &["task", "resume", "nightly"]);
    out(&server, &["task", "delete", "nightly"]);
    assert_eq!(out(&server, &["task", "list"]), "there are no tasks\n");
}

#[test]
fn a_file_and_flags_make_a_task_together() {
    let server = Server::start();
    server.home.write("quick", QUICK);
    let fields = json!({ "name": "from-file", "description": "d", "handler": "quick", "schedule": "@daily" });
    fs::write(server.home.path().join("t.json"), fields.to_string()).expect("written");
    fs::write(server.home.path().join("p.json"), r#"{"month": 7}"#).expect("written");
    let created = out(&server, &["task", "create", "--file", "t.json", "--params", "@p.json", "--json"]);
    let task: Value = serde_json::from_str(&created).expect("JSON");
    assert_eq!([&task["name"], &task["params"]], [&json!("from-file"), &json!({ "month": 7 })]);
    let wrong: &[(&[&str], &str)] = &[
        (&["--params", "7"], "--params: must be a JSON object"),
        (&["--params", "@none.json"], "read none.json"),
        (&["--file", "none.json"], "read none.json"),
        (&["--set", "timeout"], "--set timeout: must be a field and its value"),
    ];
    for (flags, expected) in wrong {
        let ran = run(&server, &[&["task", "create", "--name", "x"], *flags].concat());
        assert!(ran.code == Some(2) && ran.err.contains(expected), "{flags:?}: {}", ran.err);
    }
    let refused = run(&server, &["task", "create", "--name", "x", "--json"]);
    let error: Value = serde_json::from_str(&refused.err).expect("JSON on standard error");
    assert_eq!((refused.code, &error["code"]), (Some(1), &json!(400)));
}

#[test]
fn a_list_shows_each_task_in_a_line_and_its_document_as_json() {
    let server = Server::start();
    server.create_dormant("quick", QUICK, &Value::Null);
    let failing =
        server.create_dormant("broken", "module.exports = () => { throw new Error('no'); };", &Value::Null);
    server.run(&failing);
    let list = out(&server, &["task", "list", "--sort", "name"]);
    let columns: Vec<Vec<_>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(columns[0], ["STATUS", "NAME", "NEXT", "LAST", "SCHEDULE", "HANDLER", "RECENT"], "{list}");
    assert_eq!(
        (columns[1][..2].to_vec(), columns[1].last()),
        (vec!["failed", "broken"], Some(&"✕")),
        "{list}"
    );
    assert_eq!(columns[2][..2], ["active", "quick"], "{list}");
    assert_eq!(out(&server, &["task", "list", "--names", "--sort", "name"]), "broken\nquick\n");
    let failed = out(&server, &["task", "list", "--status", "failed", "--json"]);
    let documents: Vec<Value> =
        failed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((documents.len(), &documents[0]["name"]), (1, &json!("broken")));
    let history = out(&server, &["task", "history", "broken"]);
    assert!(history.contains("failed") && history.contains("exception: no"), "{history}");
}

#[test]
fn a_name_that_is_not_clear_is_answered_with_those_that_are_near() {
    let server = Server::start();
    for name in ["report-a", "report-b", "cleanup"] {
        server.create_dormant(name, QUICK, &Value::Null);
    }
    let error = |name: &str| run(&server, &["task", "show", name]).err;
    assert_snapshot!(error("report"), @r#"isochron: "report" is the beginning of "report-a", "report-b": write more of it"#);
    assert_snapshot!(error("claenup"), @r#"isochron: there is no task "claenup" (did you mean "cleanup"?)"#);
    assert_snapshot!(error("x\u{1b}[2J"), @r#"isochron: there is no task "x\u001b[2J""#);
}

#[test]
fn the_local_token_goes_to_a_server_of_this_machine_only() {
    let server = Server::start();
    let mut elsewhere = command(&server, &["task", "list"]);
    let ran = elsewhere.env("ISOCHRON_SERVER", "https://isochron.example").output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(
        (ran.status.code(), said.as_str()),
        (Some(2), "isochron: a token is needed: set ISOCHRON_TOKEN\n")
    );
    let with = |token: &str| {
        command(&server, &["task", "list"]).env("ISOCHRON_TOKEN", token).output().expect("it runs")
    };
    assert!(with(server.client().token()).status.success());
    let unknown = with("0123456789abcdef");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("(401)"), "{unknown:?}");
    let mistyped = with("iso_0123456789abcdef");
    assert!(String::from_utf8_lossy(&mistyped.stderr).contains("the token is mistyped"), "{mistyped:?}");
    assert!(!String::from_utf8_lossy(&mistyped.stderr).contains("0123456789abcdef"), "{mistyped:?}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let home = Home::new();
    let ran =
        home.command(&["task", "list"]).env("ISOCHRON_SERVER", "127.0.0.1:9").output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        said.starts_with("isochron: no server answers at http://127.0.0.1:9 (")
            && said.ends_with("name one with --server\n"),
        "{said}"
    );
}

#[test]
fn coming_runs_of_all_tasks_are_listed_in_their_order() {
    let server = Server::start();
    server.create_dormant("rare", QUICK, &Value::Null);
    let id = server.create_dormant("often", QUICK, &Value::Null);
    server.client().put(&format!("/admin/scheduler/{id}"), &json!({ "schedule": "every 6h" })).expect(200);
    let list = out(&server, &["upcoming", "--to", "25h", "--json"]);
    let names: Vec<Value> = list
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["taskName"].clone())
        .collect();
    assert_eq!(names, ["often"; 4]);
    let table = out(&server, &["upcoming", "--limit", "2"]);
    assert!(table.starts_with("TIME") && table.contains("there are more: --limit shows them"), "{table}");
    assert!(out(&server, &["simulate"]).contains("Tasks that meet themselves"));
    assert_eq!(run(&server, &["upcoming", "--to", "soon"]).code, Some(2));
}

#[test]
fn a_planned_time_that_did_not_run_is_explained() {
    let server = Server::start();
    server.home.write("pulse", QUICK);
    let id =
        server.create(&crate::harness::task("pulse", "pulse", "every 100ms", &json!({ "recurring": true })));
    server.until_rows(&id, "completed", 1);
    server.act(&id, "pause").expect(200);
    let page = server.client().get(&format!("/admin/scheduler/{id}/explain")).expect(200);
    let expected: Vec<_> =
        page["times"].as_array().expect("a list").iter().map(|time| &time["time"]).collect();
    assert!(!expected.is_empty());
    let table = out(&server, &["task", "explain", "pul", "--from", "-1h"]);
    assert!(table.starts_with("TIME") && table.contains("completed in"), "{table}");
    let lines = out(&server, &["task", "explain", "pulse", "--json"]);
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["time"], &first["outcome"]), (expected[0], &json!("completed")), "{lines}");
    let wrong = run(&server, &["task", "explain", "pulse", "--from", "soon"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("--from"), "{}", wrong.err);
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let home = Home::new();
    let completions = home.run(&["completions", "bash"]).out();
    assert!(
        completions.contains("upcoming")
            && completions.contains("isochron__subcmd__variable__subcmd__set")
            && completions.contains("cancel-on-interrupt")
    );
    assert_eq!(home.run(&["man", "pages"]).code(), Some(0));
    let page = fs::read_to_string(home.path().join("pages/isochron-task-run.1")).expect("a page");
    assert!(page.contains("Wait, and print the output as it comes"), "{page}");
    let page = fs::read_to_string(home.path().join("pages/isochron-variable-set.1")).expect("a page");
    assert!(page.contains("reads it from standard input"), "{page}");
}
