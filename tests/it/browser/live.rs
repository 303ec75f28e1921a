//! Pages that stay right while they are open.

use serde_json::json;

use super::{visit, write_handlers};
use crate::harness::{GATED, Options, Server, task};

#[test]
fn a_list_shows_what_happens_without_a_reload() {
    let server = Server::start();
    write_handlers(&server.home);
    let id = server.create(&task("Brew coffee", "fail", "0 0 1 1 *", &json!({ "recurring": true })));
    let Some(browser) = visit("live", &server) else { return };
    browser.until_text("Active");
    browser.evaluate("window.untouched = true");
    server.run(&id);
    browser.until_text("the coffee is empty");
    server.act(&id, "pause").expect(200);
    browser.until_text("Paused");
    browser.click("link", "Brew coffee");
    browser.until_text("The last run failed");
    browser.evaluate("window.untouched = true");
    server.act(&id, "resume").expect(200);
    browser.until_text("Pause");
    server.run(&id);
    browser.until_text("1–2 of 2");
    assert_eq!(browser.evaluate("window.untouched"), true, "the page was loaded again");
}

#[test]
fn the_output_of_a_run_is_followed_to_its_end() {
    let server = Server::start();
    let id = server.create_at_gate("gated");
    let execution = server.executions(&id)[0]["id"].as_str().expect("an id").to_owned();
    let Some(browser) = visit("output", &server) else { return };
    browser.go(&format!("/executions/{execution}"));
    browser.until_text("at the gate");
    browser.until_text("Running");
    browser.look("running");
    server.open_gate();
    browser.until_text("Completed");
    browser.until_text("through");
}

#[test]
fn lines_come_while_a_run_goes_on_and_a_link_leads_to_one() {
    let server = Server::start();
    let source = format!(
        "{GATED}\nconst wait = module.exports;\nmodule.exports = async () => {{ for (let i = 1; i <= 500; i += 1) console.log(`line ${{i}}`); await wait(); for (let i = 501; i <= 3000; i += 1) console.log(`line ${{i}}`); }};"
    );
    server.home.write("long", &source);
    let id = server.create(&task("Long", "long", "now", &json!({})));
    server.until_output(&id);
    let execution = server.executions(&id)[0]["id"].as_str().expect("an id").to_owned();
    let Some(browser) = visit("lines", &server) else { return };
    browser.go(&format!("/executions/{execution}"));
    browser.until_text("line 500");
    server.open_gate();
    browser.until_text("line 3000");
    browser.until_text("Completed");
    let lines = || browser.evaluate("document.querySelectorAll('.line').length");
    assert_eq!(lines(), 3001);
    let numbers = browser.evaluate(
        "[...document.querySelectorAll('.line')].every((line, index) => line.id === `L${index + 1}`)",
    );
    assert_eq!(numbers, true, "a line is missing or told twice");
    browser.go(&format!("/executions/{execution}#L2990"));
    browser.reload();
    browser.until_text("line 3000");
    assert_eq!(browser.evaluate("document.querySelector('.marked').innerText.includes('line 2989')"), true);
    browser.fill("Search the output", "line 2999");
    browser.until_text("1 found");
    browser.fill("Levels", "errors");
    assert_eq!(browser.evaluate("getComputedStyle(document.querySelector('.line')).display"), "none");
}

#[test]
fn a_page_tells_that_it_is_not_live_and_mends_itself() {
    let mut server = Server::start();
    write_handlers(&server.home);
    server.create(&task("Say hello", "greet", "0 0 1 1 *", &json!({ "recurring": true })));
    let Some(browser) = visit("lost", &server) else { return };
    browser.until_text("Say hello");
    browser.until_live();
    server.kill();
    browser.until_text("Not live since");
    browser.picture("lost");
    let port = browser.base().rsplit(':').next().expect("a port").to_owned();
    server.start_again_on(&port);
    server.create(&task("Came later", "greet", "0 0 1 1 *", &json!({ "recurring": true })));
    browser.until_text("Came later");
    browser.until_no_text("Not live since");
}

#[test]
fn pages_work_below_a_path_with_and_without_a_proxy_that_strips_it() {
    let server = Options::default().set("PUBLIC_URL", "http://127.0.0.1/ops/isochron").start();
    write_handlers(&server.home);
    server.create(&task("Say hello", "greet", "0 0 1 1 *", &json!({ "recurring": true })));
    let base = format!("http://{}/ops/isochron", server.client().address());
    let Some(browser) = super::Browser::open_at("base", &base) else { return };
    browser.log_in(server.client().token());
    browser.go("/tasks");
    browser.click("link", "Say hello");
    browser.until_text("The task has not run yet");
    browser.click("button", "Pause");
    browser.until_text("paused successfully");
    assert!(browser.path().starts_with("/tasks/task-"), "{}", browser.path());
    browser.look("task");
}
