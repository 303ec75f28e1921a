//! The examples in `tasks/examples/`: each does its work against a server on this machine.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Home, Options, Server, Web, WebRequest, field, task, until};

/// A server that has the examples and may reach this machine.
fn start() -> Server {
    let home = Home::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tasks/examples");
    for entry in fs::read_dir(shipped).expect("the examples").map(|entry| entry.expect("an entry")) {
        let name = format!("examples/{}", entry.file_name().to_string_lossy());
        home.write(&name, &fs::read_to_string(entry.path()).expect("an example"));
    }
    Options::default().set("NET__ALLOW", "127.0.0.1").start_in(home).expect("it starts")
}

/// Creates a task of an example that only manual runs start.
fn create(server: &Server, example: &str, params: &Value) -> String {
    let more = json!({ "params": params, "recurring": true });
    server.create(&task(example, &format!("examples/{example}"), "0 0 1 1 *", &more))
}

#[track_caller]
fn result(execution: &Value) -> Value {
    assert_eq!(execution["status"], "completed", "{execution:#}");
    execution["result"].clone()
}

fn keep_secret(server: &Server, name: &str, value: &str, example: &str) {
    let body = json!({ "value": value, "handlers": [format!("examples/{example}")] });
    let answer = server.client().put(&format!("/admin/secrets/{name}"), &body);
    assert!(answer.status < 300, "{answer:?}");
}

#[test]
fn exchange_rates_are_compared_with_those_of_the_last_run() {
    let calls = AtomicUsize::new(0);
    let web = Web::start(move |_| {
        let usd = [1.0, 1.1][calls.fetch_add(1, Ordering::SeqCst).min(1)];
        (200, "content-type: application/json", json!({ "rates": { "USD": usd, "GBP": 0.86 } }).to_string())
    });
    let server = start();
    let id = create(&server, "exchange-rates", &json!({ "url": web.url("/latest") }));
    assert_eq!(result(&server.run(&id)), json!({ "first": true, "moved": [] }));
    let moved = json!([{ "currency": "USD", "before": 1, "now": 1.1, "change": 10 }]);
    assert_eq!(result(&server.run(&id)), json!({ "first": false, "moved": moved }));
    assert_eq!(result(&server.run(&id)), json!({ "first": false, "moved": [] }));
    assert!(web.seen().iter().all(|request| request.method == "GET" && request.body.is_empty()));
}

#[test]
fn a_paged_api_is_read_to_its_end_although_it_is_busy_in_between() {
    let busy = AtomicUsize::new(0);
    let web = Web::start(move |request: &WebRequest| {
        if request.header("authorization") != "Bearer open sesame" {
            return (401, "", "who are you?".to_owned());
        }
        if request.path == "/orders?page=2" && busy.fetch_add(1, Ordering::SeqCst) < 2 {
            return (503, "retry-after: 0", "busy".to_owned());
        }
        let page = match request.path.as_str() {
            "/orders" => json!({ "items": [{ "amount": 1 }, { "amount": 2 }], "next": "/orders?page=2" }),
            _ => json!({ "items": [{ "amount": 4 }], "next": null }),
        };
        (200, "", page.to_string())
    });
    let server = start();
    keep_secret(&server, "ORDERS_TOKEN", "open sesame", "paged-api");
    let id = create(&server, "paged-api", &json!({ "url": web.url("/orders") }));
    let execution = server.run(&id);
    assert_eq!(result(&execution), json!({ "pages": 2, "items": 3, "total": 7 }));
    assert_eq!(execution["output"].to_string().matches("is busy: waiting 0 s").count(), 2);
    assert!(!execution.to_string().contains("open sesame"));
    assert_eq!(web.seen().len(), 4);
    let failed = server.run_with(&id, &json!({ "url": web.url("/orders?page=2"), "tries": 0 }));
    assert_eq!(failed["status"], "completed", "the page is not busy any more");
}

#[test]
fn a_page_is_told_to_have_changed_when_its_text_has() {
    let calls = AtomicUsize::new(0);
    let web = Web::start(move |request: &WebRequest| {
        let etags = ["etag: \"one\"", "etag: \"one\"", "etag: \"two\"", "etag: \"three\""];
        let call = calls.fetch_add(1, Ordering::SeqCst).min(3);
        if etags[call] == format!("etag: {}", request.header("if-none-match")) {
            return (304, etags[call], String::new());
        }
        let price = if call < 2 { 5 } else { 6 };
        (200, etags[call], format!("<p>visitor {call}</p><b>price {price}</b>"))
    });
    let server = start();
    let params = json!({ "url": web.url("/"), "match": "<b>.*</b>" });
    let id = create(&server, "page-watch", &params);
    let changed: Vec<_> = (0..4).map(|_| result(&server.run(&id))["changed"].clone()).collect();
    assert_eq!(changed, [false, false, true, false].map(Value::from));
}

#[test]
fn a_webhook_is_signed_so_that_its_receiver_can_check_it() {
    let web = Web::start(|_| (204, "", String::new()));
    let server = start();
    keep_secret(&server, "WEBHOOK_KEY", "a key of both", "signed-webhook");
    let params = json!({ "url": web.url("/hook"), "message": { "text": "hé" } });
    let id = create(&server, "signed-webhook", &params);
    let execution = server.run(&id);
    assert_eq!(result(&execution), json!({ "success": true, "status": 204 }));
    let seen = web.seen();
    let [request] = seen.as_slice() else { panic!("{seen:?}") };
    let mut mac = Hmac::<Sha256>::new_from_slice(b"a key of both").expect("any length");
    mac.update(request.body.as_bytes());
    let signature = format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    assert_eq!(request.header("x-signature"), signature);
    assert_eq!(request.header("idempotency-key"), format!("{id}/{}", execution["scheduledFor"]));
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!((request.method.as_str(), &body["message"]["text"]), ("POST", &json!("hé")));
}

