//! Executions of all tasks: lists, one by its id, its output, runs again, sources and the search.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::harness::{ENDLESS, GATED, Server, redact, task};

/// The ids of a list, and its answer.
#[track_caller]
fn list(server: &Server, query: &str) -> (Vec<String>, Value) {
    let page = server.client().get(&format!("/admin/executions{query}")).expect(200);
    let rows = page["executions"].as_array().expect("a list").iter();
    (rows.map(|row| row["id"].as_str().expect("an id").to_owned()).collect(), page)
}

fn id(execution: &Value) -> String {
    execution["id"].as_str().expect("an id").to_owned()
}

#[test]
fn executions_of_all_tasks_are_one_list_with_filters_and_pages() {
    let _guard = redact();
    let server = Server::start();
    let picky = "module.exports = ({ ok }) => { if (!ok) throw new Error('no'); return 1 }";
    let first = server.create_dormant("first", picky, &json!({}));
    let second = server.create_dormant("second", picky, &json!({ "params": { "ok": true } }));
    let runs = [
        id(&server.run_with(&first, &json!({ "ok": true }))),
        id(&server.run_with(&second, &json!({ "ok": false }))),
        id(&server.run(&second)),
        id(&server.run_with(&first, &json!({ "ok": false }))),
    ];
    let newest_first: Vec<String> = runs.iter().rev().cloned().collect();
    let (all, page) = list(&server, "");
    assert_eq!((&all, &page["nextCursor"], &page["complete"]), (&newest_first, &Value::Null, &json!(true)));
    assert_json_snapshot!(page["executions"][1], @r#"
    {
      "id": "[execution id]",
      "taskId": "[task id]",
      "taskName": "second",
      "handler": "second",
      "handlerHash": "[sha-256]",
      "status": "completed",
      "reason": null,
      "trigger": "manual",
      "scheduledFor": "[time]",
      "lateness": "[ms]",
      "attempt": 1,
      "startTime": "[time]",
      "duration": "[ms]",
      "error": null,
      "outputTruncated": false,
      "params": {
        "ok": true
      },
      "paramsHash": null,
      "progress": null,
      "skippedCount": null,
      "by": "config",
      "rerunOf": null,
      "createdAt": "[time]",
      "updatedAt": "[time]"
    }
    "#);
    assert_eq!(list(&server, "?order=asc").0, runs);
    assert_eq!(list(&server, "?status=failed").0, [runs[3].clone(), runs[1].clone()]);
    assert_eq!(
        list(&server, "?status=failed,completed&handler=second").0,
        [runs[2].clone(), runs[1].clone()]
    );
    assert_eq!(list(&server, &format!("?taskId={first}&reason=exception")).0, [runs[3].clone()]);
    assert_eq!(list(&server, "?trigger=schedule,retry").0, Vec::<String>::new());
    let created = page["executions"][1]["createdAt"].as_i64().expect("a time");
    assert!(!list(&server, &format!("?to={created}")).0.contains(&runs[2]));
    assert!(list(&server, &format!("?from={created}")).0.contains(&runs[2]));

    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let (ids, page) = list(&server, &format!("?limit=1{cursor}"));
        found.extend(ids);
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        if found.len() == 2 {
            server.run(&second);
        }
    }
    assert_eq!(found, newest_first, "a run that is added in front disturbs no page");
    let refused = server.client().get(&format!("/admin/executions?status=failed{cursor}")).message(400);
    assert!(refused.contains("cursor"), "{refused}");
    for (query, word) in [
        ("status=fine", "\"skipped\""),
        ("limit=101", "100"),
        ("scheduledFor=5", "taskId"),
        ("taskId=5", "id of a task"),
        ("sort=name", "sort"),
    ] {
        let refused = server.client().get(&format!("/admin/executions?{query}")).message(400);
        assert!(refused.contains(word), "{query}: {refused}");
    }
}

