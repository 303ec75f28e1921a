//! Lists: tasks, the history of a task, an execution with its output.

use serde_json::json;

use super::{start, visit};
use crate::harness::task;

#[test]
fn tasks_are_found_by_filters_that_are_a_link() {
    let server = start();
    for index in 0..60 {
        let handler = if index % 20 == 0 { "fail" } else { "greet" };
        server.create(&task(
            &format!("Task {index:02}"),
            handler,
            "0 0 1 1 *",
            &json!({ "recurring": true }),
        ));
    }
    let Some(browser) = visit("tasks", &server, "/tasks") else { return };
    browser.until_text("1–50 of 60");
    browser.look("list");
    browser.click("link", "After");
    browser.until_text("51–60 of 60");
    browser.click("link", "Task");
    browser.until_text("Task 00");
    browser.fill("Handler", "fail");
    browser.until_text("1–3 of 3");
    browser.fill("Name contains", "Task 4");
    browser.click("button", "Show");
    browser.until_text("1–1 of 1");
    let link = browser.path();
    browser.click("link", "Task 40");
    browser.until_text("The task has not run yet");
    browser.back();
    browser.until_text("1–1 of 1");
    assert_eq!(
        (browser.value("Name contains"), browser.value("Handler")),
        ("Task 4".to_owned(), "fail".to_owned())
    );
    browser.reload();
    browser.until_text("1–1 of 1");
    browser.go(&link);
    browser.until_text("Task 40");
    browser.click("link", "Clear");
    browser.until_text("of 60");
}

#[test]
fn a_failed_run_is_seen_from_the_list_down_to_the_line_of_its_output() {
    let server = start();
    let id = server.create(&task("Brew coffee", "fail", "0 0 1 1 *", &json!({ "recurring": true })));
    for _ in 0..3 {
        server.run(&id);
    }
    let Some(browser) = visit("failed", &server, "/tasks") else { return };
    browser.until_text("the coffee is empty");
    browser.click("link", "Brew coffee");
    browser.until_text("The last run failed");
    browser.look("task");
    browser.click("link", "see its output");
    browser.until_text("no luck");
    assert!(browser.title().starts_with("Failed"), "{}", browser.title());
    assert!(browser.text().contains("fail.js:1:"), "{}", browser.text());
    browser.look("execution");
}

#[test]
fn a_task_is_run_paused_and_deleted_by_its_buttons() {
    let server = start();
    let id = server.create(&task(
        "Say hello",
        "greet",
        "0 0 1 1 *",
        &json!({ "recurring": true, "params": { "name": "Ada" } }),
    ));
    let Some(browser) = visit("actions", &server, "/tasks") else { return };
    browser.click("button", "Pause Say hello");
    browser.until_text("paused successfully");
    browser.click("button", "Resume Say hello");
    browser.until_text("resumed successfully");
    browser.click("button", "Run Say hello now");
    browser.until_text("execution started");
    server.until_rows(&id, "completed", 1);
    browser.click("link", "Say hello");
    browser.click("link", "Run…");
    browser.until_text("Its schedule stays as it is");
    browser.look("run");
    browser.fill("Parameters", "{ \"name\": }");
    browser.click("button", "Run now");
    browser.until_text("is not valid JSON: expected value at line 1 column 11");
    browser.fill("Parameters", "{ \"name\": \"Grace\" }");
    browser.click("button", "Run now");
    browser.until_text("hello Grace");
    browser.click("link", "Say hello");
    browser.click("button", "More actions");
    browser.click("link", "Delete…");
    browser.until_text("gone for good");
    browser.look("delete");
    browser.click("link", "Do nothing");
    browser.click("button", "More actions");
    browser.click("link", "Delete…");
    browser.click("button", "Delete");
    browser.until_text("deleted successfully");
    assert_eq!(server.client().get(&format!("/admin/scheduler/{id}")).status, 404);
}

#[test]
fn every_page_does_its_work_without_script() {
    let server = start();
    let Some(browser) = visit("plain", &server, "/tasks") else { return };
    browser.tell("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.go("/tasks/new");
    browser.fill("Name", "Without script");
    browser.fill("Description", "made by a form");
    browser.click_css("select[name=handler] option[value=greet]");
    browser.fill("Schedule", "0 0 1 1 *");
    browser.fill("A JSON object", "{\"name\": \"Ada\"}");
    browser.click("button", "Create task");
    browser.until_text("created successfully");
    browser.click("link", "Run…");
    browser.until_text("Its schedule stays as it is");
    browser.click("button", "Run now");
    let id = crate::harness::id_of(&server.client().get("/admin/scheduler").expect(200)["tasks"][0]);
    server.until_rows(&id, "completed", 1);
    browser.reload();
    browser.until_text("hello Ada");
    browser.click("link", "Without script");
    browser.click("link", "Edit");
    browser.fill("Description", "changed by a form");
    browser.click("button", "Save");
    browser.until_text("changed by a form");
}

#[test]
fn all_tasks_that_match_are_paused_after_a_look_at_them() {
    let server = start();
    for index in 0..60 {
        let handler = if index < 55 { "greet" } else { "fail" };
        server.create(&task(
            &format!("Task {index:02}"),
            handler,
            "0 0 1 1 *",
            &json!({ "recurring": true }),
        ));
    }
    let Some(browser) = visit("bulk", &server, "/tasks?handler=greet") else { return };
    browser.until_text("1–50 of 55");
    browser.click_css("input[name=id]");
    browser.until_text("Chosen tasks");
    browser.look("chosen");
    browser.click("field", "all 55 that match");
    browser.click("button", "Pause…");
    browser.until_text("Pause 55 tasks?");
    assert_eq!(server.client().get("/admin/scheduler?status=paused").expect(200)["total"], 0);
    browser.look("question");
    browser.click("button", "Pause 55 tasks");
    browser.until_text("done for 55 tasks");
    let paused = server.client().get("/admin/scheduler?status=paused&handler=greet").expect(200);
    assert_eq!(
        (
            &paused["total"],
            server.client().get("/admin/scheduler?status=paused").expect(200)["total"].clone()
        ),
        (&json!(55), json!(55))
    );
    // Those that do not allow an action are told before it.
    browser.go("/tasks");
    browser.until_text("of 60");
    browser.click_css("input[name=id]");
    browser.click("field", "all 60 that match");
    browser.click("button", "Pause…");
    browser.until_text("55 of them do not allow it now");
    browser.click("link", "Do nothing");
    browser.until_text("of 60");
}

#[test]
fn tasks_are_chosen_and_paused_together_on_a_phone() {
    let server = start();
    for name in ["One", "Two and more", "Three"] {
        server.create(&task(name, "greet", "0 0 1 1 *", &json!({ "recurring": true })));
    }
    let Some(browser) = visit("bulk-phone", &server, "/tasks") else { return };
    browser.resize(360, 740);
    browser.click_css("input[aria-label='Choose One']");
    browser.click_css("input[aria-label='Choose Three']");
    browser.until_text("Chosen tasks");
    browser.picture("chosen");
    browser.click("button", "Pause…");
    browser.until_text("Pause 2 tasks?");
    browser.click("button", "Pause 2 tasks");
    browser.until_text("done for 2 tasks");
    assert_eq!(server.client().get("/admin/scheduler?status=paused").expect(200)["total"], 2);
}
