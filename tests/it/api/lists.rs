//! Lists: pages, orders, filters, totals, and how much history is kept.

use serde_json::{Value, json};

use crate::harness::{GATED, Server, task, until};

/// The names of the tasks on a page, and the total.
#[track_caller]
fn names(server: &Server, query: &str) -> (Vec<String>, u64) {
    let page = server.client().get(&format!("/admin/scheduler{query}")).expect(200);
    let tasks = page["tasks"].as_array().expect("tasks");
    let names = tasks.iter().map(|task| task["name"].as_str().expect("a name").to_owned()).collect();
    (names, page["total"].as_u64().expect("a total"))
}

/// A server whose handlers `fine` and `other/fine` return at once.
fn server() -> Server {
    let server = Server::start();
    for name in ["fine", "other/fine"] {
        server.home.write(name, "module.exports = (params) => params");
    }
    server
}

#[test]
fn tasks_come_in_the_order_that_was_asked_for_and_those_without_next_run_last() {
    let server = server();
    let at = |day: u32| format!("2099-01-{day:02}T00:00:00Z");
    let ids = [("cherry", 3), ("apple", 1), ("elder", 5), ("date", 4), ("banana", 2)]
        .map(|(name, day)| server.create(&task(name, "fine", &at(day), &Value::Null)));
    // Paused: no next run.
    server.act(&ids[1], "pause").expect(200);

    let asked = |query: &str| names(&server, query).0;
    let by_next_run = ["banana", "cherry", "date", "elder", "apple"];
    assert_eq!(asked(""), by_next_run);
    assert_eq!(asked("?sortBy=nextRun&sortOrder=asc"), by_next_run);
    assert_eq!(asked("?sortBy=nextRun&sortOrder=desc"), ["elder", "date", "cherry", "banana", "apple"]);
    assert_eq!(asked("?sortBy=name"), ["apple", "banana", "cherry", "date", "elder"]);
    assert_eq!(asked("?sortBy=name&sortOrder=desc"), ["elder", "date", "cherry", "banana", "apple"]);
    let created = ["cherry", "apple", "elder", "date", "banana"];
    assert_eq!(asked("?sortBy=createdAt"), created);
    assert_eq!(asked("?sortBy=createdAt&sortOrder=desc"), ["banana", "date", "elder", "apple", "cherry"]);

    let newest = server.task(&ids[4])["updatedAt"].as_i64();
    until("a later change is seen to be later", || {
        let body = json!({ "description": "changed" });
        server
            .client()
            .put(&format!("/admin/scheduler/{}", ids[2]), &json!({ "description": "" }))
            .expect(200);
        let changed = server.client().put(&format!("/admin/scheduler/{}", ids[2]), &body).expect(200);
        (changed["task"]["updatedAt"].as_i64() > newest).then_some(())
    });
    assert_eq!(asked("?sortBy=updatedAt&sortOrder=desc&limit=1"), ["elder"]);
    assert_eq!(asked("?sortBy=updatedAt").last().map(String::as_str), Some("elder"));
    assert_eq!(asked("?sortBy=createdAt"), created, "a change is no creation");

    // A changed task moves in the order.
    server
        .client()
        .put(&format!("/admin/scheduler/{}", ids[0]), &json!({ "schedule": at(9), "name": "zest" }));
    assert_eq!(asked(""), ["banana", "date", "elder", "zest", "apple"]);
    assert_eq!(asked("?sortBy=name&sortOrder=desc&limit=1"), ["zest"]);
}

#[test]
fn pages_hold_every_task_once_and_the_total_is_that_of_all() {
    let server = server();
    for number in 0..25 {
        server.create(&task(&format!("task {number:02}"), "fine", "2099-01-01T00:00:00Z", &Value::Null));
    }
    assert_eq!(names(&server, "").0.len(), 20, "the default page");
    assert_eq!(names(&server, "?limit=100").0.len(), 25);
    for sort in ["name", "nextRun", "createdAt", "updatedAt"] {
        for order in ["asc", "desc"] {
            let mut found = Vec::new();
            for skip in [0, 10, 20, 30] {
                let query = format!("?limit=10&skip={skip}&sortBy={sort}&sortOrder={order}");
                let (page, total) = names(&server, &query);
                assert_eq!(total, 25);
                found.extend(page);
            }
            let mut sorted = found.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!((found.len(), sorted.len()), (25, 25), "{sort} {order}: {found:?}");
        }
    }
    let page = server.client().get("/admin/scheduler?skip=24&limit=3").expect(200);
    assert_eq!([&page["skip"], &page["limit"], &page["total"]], [24, 3, 25]);
    assert_eq!(page["tasks"].as_array().map(Vec::len), Some(1));
}