#[test]
fn an_execution_is_read_by_its_id_with_its_attempts_and_neighbours() {
    let server = Server::start();
    let source = "let calls = 0; module.exports = (p, ctx) => {
        console.debug('quiet'); console.log('attempt', ctx.attempt); console.error('loud');
        if (ctx.attempt < 2) throw new Error('again') }";
    let more = json!({ "maxRetries": 1, "retryDelay": 1000 });
    let task = server.create_dormant("twice", source, &more);
    let before = server.run_with(&task, &json!({}));
    let rows = server.until_rows(&task, "completed", 1);
    let (retry, first) = (&rows[0], &before);
    let read = |id: &str| server.client().get(&format!("/admin/executions/{id}")).expect(200);
    let found = read(&id(retry));
    assert_eq!(found["execution"]["id"], retry["id"]);
    assert_eq!(found["execution"]["output"].as_array().map(Vec::len), Some(3), "the whole output");
    let attempts: Vec<_> = found["occurrence"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| (&row["attempt"], &row["status"]))
        .collect();
    assert_eq!(attempts, [(&json!(1), &json!("failed")), (&json!(2), &json!("completed"))]);
    assert_eq!((&found["previous"], &found["next"]), (&first["id"], &Value::Null));
    assert_eq!(read(&id(first))["next"], retry["id"]);

    let output = |query: &str| server.client().get(&format!("/admin/executions/{}/output{query}", id(retry)));
    let page = output("?limit=1").expect(200);
    assert_eq!((&page["lines"][0]["n"], &page["lines"][0]["message"]), (&json!(0), &json!("quiet")));
    assert_eq!((&page["next"], &page["truncated"]), (&json!(0), &json!(false)));
    let rest = output("?after=0&level=log").expect(200);
    assert_eq!(rest["lines"][0]["message"], "attempt 2");
    assert_eq!((&rest["lines"][1]["n"], &rest["next"]), (&json!(2), &Value::Null));
    let missing = server.client().get("/admin/executions/exec-01arz3ndektsv4rrffq69g5fav");
    assert_eq!(missing.message(404), "Execution not found");
    let text = |query: &str| {
        let path = format!("/admin/executions/{}/output?{query}", id(retry));
        server.client().text(server.client().request("GET", &path))
    };
    let loud = text("format=text&level=warn");
    assert!(loud.ends_with(" error loud\n") && loud.lines().count() == 1, "{loud}");
    let lines = text("format=ndjson");
    let last: Value = serde_json::from_str(lines.lines().last().expect("lines")).expect("JSON");
    assert_eq!((&last["n"], &last["level"]), (&json!(2), &json!("error")));
}

#[test]
fn an_execution_is_run_again_with_the_parameters_that_it_had() {
    let server = Server::start();
    let echo = server.create_dormant(
        "echo",
        "module.exports = (params) => params",
        &json!({ "params": { "n": 1 } }),
    );
    let long = json!({ "text": "x".repeat(20_000) });
    let [plain, own, large] =
        [server.run(&echo), server.run_with(&echo, &json!({ "n": 2 })), server.run_with(&echo, &long)];
    assert_eq!(large["params"], Value::Null, "long parameters are kept apart");
    assert!(large["paramsHash"].is_string(), "{large}");
    let changed = json!({ "params": { "n": 3 } });
    server.client().put(&format!("/admin/scheduler/{echo}"), &changed).expect(200);
    let rerun = |of: &Value, body: &Value| {
        let path = format!("/admin/executions/{}/actions/rerun", id(of));
        let answer = server.client().post(&path, body).expect(200);
        assert_eq!((&answer["rerunOf"], &answer["taskId"]), (&of["id"], &json!(echo)));
        let done = || server.executions(&echo).into_iter().find(|row| row["id"] == answer["executionId"]);
        crate::harness::until("it ends", || done().filter(|row| row["status"] == "completed"))
    };
    for (of, params) in [(&plain, &json!({ "n": 1 })), (&own, &json!({ "n": 2 }))] {
        let again = rerun(of, &json!({}));
        assert_eq!(
            (&again["result"], &again["rerunOf"], &again["by"]),
            (params, &of["id"], &json!("config"))
        );
    }
    assert_eq!(rerun(&large, &json!({}))["paramsHash"], large["paramsHash"]);
    assert_eq!(rerun(&own, &json!({ "params": { "n": 9 } }))["result"], json!({ "n": 9 }));
}

#[test]
fn one_execution_in_progress_is_cancelled_by_its_id() {
    let server = Server::start();
    let task = server.create_dormant("endless", ENDLESS, &json!({ "overlap": "allow" }));
    let start = || server.act(&task, "run").expect(200)["executionId"].as_str().expect("an id").to_owned();
    let (first, second) = (start(), start());
    let cancel = |id: &str| server.client().action(&format!("/admin/executions/{id}/actions/cancel"));
    let answer = cancel(&first).expect(200);
    assert_eq!(answer["cancelled"], json!([first]));
    assert_eq!(list(&server, "?status=cancelled").0, std::slice::from_ref(&first));
    assert_eq!(list(&server, "?status=running").0, std::slice::from_ref(&second));
    assert_eq!(cancel(&first).message(409), "Execution is not running");
    cancel(&second).expect(200);
}

