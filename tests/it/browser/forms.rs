//! The form of a task.

use serde_json::json;
use thirtyfour::Key;

use super::{start, visit};
use crate::harness::{id_of, until};

#[test]
fn a_task_is_made_and_run_by_keyboard_alone() {
    let server = start();
    let Some(browser) = visit("keyboard", &server, "/tasks") else { return };
    browser.until_text("There is no task yet");
    browser.press("?");
    browser.until_text("next and previous row");
    browser.look("keys");
    browser.press(Key::Escape);
    browser.press("n");
    browser.until_text("New task");
    // The name has the focus; each field is one key further.
    browser.press("Greeting" + Key::Tab);
    browser.press("Says hello" + Key::Tab);
    browser.press("greet" + Key::Tab);
    browser.press("friendly" + Key::Tab);
    browser.press("0 0 1 1 *" + Key::Tab);
    browser.until_text("At 00:00 on day 1 of the month in January");
    browser.look("form");
    until("the parameters have the focus", || {
        browser.press(Key::Tab + "");
        (browser.evaluate("document.activeElement.name") == "params").then_some(())
    });
    browser.press(Key::Control + "a");
    browser.press("{\"name\": \"Ada\"}");
    until("the button has the focus", || {
        browser.press(Key::Tab + "");
        (browser.evaluate("document.activeElement.innerText") == "Create task").then_some(())
    });
    browser.press(Key::Enter + "");
    browser.until_text("created successfully");
    browser.press("r");
    browser.until_text("Its schedule stays as it is");
    until("the button has the focus", || {
        browser.press(Key::Tab + "");
        (browser.evaluate("document.activeElement.innerText") == "Run now").then_some(())
    });
    browser.press(Key::Enter + "");
    browser.until_text("hello Ada");
    browser.press("g");
    browser.press("t");
    browser.until_text("Greeting");
    browser.press("j");
    browser.press(Key::Enter + "");
    browser.until_text("Says hello");
}

#[test]
fn the_form_shows_the_meaning_of_a_schedule_while_it_is_typed() {
    let server = start();
    let Some(browser) = visit("schedule", &server, "/tasks/new") else { return };
    browser.fill("Time zone", "America/New_York");
    browser.fill("Schedule", "30 2 * * 0");
    browser.until_text("At 02:30 on Sunday");
    // Ten Sundays reach a change of the clocks only at some times of the year; both zones are always there.
    browser.until_text("America/New_York");
    browser.until_text("Europe/Berlin");
    browser.fill("Schedule", "30 25 * * 0");
    browser.until_text("hour");
    browser.fill("Schedule", "0 9 1 * 1");
    browser.until_text("Both day fields are restricted");
    browser.look("warning");
}

#[test]
fn wrong_fields_are_told_at_their_places_and_keep_their_texts() {
    let server = start();
    let Some(browser) = visit("wrong", &server, "/tasks/new") else { return };
    browser.fill("Name", "ab");
    browser.fill("Schedule", "every 2 fortnights");
    browser.fill("A run takes at most", "an hour");
    browser.fill("A JSON object", "{\"a\": 1,,}");
    browser.click("button", "Create task");
    browser.until_text("must be a time with its unit");
    browser.until_text("line 1 column 9");
    assert_eq!(browser.value("Name"), "ab");
    browser.fill("A run takes at most", "1 h");
    browser.fill("A JSON object", "{}");
    // A field that is mended no longer has its problem.
    browser.until_no_text("must be a time with its unit");
    browser.until_no_text("line 1 column 9");
    assert_eq!(browser.evaluate("document.querySelectorAll('.field.wrong [name=params]').length"), 0);
    browser.click("button", "Create task");
    browser.until_text("3 to 50 are allowed");
    assert_eq!(browser.evaluate("document.activeElement.name"), "name");
    assert_eq!(browser.value("A run takes at most"), "1 h");
    browser.look("problems");
    assert_eq!(server.client().get("/admin/scheduler").expect(200)["total"], 0);
}

#[test]
fn a_task_is_changed_and_copied() {
    let server = start();
    let body = json!({ "name": "Original", "description": "first", "handler": "greet", "schedule": "0 3 * * *",
        "recurring": true, "timeout": 90_000, "maxRetries": 2, "params": { "name": "Ada", "list": [1, 2.5] } });
    let id = server.create(&body);
    let Some(browser) = visit("edit", &server, &format!("/tasks/{id}/edit")) else { return };
    assert_eq!(browser.value("A run takes at most"), "1 min 30 s");
    browser.fill("Description", "second");
    browser.click("button", "Save");
    browser.until_text("updated successfully");
    let changed = server.task(&id);
    assert_eq!(changed["description"], "second");
    for field in ["name", "schedule", "timeout", "maxRetries", "params", "recurring"] {
        assert_eq!(changed[field], body[field], "{field}");
    }
    browser.click("button", "More actions");
    browser.click("link", "Duplicate");
    browser.until_text("New task");
    browser.click("button", "Create task");
    browser.until_text("created successfully");
    let copies = server.client().get("/admin/scheduler?name=Original%20copy").expect(200);
    assert_ne!(id_of(&copies["tasks"][0]), id);
    assert_eq!(copies["tasks"][0]["params"], body["params"]);
}

#[test]
fn a_task_follows_another_one_by_its_name_and_needs_no_schedule() {
    let server = start();
    let first = server.create(&json!({ "name": "First", "description": "", "handler": "greet",
        "schedule": "0 3 * * *", "recurring": true }));
    let second = server.create(&json!({ "name": "Second", "description": "", "handler": "greet",
        "after": { "taskId": first, "on": "failure" } }));
    let Some(browser) = visit("follow", &server, &format!("/tasks/{second}/edit")) else { return };
    assert_eq!(browser.value("Runs after the task"), "First");
    browser.fill("Runs after the task", "Nobody");
    browser.click("button", "Save");
    browser.until_text("no task has the name \"Nobody\"");
    browser.fill("Runs after the task", "First");
    browser.fill("Schedule", "");
    browser.fill("Concurrency key", "database");
    browser.click("button", "Save");
    browser.until_text("updated successfully");
    browser.until_text("when that one has failed");
    browser.look("follower");
    let changed = server.task(&second);
    assert_eq!(changed["after"], json!({ "taskId": first, "on": "failure" }));
    assert_eq!([&changed["schedule"], &changed["concurrencyKey"]], [&json!("never"), &json!("database")]);
}
