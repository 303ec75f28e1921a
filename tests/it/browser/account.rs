//! Who looks: login, logout, settings.

use super::{Browser, visit};
use crate::harness::Server;

#[test]
fn a_token_opens_the_pages_and_logging_out_closes_them() {
    let server = Server::start();
    let Some(browser) = Browser::open("login", &server) else { return };
    browser.look("form");
    browser.fill("Token", "not-the-token-of-this-server");
    browser.click("button", "Log in");
    browser.until_text("not known");
    browser.look("wrong");
    browser.log_in(server.client().token());
    browser.go("/tasks");
    browser.until_text("There is no task yet");
    browser.click("button", "Settings and account");
    browser.click("button", "Log out");
    browser.until_text("Log in");
    // Pages are not kept: the one before asks for a login as well.
    browser.back();
    browser.go("/tasks");
    browser.until_text("Token");
    assert!(!browser.text().contains("There is no task yet"), "{}", browser.text());
}

#[test]
fn a_link_leads_to_its_page_through_the_login() {
    let server = Server::start();
    let Some(browser) = Browser::open("link", &server) else { return };
    browser.go("/tasks?status=failed");
    browser.log_in(server.client().token());
    browser.until_text("No task matches");
    assert_eq!(browser.path(), "/tasks?status=failed");
}

#[test]
fn the_zone_is_that_of_the_browser_until_another_is_chosen() {
    let server = Server::start();
    let Some(browser) = visit("zone", &server, "/tasks") else { return };
    browser.until_text("Europe/Berlin");
    browser.click("button", "Settings and account");
    browser.look("settings");
    browser.fill("Time zone", "Asia/Tokyo");
    browser.click("button", "Save");
    browser.until_text("Asia/Tokyo");
    browser.click("button", "Settings and account");
    browser.fill("Time zone", "Asia/Tokio");
    browser.click("button", "Save");
    browser.until_text("did you mean \"Asia/Tokyo\"?");
    browser.look("wrong-zone");
}

#[test]
fn a_page_that_is_not_there_is_told_as_a_page() {
    let server = Server::start();
    let Some(browser) = visit("nowhere", &server, "/no/such/page") else { return };
    browser.until_text("There is no page at /no/such/page");
    browser.go("/tasks/task-01j9zzzzzzzzzzzzzzzzzzzzzz");
    browser.until_text("Task not found");
    browser.look("task");
}
