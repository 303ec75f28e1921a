//! Roles: a page has the buttons that a token may use, and the server refuses the others.

use serde_json::{Value, json};

use super::{start, tools::Browser};
use crate::harness::{Server, task};

/// Changes that a page could ask for, with the least role for each.
const CHANGES: [(&str, &str); 9] = [
    ("operator", "/tasks/ID/run"),
    ("operator", "/tasks/ID/pause"),
    ("operator", "/tasks/ID/resume"),
    ("operator", "/alerts/mute?length=0"),
    ("editor", "/tasks/ID/edit?description=changed"),
    ("editor", "/secrets?kind=variables&name=A_NAME&value=x&handlers="),
    ("admin", "/secrets?kind=secrets&name=A_NAME&value=12345678&handlers="),
    ("admin", "/tokens?name=other&role=viewer"),
    ("admin", "/alerts/test?channel=none"),
];
const ROLES: [&str; 4] = ["viewer", "operator", "editor", "admin"];

fn rank(role: &str) -> usize {
    ROLES.iter().position(|known| *known == role).expect("a role")
}

fn token(server: &Server, role: &str, handlers: &Value) -> String {
    let name = format!("a {role} {handlers}");
    let body =
        json!({ "name": name.chars().take(50).collect::<String>(), "role": role, "handlers": handlers });
    let made = server.client().post("/admin/tokens", &body).expect(201);
    made["token"].as_str().expect("a token").to_owned()
}

/// The status of a change that is asked for as the page's own forms ask.
fn ask_for(browser: &Browser, change: &str) -> Value {
    let (path, fields) = change.split_once('?').unwrap_or((change, ""));
    browser.evaluate(&format!(
        "fetch('{path}', {{ method: 'POST', redirect: 'manual', body: new URLSearchParams('{fields}') }}).then((answer) => answer.status || 303)"
    ))
}

#[test]
fn each_role_sees_and_does_what_it_may() {
    let server = start();
    let more = json!({ "recurring": true, "params": { "name": "Ada" } });
    let id = server.create(&task("Say hello", "greet", "0 0 1 1 *", &more));
    let execution = server.run(&id)["id"].as_str().expect("an id").to_owned();
    let Some(browser) = Browser::open("roles", &server) else { return };
    for role in ROLES {
        browser.log_in(&token(&server, role, &Value::Null));
        browser.until_text("Overview");
        let has = |text: &str| browser.text().lines().any(|line| line.trim() == text);
        let may = |least: &str| rank(role) >= rank(least);
        assert_eq!(has("Secrets"), may("editor"), "{role}: the navigation");
        assert_eq!(has("Tokens"), may("admin"), "{role}: the navigation");
        assert_eq!(has("New task"), may("editor"), "{role}: the overview");
        browser.go(&format!("/tasks/{id}"));
        browser.until_text("Say hello");
        assert_eq!((has("Run…"), has("Pause")), (may("operator"), may("operator")), "{role}: the task");
        assert_eq!(has("Edit"), may("editor"), "{role}: the task");
        browser.go(&format!("/executions/{execution}"));
        browser.until_text("hello Ada");
        assert_eq!(has("Run again…"), may("operator"), "{role}: the run");
        browser.go("/handlers/greet");
        browser.until_text("Source");
        assert_eq!(browser.text().contains("module.exports"), may("editor"), "{role}: the source");
        browser.go("/alerts");
        browser.until_text("Nobody is told yet");
        browser.picture(role);
        for (least, change) in CHANGES {
            let status = ask_for(&browser, &change.replace("ID", &id));
            let refused = status == 403;
            assert_eq!(refused, !may(least), "{role}: {change} is answered {status}");
        }
        browser.go("/login");
    }
}

#[test]
fn a_token_of_some_handlers_sees_their_tasks_alone() {
    let server = start();
    let more = json!({ "recurring": true });
    let own = server.create(&task("Say hello", "greet", "0 0 1 1 *", &more));
    let other = server.create(&task("Brew coffee", "fail", "0 0 1 1 *", &more));
    let failed = server.run(&other)["id"].as_str().expect("an id").to_owned();
    let Some(browser) = Browser::open("bound", &server) else { return };
    browser.log_in(&token(&server, "operator", &json!(["greet"])));
    // The overview is about the tasks of all.
    browser.until_text("Say hello");
    assert_eq!(browser.path(), "/tasks");
    let pages = [
        ("/tasks", "Tasks"),
        ("/executions", "Runs"),
        ("/timeline", "Timeline"),
        ("/handlers", "Handlers"),
        ("/alerts", "Alerts"),
    ];
    for (page, title) in pages {
        browser.go(page);
        browser.until_current(title);
        assert!(!browser.text().contains("Brew coffee"), "{page}: {}", browser.text());
        assert!(!browser.text().contains("Not allowed"), "{page}: {}", browser.text());
    }
    browser.go("/search?q=coffee");
    browser.until_text("Nothing is found");
    for page in [format!("/tasks/{other}"), format!("/executions/{failed}"), format!("/tasks/{other}/run")] {
        browser.go(&page);
        browser.until_text("not found");
    }
    browser.go(&format!("/tasks/{own}"));
    browser.click("link", "Run…");
    browser.click("button", "Run now");
    browser.until_text("Completed");
    assert_eq!(ask_for(&browser, &format!("/tasks/{other}/run")), 404);
}
