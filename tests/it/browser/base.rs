//! The pages below a path, behind a proxy.

use serde_json::json;

use super::{
    tools::{Browser, Proxy},
    write_handlers,
};
use crate::harness::{Options, Server, task};

/// Walks through the pages, and changes something.
fn walk(story: &str, base: &str, server: &Server) {
    write_handlers(&server.home);
    let id = server.create(&task("Say hello", "greet", "0 0 1 1 *", &json!({ "recurring": true })));
    server.run(&id);
    let Some(browser) = Browser::open_at(story, base) else { return };
    browser.log_in(server.client().token());
    browser.until_text("Overview");
    for place in ["Tasks", "Runs", "Timeline", "Calendar", "Handlers", "Alerts", "Secrets", "Tokens"] {
        browser.click("link", place);
        browser.until_current(place);
    }
    browser.click("link", "Tasks");
    browser.click("link", "Say hello");
    browser.until_text("1–1 of 1");
    browser.until_live();
    browser.click("button", "Pause");
    browser.until_text("paused successfully");
    assert!(browser.path().starts_with("/tasks/task-"), "{}", browser.path());
    browser.until_live();
    server.run(&id);
    browser.until_text("1–2 of 2");
    browser.look("task");
    browser.click("button", "Settings and account");
    browser.click("button", "Log out");
    browser.until_text("On a new server");
    assert!(browser.path().starts_with("/login"), "{}", browser.path());
}

#[test]
fn pages_work_below_a_path_without_a_proxy() {
    let server = Options::default().set("PUBLIC_URL", "http://127.0.0.1/ops/isochron").start();
    let base = format!("http://{}/ops/isochron", server.client().address());
    walk("base", &base, &server);
}

#[test]
fn pages_work_behind_a_proxy_that_strips_the_path() {
    let proxy = Proxy::start(true);
    let server = Options::default().set("PUBLIC_URL", &proxy.url()).start();
    proxy.lead_to(server.client().address());
    walk("strips", &proxy.url(), &server);
}

#[test]
fn pages_work_behind_a_proxy_that_leaves_the_path() {
    let proxy = Proxy::start(false);
    let server = Options::default().set("PUBLIC_URL", &proxy.url()).start();
    proxy.lead_to(server.client().address());
    walk("leaves", &proxy.url(), &server);
}
