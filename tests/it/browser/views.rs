//! Every page that shows the server as a whole, with lively data, checked as each page is.

use serde_json::json;

use super::{start, visit};
use crate::harness::{GATED, Server, task, until};

/// A server with tasks of all kinds, runs that have failed and one that goes on.
fn lively() -> Server {
    let server = start();
    server.home.write("broken", "module.exports = () => {\n  const x = ;\n};");
    server.home.write("slow", GATED);
    for (name, handler, schedule) in [
        ("Hourly greeting", "greet", "@hourly"),
        ("Brew coffee", "fail", "0 3 * * *"),
        ("Quick pulse", "greet", "*/5 * * * *"),
        ("Weekday mail", "greet", "0 9 * * 1-5"),
    ] {
        let more = json!({ "recurring": true, "tags": ["shop"], "params": { "name": "Ada" } });
        let id = server.create(&task(name, handler, schedule, &more));
        server.run(&id);
        server.run(&id);
    }
    server.create(&task("Long job", "slow", "now", &json!({})));
    server
}

#[test]
fn the_overview_tells_what_runs_what_has_failed_and_what_comes_next() {
    let server = lively();
    let Some(browser) = visit("overview", &server, "/") else { return };
    browser.until_text("Failed last");
    browser.until_text("the coffee is empty");
    browser.until_text("Long job");
    browser.look("page");
    browser.click("link", "Brew coffee");
    browser.until_text("no luck");
    server.open_gate();
}

#[test]
fn the_timeline_is_zoomed_and_moved_by_buttons_and_keys_and_a_run_opens() {
    let server = lively();
    let Some(browser) = visit("timeline", &server, "/timeline") else { return };
    browser.until_text("Quick pulse");
    browser.until_text("Europe/Berlin");
    browser.look("page");
    let before = browser.path();
    browser.click("link", "A shorter span");
    browser.until_text("Quick pulse");
    let nearer = browser.path();
    assert_ne!(nearer, before);
    browser.click("link", "Earlier");
    assert_ne!(browser.path(), nearer);
    browser.click("link", "Now");
    browser.until_text("Quick pulse");
    browser.evaluate("document.querySelector('.lane a').focus()");
    browser.press(thirtyfour::Key::Enter + "");
    browser.until_text("Parameters");
    assert!(browser.path().starts_with("/executions/exec-"), "{}", browser.path());
    server.open_gate();
}

#[test]
fn the_calendar_counts_the_days_of_a_month_and_lists_one() {
    let server = lively();
    let Some(browser) = visit("calendar", &server, "/calendar") else { return };
    browser.until_text("The coming week by the hour");
    browser.look("month");
    browser.click("link", "Month after");
    browser.click("link", "15");
    browser.until_text("Weekday mail");
    browser.until_text("Quick pulse");
    browser.look("day");
    server.open_gate();
}

#[test]
fn handlers_tell_whether_they_load_and_show_their_source() {
    let server = lively();
    let Some(browser) = visit("handlers", &server, "/handlers") else { return };
    until("its mistake is shown", || {
        browser.go("/handlers");
        browser.text().contains("Does not load").then_some(())
    });
    browser.look("list");
    browser.click("link", "broken");
    browser.until_text("const x = ;");
    browser.look("broken");
    browser.go("/handlers/greet");
    browser.until_text("Quick pulse");
    browser.look("greet");
    server.home.write("broken", "module.exports = () => 'mended';");
    browser.go("/handlers");
    browser.until_no_text("Does not load");
    server.open_gate();
}

#[test]
fn runs_of_all_tasks_are_filtered_and_tell_that_there_are_new_ones() {
    let server = lively();
    let Some(browser) = visit("runs", &server, "/executions") else { return };
    browser.until_text("Long job");
    browser.look("all");
    browser.click("link", "Failed");
    browser.until_no_text("Long job");
    browser.until_text("the coffee is empty");
    browser.until_live();
    let tasks = server.client().get("/admin/scheduler?name=Brew").expect(200);
    server.run(&crate::harness::id_of(&tasks["tasks"][0]));
    browser.until_text("1 new run");
    browser.click("link", "1 new run");
    browser.until_no_text("1 new run");
    browser.click_css("form .more-fields > summary");
    browser.click_css("input[name=column][value=late]");
    browser.click_css("input[name=column][value=attempt]");
    browser.click("button", "Show");
    browser.until_current("Runs");
    browser.until_text("Attempt");
    assert!(browser.path().contains("column=attempt") && !browser.path().contains("column=late"));
    browser.look("columns");
    server.open_gate();
}

#[test]
fn a_token_is_made_shown_once_and_taken_back() {
    let server = Server::start();
    let Some(browser) = visit("tokens", &server, "/tokens") else { return };
    browser.fill("Name", "ci");
    browser.fill("Role", "operator");
    browser.fill("Handlers", "greet");
    browser.click("button", "Make the token");
    browser.until_text("it is shown this once");
    let text = browser.value("The token");
    assert!(text.starts_with("iso_"), "{text}");
    browser.look("made");
    assert_eq!(server.client().with(&text).get("/admin/me").expect(200)["role"], "operator");
    browser.go("/tokens");
    assert!(!browser.text().contains("it is shown this once"));
    browser.click("button", "Actions on ci");
    browser.click("button", "Take back");
    browser.until_text("The token is taken back");
    assert_eq!(server.client().with(&text).get("/admin/me").status, 401);
}

#[test]
fn secrets_and_variables_are_set_and_a_secret_is_never_shown() {
    let server = start();
    let Some(browser) = visit("secrets", &server, "/secrets") else { return };
    browser.fill("Kind", "Secrets");
    browser.fill("Name", "API_TOKEN");
    browser.fill("Handlers", "greet");
    browser.fill("Value", "hunter2-and-more");
    browser.click_css("main form.edit button[type=submit]");
    browser.until_text("API_TOKEN is set");
    browser.fill("Kind", "Variables");
    browser.fill("Name", "REGION");
    browser.fill("Value", "EMEA");
    browser.click_css("main form.edit button[type=submit]");
    browser.until_text("EMEA");
    let page = browser.evaluate("document.documentElement.outerHTML").to_string();
    assert!(!page.contains("hunter2"), "{page}");
    browser.look("page");
    browser.click("button", "Actions on REGION");
    browser.click("button", "Delete");
    browser.until_text("REGION is deleted");
}

#[test]
fn the_audit_tells_who_paused_a_task_and_why_it_did_not_run() {
    let server = start();
    let id = server.create(&task("Quick pulse", "greet", "*/1 * * * * *", &json!({ "recurring": true })));
    let update = json!({ "description": "beats each second", "params": { "password": "hunter2" } });
    server.client().put(&format!("/admin/scheduler/{id}"), &update).expect(200);
    server.client().put("/admin/secrets/KEY", &json!({ "value": "the value of it" })).expect(201);
    server.act(&id, "pause").expect(200);
    assert_eq!(server.act(&id, "pause").status, 409);
    let Some(browser) = visit("audit", &server, "/audit") else { return };
    browser.until_text("Task is already paused");
    browser.until_text("beats each second");
    browser.look("page");
    let page = browser.text();
    assert!(page.contains("secret KEY") && !page.contains("hunter2"), "{page}");
    browser.fill("Action", "pause");
    browser.click("button", "Show");
    browser.until_no_text("beats each second");
    browser.click("link", "Quick pulse");
    browser.until_text("Who changed it");
    browser.look("task");
    browser.click("button", "Explain");
    browser.until_text("paused by config from");
    browser.look("why");
    browser.click("link", "Day before");
    browser.until_text("The task had no planned time");
}
