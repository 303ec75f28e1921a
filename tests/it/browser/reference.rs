//! The reference of the API.

use serde_json::json;

use super::{Browser, visit};
use crate::harness::Server;

#[test]
fn a_reader_finds_a_route_its_values_and_a_command_without_a_token() {
    let server = Server::start();
    let Some(browser) = Browser::open("reference", &server) else { return };
    browser.go("/docs");
    browser.until_text("Secrets and variables");
    browser.look("closed");
    browser.click("button", "POST /admin/scheduler create");
    browser.until_text("maxRetries");
    browser.until_text("whole number 0 to 10");
    let command = browser.value("Command for POST /admin/scheduler");
    assert!(
        command.starts_with("curl -sS -X POST -H \"Authorization: Bearer $ISOCHRON_TOKEN\""),
        "{command}"
    );
    assert!(command.contains("\"schedule\":\"0 9 * * 1\""), "{command}");
    browser.look("open");
    // A link to a document opens it.
    browser.go("/docs#LastExecution");
    browser.until_text("The start, epoch milliseconds.");
}

#[test]
fn the_commands_of_the_reference_do_what_they_say() {
    let server = Server::start();
    server.home.write("reports/sales", "module.exports = () => 1;");
    let Some(browser) = visit("commands", &server, "/tasks") else { return };
    browser.click("button", "Settings and account");
    browser.click("link", "API for programs");
    browser.until_text("Secrets and variables");
    for (name, answer) in [
        ("POST /admin/scheduler create", "Task created successfully"),
        ("GET /admin/scheduler list", "\"total\":1"),
        ("GET /admin/schedule/preview", "At 09:00 on Monday"),
    ] {
        browser.click("button", name);
        let route = name.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let command = browser.value(&format!("Command for {route}"));
        let output = std::process::Command::new("sh")
            .args(["-c", &command])
            .env("ISOCHRON_SERVER", format!("http://{}", server.client().address()))
            .env("ISOCHRON_TOKEN", server.client().token())
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(answer), "{command}: {text}");
    }
    browser.look("logged-in");
    let task = server.client().get("/admin/scheduler").expect(200)["tasks"][0].clone();
    assert_eq!(task["handler"], json!("reports/sales"));
}