#[test]
fn a_job_of_ten_steps_goes_on_at_step_six_after_the_server_was_killed() {
    let sixth = AtomicUsize::new(0);
    let web = Web::start(move |request: &WebRequest| {
        if request.path == "/parts/6" && sixth.fetch_add(1, Ordering::SeqCst) == 0 {
            // The first time there is no answer: the server is killed meanwhile.
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        (200, "", json!({ "rows": 10 }).to_string())
    });
    let mut server = start();
    let params = json!({ "url": web.url("/parts/") });
    let more = json!({ "params": params, "maxRetries": 1, "retryDelay": 1000 });
    let id = server.create(&task("ten-steps", "examples/ten-steps", "now", &more));
    until("step six has begun", || web.seen().iter().any(|request| request.path == "/parts/6").then_some(()));
    server.kill();
    server.start_again();
    server.until_status(&id, "completed");
    let rows = server.executions(&id);
    assert_eq!(
        field(&rows[0], ["attempt", "result"]),
        [json!(2), json!({ "success": true, "parts": 10, "rows": 100 })]
    );
    let mut paths: Vec<_> = web.seen().into_iter().map(|request| request.path).collect();
    paths.sort();
    let mut expected: Vec<_> = (1..=10).map(|part| format!("/parts/{part}")).collect();
    expected.push("/parts/6".to_owned());
    expected.sort();
    assert_eq!(paths, expected, "finished steps did not run again");
}

#[test]
fn a_database_is_asked_over_http_with_arguments_apart_from_the_statement() {
    let web = Web::start(|request: &WebRequest| {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let statement = body["requests"][0]["stmt"]["sql"].as_str().unwrap_or_default();
        let result = if statement.starts_with("DELETE") {
            json!({ "affected_row_count": 3, "rows": [] })
        } else {
            json!({ "affected_row_count": 0, "rows": [[{ "type": "integer", "value": "12" }]] })
        };
        let answer = json!({ "type": "ok", "response": { "type": "execute", "result": result } });
        (200, "content-type: application/json", json!({ "results": [answer] }).to_string())
    });
    let server = start();
    keep_secret(&server, "DATABASE_TOKEN", "of the database", "sql-over-http");
    let id = create(&server, "sql-over-http", &json!({ "url": web.url("") }));
    assert_eq!(result(&server.run(&id)), json!({ "deleted": 3, "left": 12 }));
    let request = &web.seen()[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v2/pipeline"));
    assert_eq!(request.header("authorization"), "Bearer of the database");
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!(body["requests"][0]["stmt"]["args"][0]["type"], "text");
}

#[test]
fn a_report_in_typescript_uses_packages_of_node_modules() {
    let orders = json!([
        { "id": 1, "amount": 9.5, "paidAt": "2026-10-03T10:00:00Z" },
        { "id": 2, "amount": 1, "paidAt": "2020-01-01T00:00:00Z" },
    ]);
    let web = Web::start(move |_| (200, "content-type: application/json", orders.to_string()));
    let server = start();
    let package = |name: &str, text: &str| {
        let manifest = json!({ "name": name, "version": "1.0.0", "type": "module", "exports": "./index.js" });
        server.home.write(&format!("node_modules/{name}/package.json"), &manifest.to_string());
        server.home.write(&format!("node_modules/{name}/index.js"), text);
    };
    // Stand-ins: as much of the two packages as the example uses.
    package(
        "date-fns",
        "export const subMonths = (date, n) => new Date(Date.UTC(2026, 9, 15));
         export const isSameMonth = (a, b) => a.getUTCMonth() === b.getUTCMonth() && a.getUTCFullYear() === b.getUTCFullYear();
         export const format = (date) => date.toISOString().slice(0, 7);",
    );
    package(
        "zod",
        "export const z = {
           number: () => 'number', string: () => 'string', object: (shape) => shape,
           array: (shape) => ({
             parse(items) {
               for (const item of items) {
                 for (const key in shape) {
                   if (typeof item[key] !== shape[key]) throw new TypeError(`${key} must be a ${shape[key]}`);
                 }
               }
               return items;
             },
           }),
         };",
    );
    let id = create(&server, "sales-report", &json!({ "url": web.url("/orders") }));
    assert_eq!(result(&server.run(&id)), json!({ "month": "2026-10", "orders": 1, "revenue": 9.5 }));
}

#[test]
fn the_example_of_a_file_of_tasks_has_no_mistake_but_the_folder_of_its_handlers() {
    let home = Home::new();
    home.write("examples/exchange-rates", "module.exports = () => 1");
    home.write("examples/page-watch", "module.exports = () => 1");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tasks/examples/tasks.json");
    home.write("tasks.json", &fs::read_to_string(shipped).expect("the example"));
    let checked = home.run(&["check"]);
    assert_eq!(checked.code(), Some(0), "{checked:?}");
    let server = Options::default().start_in(home).expect("it starts");
    let list = server.client().get("/admin/scheduler?sortBy=name").expect(200);
    let names: Vec<_> =
        list["tasks"].as_array().expect("tasks").iter().map(|task| task["name"].clone()).collect();
    assert_eq!(names, ["exchange-rates", "page-watch"]);
}