#[test]
fn filters_narrow_the_list_and_its_total() {
    let server = server();
    for (name, handler) in [
        ("Daily Report", "fine"),
        ("daily cleanup", "other/fine"),
        ("weekly report", "fine"),
        ("100%_[x]", "fine"),
    ] {
        server.create(&task(name, handler, "2099-01-01T00:00:00Z", &Value::Null));
    }
    let found = |query: &str| {
        let (mut names, total) = names(&server, query);
        assert_eq!(names.len() as u64, total, "{query}");
        names.sort();
        names
    };
    assert_eq!(found("?name=DAILY"), ["Daily Report", "daily cleanup"]);
    assert_eq!(found("?name=report"), ["Daily Report", "weekly report"]);
    assert_eq!(found("?name=100%25_%5Bx"), ["100%_[x]"], "no character is a wildcard");
    assert_eq!(found("?name=%25"), ["100%_[x]"]);
    assert_eq!(found("?handler=other/fine"), ["daily cleanup"]);
    assert_eq!(found("?handler=fin"), [""; 0], "a handler is named in full");
    assert_eq!(found("?name=daily&handler=fine"), ["Daily Report"]);
    assert_eq!(found("?name=daily&handler=fine&status=paused"), [""; 0]);
    server.create(&task(
        "tagged",
        "fine",
        "2099-01-01T00:00:00Z",
        &json!({ "tags": ["daily", "für Kunden"] }),
    ));
    assert_eq!(found("?tag=daily"), ["tagged"]);
    assert_eq!(found("?tag=f%C3%BCr+Kunden&handler=fine&name=TAG&status=active"), ["tagged"]);
    assert_eq!(found("?tag=dail"), [""; 0], "a tag is named in full");
    assert_eq!(found("?tag=daily&handler=other/fine"), [""; 0]);
    let (page, total) = names(&server, "?name=daily&limit=1&skip=1&sortBy=name");
    assert_eq!((page.len(), total), (1, 2), "the total is that of the filter, not of the page");
}

#[test]
fn every_status_can_be_asked_for_and_is_the_one_that_the_documents_show() {
    let server = server();
    server.home.write("gated", GATED);
    server.home.write("fails", "module.exports = () => ({ success: false })");
    let create = |name: &str, handler: &str, schedule: &str, more: &Value| {
        server.create(&task(name, handler, schedule, more))
    };
    create("is active", "fine", "2099-01-01T00:00:00Z", &Value::Null);
    let paused = create("is paused", "fine", "2099-01-01T00:00:00Z", &Value::Null);
    server.act(&paused, "pause").expect(200);
    let completed = create("is completed", "fine", "now", &Value::Null);
    let failed = create("is failed", "fails", "now", &Value::Null);
    let waits = json!({ "maxRetries": 1, "retryDelay": 3_600_000 });
    let retried = create("is retry-scheduled", "fails", "now", &waits);
    let running = create("is running", "gated", "now", &Value::Null);
    server.until_status(&completed, "completed");
    server.until_status(&failed, "failed");
    server.until_status(&retried, "retry-scheduled");
    server.until_output(&running);
    for status in ["running", "paused", "retry-scheduled", "completed", "failed", "active"] {
        let page = server.client().get(&format!("/admin/scheduler?status={status}")).expect(200);
        assert_eq!(page["total"], 1, "{status}: {page}");
        assert_eq!(page["tasks"][0]["name"], format!("is {status}"));
        assert_eq!(page["tasks"][0]["status"], status);
    }
    server.open_gate();
    server.until_status(&running, "completed");
    assert_eq!(names(&server, "?status=running"), (vec![], 0));
    assert_eq!(names(&server, "?status=completed").1, 2);
    server.client().delete(&format!("/admin/scheduler/{completed}")).expect(200);
    assert_eq!(names(&server, "?status=completed").1, 1);
}