#[test]
fn the_source_of_each_version_that_ran_is_kept_and_compared() {
    let server = Server::start();
    let id = server.create_dormant("reports/sales", "// one\nmodule.exports = () => 1\n", &json!({}));
    let hash = |execution: &Value| execution["handlerHash"].as_str().expect("a hash").to_owned();
    let kept = |hash: &str| server.client().get(&format!("/admin/sources/{hash}"));
    let is_noted = |of: &Value| (kept(&hash(of)).status == 200).then_some(());
    let old = server.run(&id);
    server.home.write("reports/sales", "// one\nmodule.exports = () => 2\n");
    let new = server.run(&id);
    crate::harness::until("both versions are noted", || is_noted(&new).and_then(|()| is_noted(&old)));
    let found = kept(&hash(&old)).expect(200);
    assert_eq!(
        (&found["handler"], &found["source"]),
        (&json!("reports/sales"), &json!("// one\nmodule.exports = () => 1\n"))
    );
    let path = format!("/admin/sources/{}/diff/{}", hash(&old), hash(&new));
    let lines = server.client().get(&path).expect(200)["hunks"][0]["lines"].take();
    let expected = json!([
        { "op": "=", "text": "// one" },
        { "op": "-", "text": "module.exports = () => 1" },
        { "op": "+", "text": "module.exports = () => 2" },
    ]);
    assert_eq!(lines, expected);
    let handler = server.client().get("/admin/handlers/reports/sales").expect(200);
    assert_eq!((&handler["name"], &handler["error"]), (&json!("reports/sales"), &Value::Null));
    assert_eq!(handler["source"], "// one\nmodule.exports = () => 2\n");
    assert_eq!(handler["tasks"][0]["_key"], json!(id));
    let versions: Vec<_> =
        handler["versions"].as_array().expect("a list").iter().map(|v| &v["hash"]).collect();
    assert_eq!(versions, [&new["handlerHash"], &old["handlerHash"]], "those that ran last first");
    assert_eq!(kept(&"0".repeat(64)).status, 404);
    assert_eq!(kept("x").status, 400);
    assert_eq!(server.client().get("/admin/handlers/none").message(404), "Handler not found");
}

#[test]
fn a_version_is_kept_though_its_file_changes_while_it_runs() {
    let server = Server::start();
    for (name, file, source) in [
        ("plain", "plain.js", GATED.to_owned()),
        ("typed", "typed.ts", format!("const answer: number = 42;\n{GATED}")),
    ] {
        server.home.write(file, &source);
        let id = server.create(&task(name, name, "now", &Value::Null));
        server.until_output(&id);
        server.home.write(file, "module.exports = () => 2\n");
        server.open_gate();
        let row = &server.until_rows(&id, "completed", 1)[0];
        let address = format!("/admin/sources/{}", row["handlerHash"].as_str().expect("a hash"));
        let kept = || Some(server.client().get(&address)).filter(|answer| answer.status == 200);
        let kept = crate::harness::until("the version is noted", kept).expect(200);
        assert_eq!(kept["source"], json!(source), "{file}");
        std::fs::remove_file(server.home.tasks().join("gate.json")).expect("the gate closes");
    }
}

#[test]
fn a_search_finds_tasks_handlers_and_ids() {
    let server = Server::start();
    let source = "module.exports = () => 1";
    let id = server.create_dormant("reports", source, &json!({}));
    server.create(&task("My Reports", "reports", "0 0 1 1 *", &json!({})));
    let run = server.run(&id);
    let find = |text: &str| server.client().get(&format!("/admin/search?q={text}")).expect(200);
    let found = find("REPORTS");
    let names: Vec<_> = found["tasks"].as_array().expect("a list").iter().map(|task| &task["name"]).collect();
    assert_eq!(names, ["My Reports", "reports"]);
    assert_eq!(found["handlers"], json!(["reports"]));
    assert_eq!(find("reports")["tasks"][0]["name"], "reports", "names that begin so come first");
    assert_eq!(find(&id)["tasks"][0]["name"], "reports");
    let execution = &find(run["id"].as_str().expect("an id"))["executions"][0];
    assert_eq!((&execution["taskId"], &execution["status"]), (&json!(id), &json!("completed")));
    assert!(server.client().get("/admin/search").message(400).contains('q'));
}
