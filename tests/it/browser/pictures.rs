//! The pictures of `docs/dashboard.md`.

use std::{fs, path::Path};

use data_encoding::HEXLOWER;
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tools::Browser;
use crate::harness::{GATED, Home, Options, Server, task};

const HOUR: i64 = 3_600_000;

/// Writes the handlers of a shop.
fn write_shop(home: &Home) {
    home.write("orders/import", "/** Takes new orders over. */\nmodule.exports = async ({ shop }) => {\n  const from = Date.now();\n  console.log(`reading the orders of ${shop}`);\n  await new Promise((done) => setTimeout(done, 20 + from % 60));\n  console.info('14 orders are taken over');\n  return { orders: 14 };\n};");
    home.write("invoices/send", "/** Sends the invoices of the day. */\nmodule.exports = async ({ day }) => {\n  console.log(`invoices of ${day}`);\n  for (let n = 1; n <= 3; n += 1) console.log(`invoice 2026-${4710 + n}: sent`);\n  console.warn('invoice 2026-4714: the address of the customer is missing');\n  throw new Error('1 of 4 invoices could not be sent');\n};");
    home.write("reports/sales", "/** Writes the report of sales. */\nmodule.exports = async () => { await new Promise((done) => setTimeout(done, 120)); return 'reports/sales.pdf'; };");
    home.write("stock/count", GATED);
}

/// A server with a day of history: that of a minute, whose figures stand for each hour.
fn shop() -> Server {
    let mut server = Server::start();
    write_shop(&server.home);
    for (name, handler, schedule, params, runs) in [
        ("Import orders", "orders/import", "*/5 * * * *", json!({ "shop": "main street" }), 24),
        ("Send invoices", "invoices/send", "0 18 * * 1-5", json!({ "day": "today" }), 2),
        ("Sales report", "reports/sales", "0 6 * * *", json!({}), 9),
        ("Import orders of the fair", "orders/import", "0 * * * *", json!({ "shop": "fair" }), 12),
    ] {
        let more = json!({ "recurring": true, "params": params, "tags": ["shop"], "description": format!("{name} of the shop") });
        let id = server.create(&task(name, handler, schedule, &more));
        for _ in 0..runs {
            server.run(&id);
        }
    }
    server.signal(Signal::TERM);
    server.exit();
    let exported = server.home.run(&["store", "export", "copy"]);
    assert_eq!(exported.code(), Some(0), "{exported:?}");
    let text = fs::read_to_string(server.home.path().join("copy")).expect("the copy");
    let home = Home::new();
    write_shop(&home);
    let path = home.path().join("copy");
    fs::write(&path, with_a_day(&text)).expect("the copy is written");
    let imported = home.run(&["store", "import", path.to_str().expect("UTF-8")]);
    assert_eq!(imported.code(), Some(0), "{imported:?}");
    Options::default().start_in(home).unwrap_or_else(|said| panic!("the server did not start: {said}"))
}

/// A copy with figures for the 23 hours before.
fn with_a_day(copy: &str) -> String {
    let lines: Vec<Value> = copy.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (end, others) = lines.split_last().expect("an end");
    let made = lines[0]["made"].as_i64().expect("a time");
    let hours = (1..24).map(|hour| {
        let busy = if (8..16).contains(&hour) { 40 } else { 0 };
        let sketch = json!({ "sum": 1500, "bins": { "1": 17, "18": 3, "35": 1 } });
        let tally = json!({ "completed": 30 + hour * 7 % 23 + busy, "failed": if hour % 7 == 3 { 6 } else { hour % 2 },
            "cancelled": 0, "skipped": 0, "duration": sketch, "lateness": sketch });
        let bucket = json!({ "start": made / HOUR * HOUR - hour * HOUR, "tally": tally });
        json!({ "activity": { "span": { "closed": "hour" }, "bucket": bucket } })
    });
    let text: String = others.iter().cloned().chain(hours).map(|line| format!("{line}\n")).collect();
    let mut end = end.clone();
    let counts = &mut end["end"]["counts"]["activity"];
    *counts = json!(counts.as_i64().expect("a number") + 23);
    end["end"]["sha256"] = json!(HEXLOWER.encode(&Sha256::digest(&text)));
    format!("{text}{end}\n")
}

#[test]
#[ignore = "writes docs/images: cargo test --test it -- --ignored pictures"]
fn pictures_of_the_pages_are_in_the_documents() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    fs::create_dir_all(&folder).expect("a folder for pictures");
    let server = shop();
    let Some(browser) = Browser::open("pictures", &server) else { return };
    browser.log_in(server.client().token());
    let take = |name: &str, theme: &str, width: u32, height: u32| {
        browser.photograph(&folder.join(format!("{name}.png")), theme, width, height);
    };
    server.create(&task("Count the stock", "stock/count", "now", &json!({})));
    let failed = server.client().get("/admin/executions?status=failed&limit=1").expect(200);
    let failed = failed["executions"][0]["id"].as_str().expect("a failed run").to_owned();
    let imports = server.client().get("/admin/scheduler?name=Import%20orders&sortBy=name").expect(200);
    browser.go("/");
    browser.until_text("Count the stock");
    take("overview", "light", 1100, 860);
    browser.go(&format!("/tasks/{}", crate::harness::id_of(&imports["tasks"][0])));
    browser.until_text("Durations");
    take("task", "dark", 1100, 720);
    browser.go(&format!("/executions/{failed}"));
    browser.until_text("could not be sent");
    take("run", "light", 1100, 720);
    take("run-phone", "dark", 360, 720);
    browser.go("/tasks");
    browser.until_text("Sales report");
    take("tasks", "light", 1100, 560);
    server.open_gate();
}