#[test]
fn history_comes_in_pages_newest_first_and_can_be_filtered() {
    let server = server();
    server.home.write("picky", "module.exports = ({ n = 0 }) => ({ success: n % 3 !== 0, n })");
    let id = server.create(&task("picky", "picky", "now", &Value::Null));
    server.until_status(&id, "failed");
    for n in 1..12 {
        server.run_with(&id, &json!({ "n": n }));
    }
    let page = |query: &str| {
        let page = server.client().get(&format!("/admin/scheduler/{id}/executions{query}")).expect(200);
        let rows = page["executions"].as_array().expect("executions");
        let numbers: Vec<_> = rows.iter().map(|row| row["result"]["n"].as_i64().expect("a number")).collect();
        (numbers, page["totalExecutions"].as_u64().expect("a total"))
    };
    assert_eq!(page(""), (vec![11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 12), "the default page");
    assert_eq!(page("?skip=10"), (vec![1, 0], 12));
    assert_eq!(page("?skip=12"), (vec![], 12));
    assert_eq!(page("?limit=50").0.len(), 12);
    assert_eq!(page("?status=failed"), (vec![9, 6, 3, 0], 4));
    assert_eq!(page("?status=failed&limit=2&skip=1"), (vec![6, 3], 4));
    assert_eq!(page("?trigger=immediate"), (vec![0], 1));
    assert_eq!(page("?trigger=manual&status=failed"), (vec![9, 6, 3], 3));
    assert_eq!(page("?status=skipped"), (vec![], 0));
    assert_eq!(page("?trigger=retry"), (vec![], 0));
}

#[test]
fn a_task_keeps_as_many_executions_as_it_was_told_to() {
    let server = server();
    let more = json!({ "keepExecutions": 3 });
    let id =
        server.create_dormant("counts", "module.exports = ({ n }) => { console.log(n); return n }", &more);
    let runs: Vec<_> = (0..8).map(|n| server.run_with(&id, &json!({ "n": n }))).collect();
    until("old executions are removed", || (server.executions(&id).len() == 3).then_some(()));
    let rows = server.executions(&id);
    let kept: Vec<_> = rows.iter().map(|row| &row["result"]).collect();
    assert_eq!(kept, [7, 6, 5]);
    let page = server.client().get(&format!("/admin/scheduler/{id}/executions?limit=2")).expect(200);
    assert_eq!(page["totalExecutions"], 3);
    let path =
        |run: &Value| format!("/admin/scheduler/{id}/executions/{}", run["id"].as_str().expect("an id"));
    assert_eq!(server.client().get(&path(&runs[4])).message(404), "Execution not found");
    let newest = server.client().get(&path(&runs[7])).expect(200);
    assert_eq!(newest["execution"]["output"][0]["message"], "7");

    // A larger limit keeps more from now on; removed rows stay removed.
    server.client().put(&format!("/admin/scheduler/{id}"), &json!({ "keepExecutions": 5 })).expect(200);
    for n in 8..12 {
        server.run_with(&id, &json!({ "n": n }));
    }
    until("five are left", || {
        let rows = server.executions(&id);
        let kept: Vec<_> = rows.iter().map(|row| &row["result"]).collect();
        (kept == [11, 10, 9, 8, 7]).then_some(())
    });
}

#[test]
fn a_run_in_progress_is_never_pruned() {
    let server = server();
    server.home.write("gated", GATED);
    let source = "module.exports = (params) => params.wait ? require('./gated')() : 1";
    let more = json!({ "keepExecutions": 1, "overlap": "allow" });
    let id = server.create_dormant("mixed", source, &more);
    let path = format!("/admin/scheduler/{id}/actions/run");
    let oldest = server.client().post(&path, &json!({ "params": { "wait": true } })).expect(200);
    server.until_output(&id);
    for _ in 0..4 {
        server.run(&id);
    }
    until("all but the newest and the running one are removed", || {
        (server.executions(&id).len() <= 2).then_some(())
    });
    assert_eq!(server.execution(&id, &oldest["executionId"])["status"], "running");
    server.open_gate();
    assert_eq!(server.until_status(&id, "active")["lastExecution"]["status"], "completed");
}

#[test]
fn lists_show_the_end_of_a_long_output_and_the_execution_all_of_it() {
    let server = server();
    let source =
        "module.exports = () => { for (let n = 0; n < 400; n++) console.log(`line ${n} `.padEnd(100, '.')) }";
    let id = server.create_dormant("talks", source, &json!({}));
    let run = server.run(&id);
    let whole = run["output"].as_array().expect("lines");
    assert_eq!(whole.len(), 400);
    assert_eq!(server.execution(&id, &run["id"])["output"], run["output"]);
    for shown in [server.executions(&id).remove(0), {
        server.client().get(&format!("/admin/scheduler/{id}")).expect(200)["executions"][0].take()
    }] {
        let lines = shown["output"].as_array().expect("lines");
        let bytes: usize = lines.iter().map(|line| line["message"].as_str().expect("a text").len()).sum();
        assert!((4000..=8192).contains(&bytes), "{bytes} bytes in a list");
        assert_eq!(lines.last(), whole.last(), "the last lines are shown");
    }
}

#[test]
fn a_list_without_executions_has_the_figures_of_each_task() {
    let server = server();
    let id = server.create_dormant("picky", "module.exports = ({ ok }) => ({ success: ok })", &json!({}));
    for ok in [true, false, false] {
        server.run_with(&id, &json!({ "ok": ok }));
    }
    let page = server.client().get("/admin/scheduler?fields=list").expect(200);
    let task = &page["tasks"][0];
    assert_eq!((task.get("executions"), &task["lastExecution"]["status"]), (None, &json!("failed")));
    assert_eq!((&task["stats"]["streak"], &task["stats"]["runs"]), (&json!(2), &json!(3)));
    assert!(task["stats"]["lastFailure"].as_i64() >= task["stats"]["lastSuccess"].as_i64(), "{task}");
    let outcomes: Vec<_> =
        task["recent"].as_array().expect("a list").iter().map(|ended| &ended["status"]).collect();
    assert_eq!(outcomes, ["failed", "failed", "completed"], "newest first");
    assert_eq!(server.task(&id)["recent"], task["recent"], "a task's own document has them too");
    let refused = server.client().get("/admin/scheduler?fields=all").message(400);
    assert!(refused.contains("fields") && refused.contains("list"), "{refused}");
}
