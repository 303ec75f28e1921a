//! The search over everything.

use serde_json::json;
use thirtyfour::Key;

use super::{start, visit};
use crate::harness::{Server, task, until};

#[test]
fn the_palette_finds_tasks_handlers_pages_and_ids() {
    let server = start();
    let id = server.create(&task("Brew coffee", "fail", "0 0 1 1 *", &json!({ "recurring": true })));
    let execution = server.run(&id)["id"].as_str().expect("an id").to_owned();
    let Some(browser) = visit("palette", &server, "/tasks") else { return };
    browser.until_text("Brew coffee");
    browser.press("/");
    until("the palette is open", || (browser.evaluate("palette.open") == true).then_some(()));
    browser.until_text("Calendar");
    browser.look("open");
    browser.press("coff");
    browser.until_text("task, fail");
    browser.press(Key::Enter + "");
    until("the page of the task", || (browser.path() == format!("/tasks/{id}")).then_some(()));
    browser.press(Key::Control + "k");
    until("the palette is open", || (browser.evaluate("palette.open") == true).then_some(()));
    browser.press("gree");
    browser.until_text("handler");
    browser.press(Key::Down + "");
    browser.press(Key::Enter + "");
    until("the page of the handler", || (browser.path() == "/handlers/greet").then_some(()));
    browser.click("link", "Search");
    browser.press(execution.as_str());
    browser.until_text("run, failed");
    browser.press(Key::Escape + "");
    until("the palette is closed", || (browser.evaluate("palette.open") == false).then_some(()));
}

#[test]
fn single_keys_are_switched_off_in_the_settings() {
    let server = Server::start();
    let Some(browser) = visit("no-keys", &server, "/tasks") else { return };
    browser.until_live();
    browser.click("button", "Settings and account");
    browser.click_css("input[name=keys][value=off]");
    browser.click("button", "Save");
    until("the setting is kept", || (browser.evaluate("document.body.dataset.keys") == "off").then_some(()));
    browser.until_live();
    browser.press("n/?");
    assert_eq!(browser.evaluate("document.querySelectorAll('dialog[open]').length"), 0);
    assert_eq!(browser.path(), "/tasks");
    // Ctrl-K is no single key.
    browser.press(Key::Control + "k");
    browser.until_text("New task");
    assert_eq!(browser.evaluate("palette.open"), true);
}

#[test]
fn everything_is_found_without_script() {
    let server = start();
    let id = server.create(&task("Brew coffee", "fail", "0 0 1 1 *", &json!({ "recurring": true })));
    let Some(browser) = visit("search", &server, "/tasks") else { return };
    browser.tell("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.go("/tasks");
    browser.click("link", "Search");
    browser.fill("A part of a name", "COFFEE");
    browser.click("button", "Search");
    browser.click("link", "Brew coffee");
    assert_eq!(browser.path(), format!("/tasks/{id}"));
    browser.go("/search?q=nothing%20like%20it");
    browser.until_text("Nothing is found for “nothing like it”");
}
