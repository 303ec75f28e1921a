//! A server with very many tasks.
//!
//! `ISOCHRON_TASKS=100000 cargo test --test it crowd` makes a hundred thousand.

use std::{fmt::Write, fs};

use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::visit;
use crate::harness::{Home, Options, Server, from_environment, until};

/// Tasks of a usual test run, far more than a page or a cache of a server holds.
const TASKS: usize = 20_000;
/// 1 January 2100, epoch milliseconds: none of them is due.
const NEVER: i64 = 4_102_444_800_000;

/// A server with that many tasks, imported from a copy.
fn crowded(tasks: usize) -> Server {
    let home = Home::new();
    home.write("greet", "module.exports = () => 1;");
    let made = 1_795_888_924_580_i64;
    let mut copy =
        json!({ "format": "isochron export", "version": 1, "schema": 1, "made": made }).to_string() + "\n";
    for number in 0..tasks {
        let task = json!({
            "id": format!("task-01m8hn4hx4k9xj6j7t{}", base32(number)),
            "definition": { "name": format!("Task {number:06}"), "description": "", "handler": "greet",
                "params": {}, "schedule": "0 0 1 1 *", "timezone": "UTC", "recurring": true, "maxRetries": 0,
                "retryDelay": 60_000, "retryBackoff": "fixed", "timeout": 300_000, "overlap": "skip",
                "misfire": "once", "onExhausted": "continue", "keepExecutions": 100, "tags": ["many"] },
            "facts": { "paused": false, "anchor": made, "next": NEVER, "retries": [], "retryCount": 0,
                "lastRetry": null, "running": [], "waiting": [], "last": null, "lastExecution": null },
            "createdAt": made, "updatedAt": made,
        });
        writeln!(copy, "{}", json!({ "task": task })).expect("memory");
    }
    let hash = HEXLOWER.encode(&Sha256::digest(&copy));
    let mut counts = json!({ "tasks": tasks });
    for kind in [
        "executions",
        "output",
        "audit",
        "values",
        "entries",
        "versions",
        "steps",
        "secrets",
        "variables",
        "activity",
        "tokens",
        "alerts",
        "params",
        "sources",
        "setAside",
    ] {
        counts[kind] = json!(0);
    }
    writeln!(copy, "{}", json!({ "end": { "counts": counts, "sha256": hash } })).expect("memory");
    let path = home.path().join("copy");
    fs::write(&path, copy).expect("the copy is written");
    let imported = home.run(&["store", "import", path.to_str().expect("UTF-8")]);
    assert_eq!(imported.code(), Some(0), "{imported:?}");
    Options::default().start_in(home).unwrap_or_else(|said| panic!("the server did not start: {said}"))
}

/// A number as the last eight characters of an id.
fn base32(number: usize) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    (0..8).rev().map(|place| char::from(DIGITS[number >> (5 * place) & 31])).collect()
}

/// The milliseconds to the first paint, those from the answer to the end of the page's own work, and the
/// bytes that came over the network.
const FIGURES: &str = "new Promise((done) => setTimeout(() => {
  const [page] = performance.getEntriesByType('navigation');
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  const all = [page, ...performance.getEntriesByType('resource')];
  done({ paint: paint.startTime, after: page.domContentLoadedEventEnd - page.responseEnd,
    bytes: all.reduce((sum, entry) => sum + entry.transferSize, 0) });
}, 300))";

#[test]
fn very_many_tasks_are_listed_searched_and_paged_at_once() {
    let tasks =
        from_environment("ISOCHRON_TASKS").map_or(TASKS, |tasks| usize::try_from(tasks).expect("a number"));
    let server = crowded(tasks);
    let last_hundred = format!("Task {:04}", (tasks - 1) / 100);
    let Some(browser) = visit("crowd", &server, "/tasks") else { return };
    // As on a first visit.
    browser.tell("Network.enable", &json!({}));
    browser.tell("Network.clearBrowserCache", &json!({}));
    for (page, shown) in [
        ("/tasks?sortBy=name", "Task 000049"),
        ("/", &format!("{tasks} active")),
        ("/timeline", "Task 0"),
        (&format!("/search?q={}", last_hundred.replace(' ', "%20")), &format!("{last_hundred}00")),
    ] {
        // A page that is slow stays so; a machine that stood still does not.
        let bytes = until(&format!("{page} is quick"), || {
            browser.tell("Network.clearBrowserCache", &json!({}));
            browser.go(page);
            browser.until_text(shown);
            let figures = browser.evaluate(FIGURES);
            let figure = |name: &str| figures[name].as_f64();
            // A build for debugging on a busy machine; the release build takes a tenth.
            let is_quick = figure("paint")? <= 5000.0 && figure("after")? <= 1000.0;
            figure("bytes").filter(|_| is_quick)
        });
        assert!(bytes > 1000.0 && bytes <= 150_000.0, "{page}: {bytes} bytes");
    }
    browser.go("/tasks?sortBy=name");
    browser.until_text(&format!("1–50 of {tasks}"));
    browser.click("link", "After");
    browser.until_text("Task 000050");
    browser.fill("Name contains", &format!("Task {:06}", tasks - 1));
    browser.click("button", "Show");
    browser.until_text("1–1 of 1");
}
