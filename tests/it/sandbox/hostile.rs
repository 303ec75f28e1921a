//! Files that must never take the server down, hang it, or leak into the next run.
//!
//! One server, one neighbour task that is due every second, and a table: each file must end in one
//! of the given ways, and the neighbour must run on.

use serde_json::{Value, json};

use crate::harness::{Leftovers, Options, Server, field, task, until};

/// A file's name, its body, its timeout in milliseconds, and the allowed reasons of its end.
type Case = (&'static str, &'static str, u64, &'static [&'static str]);

/// A timeout that is far longer than any other limit takes to end a run.
const LONG: u64 = 30_000;

const MEMORY: &[&str] = &["memory-limit", "crashed"];

const LOOPS: &[Case] = &[
    ("loop", "for (;;);", 600, &["timeout"]),
    ("loop-in-catch", "for (;;) try { for (;;); } catch {} finally { for (;;); }", 600, &["timeout"]),
    (
        "microtasks",
        "const again = () => { Promise.resolve().then(again); }; again(); return new Promise(() => {});",
        600,
        &["timeout"],
    ),
    // Each promise waits for the next, so this loop may fill the heap before its time is up.
    (
        "microtask-chain",
        "const again = () => Promise.resolve().then(again); return again();",
        600,
        &["timeout", "memory-limit"],
    ),
    ("awaits", "return (async () => { for (;;) await null })();", 600, &["timeout"]),
    ("never", "return new Promise(() => {});", LONG, &["never-settled"]),
    ("interval", "setInterval(() => {}, 1); return new Promise(() => {});", 600, &["timeout"]),
    (
        "timers",
        "const again = () => setTimeout(again, 0); again(); return new Promise(() => {});",
        600,
        &["timeout"],
    ),
    ("busy-end", "setTimeout(() => { for (;;); }, 1); return new Promise(() => {});", 600, &["timeout"]),
    ("in-to-json", "return { toJSON() { for (;;); } };", 600, &["timeout"]),
    ("in-a-getter", "return { get success() { for (;;); } };", 600, &["timeout"]),
    ("in-a-thenable", "return { get then() { for (;;); } };", 600, &["timeout"]),
];

const HEAP_EATERS: &[Case] = &[
    ("array", "const a = []; for (;;) a.push(a.length, {}, 'x' + a.length);", LONG, MEMORY),
    ("array-from", "return Array.from({ length: 2e8 }).length;", LONG, MEMORY),
    ("in-to-json", "return { toJSON() { const a = []; for (;;) a.push({}) } };", LONG, MEMORY),
    ("objects", "let last = null; for (;;) last = { last, text: String(Math.random()) };", LONG, MEMORY),
];

const OTHER_EATERS: &[Case] = &[
    (
        "string",
        "let s = 'x'; for (;;) s += s + Math.random(); ",
        LONG,
        &["memory-limit", "crashed", "exception"],
    ),
    ("repeat", "return 'x'.repeat(2 ** 29);", LONG, &["exception"]),
    ("longest", "return 'x'.repeat(2 ** 29 - 25);", LONG, &["bad-result", "memory-limit", "crashed"]),
    (
        "join",
        "return new Array(2 ** 28).join('xx').length > 0 && 'y'.repeat(2 ** 29);",
        LONG,
        &["exception", "memory-limit", "crashed"],
    ),
    ("sparse", "return new Array(2 ** 32 - 1);", 3000, &["timeout", "bad-result", "memory-limit", "crashed"]),
    (
        "resizable",
        "const b = new ArrayBuffer(1, { maxByteLength: 2 ** 33 }); b.resize(2 ** 33); return b.byteLength;",
        LONG,
        &["exception"],
    ),
    (
        "shared",
        "const b = new SharedArrayBuffer(1, { maxByteLength: 2 ** 33 }); b.grow(2 ** 33); return 1;",
        LONG,
        &["exception"],
    ),
    ("large-buffer", "return new ArrayBuffer(2 ** 33).byteLength;", LONG, &["exception", "memory-limit"]),
    (
        "many-buffers",
        "const a = []; for (;;) a.push(new Uint8Array(1e6));",
        LONG,
        &["exception", "memory-limit", "crashed"],
    ),
    (
        "small-buffers",
        "const a = []; for (let n = 0; n < 1e6; n++) a.push(new ArrayBuffer(200)); return 1;",
        LONG,
        &["exception", "memory-limit", "crashed"],
    ),
    (
        "tiny-buffers",
        "const a = []; for (;;) a.push(new Uint8Array(8).buffer);",
        LONG,
        &["exception", "memory-limit", "crashed"],
    ),
];

const RESULTS: &[Case] = &[
    ("symbol", "return Symbol('x');", LONG, &["bad-result"]),
    (
        "symbol-inside",
        "return { [Symbol('a')]: 1, toJSON: 1, b: Symbol('b'), big: 7n };",
        LONG,
        &["bad-result"],
    ),
    ("cycle", "const a = []; a.push({ a }); return a;", LONG, &["bad-result"]),
    ("bigint", "return 2n ** 4096n;", LONG, &["bad-result"]),
    ("getter", "return { get a() { throw new Error('no') } };", LONG, &["bad-result"]),
    ("proxy-trap", "return new Proxy({}, { ownKeys() { throw new Error('no') } });", LONG, &["bad-result"]),
    (
        "proxy-endless",
        "return new Proxy([], { get: (t, key) => key === 'length' ? 2 ** 53 : t[key] });",
        2000,
        &["timeout", "bad-result", "memory-limit", "crashed"],
    ),
    (
        "proxy-nested",
        "const p = new Proxy({}, { get: (t, key) => key === 'toJSON' ? undefined : p, ownKeys: () => ['a'], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) }); return p;",
        5000,
        &["bad-result", "timeout", "memory-limit", "crashed"],
    ),
    ("getter-of-success", "return { get success() { return this.success } };", LONG, &["bad-result"]),
];

/// Attacks that must work without harm, with their results.
const HARMLESS: &[(&str, &str, &str)] = &[
    ("proxy", "return new Proxy({ a: 1 }, {});", r#"{"a":1}"#),
    ("month", "return new Date(0).toLocaleDateString('en-GB', { month: 'short' });", r#""Jan""#),
    ("many-timers", "for (let n = 0; n < 1e5; n++) setTimeout(() => {}, 1e6); return 1;", "1"),
    ("many-rejections", "for (let n = 0; n < 1000; n++) Promise.reject(n); return 1;", "1"),
];

fn check(cases: &[Case]) {
    // One runner for the files, one for the neighbour.
    let settings = Options::default().set("RUNNERS__MIN", "2").set("RUNNERS__MAX", "2");
    let server = settings.set("LIMITS__HEAP", "64 MiB").start();
    until("both runners are there", || (server.runners().len() == 2).then_some(()));
    server.check_health();
    let before = Leftovers::of(&server);
    server.home.write("tick", "module.exports = () => 'tick'");
    let more = json!({ "recurring": true, "keepExecutions": 1000 });
    let neighbour = server.create(&task("neighbour", "tick", "every 1s", &more));
    for (name, body, timeout, reasons) in cases {
        let source = format!("module.exports = (params, ctx) => {{ {body} }};");
        let execution = server.run_source(name, &source, &json!({ "timeout": timeout }));
        assert_eq!(execution["status"], "failed", "{name}: {execution}");
        let reason = execution["reason"].as_str().unwrap_or_default();
        assert!(reasons.contains(&reason), "{name}: {reason}, not one of {reasons:?}: {execution}");
        let took = execution["duration"].as_u64().expect("a duration");
        assert!(took < timeout + 10_000, "{name}: it took {took} ms");
        server.check_health();
    }
    check_neighbour(&server, &neighbour);
    server.client().delete(&format!("/admin/scheduler/{neighbour}")).expect(200);
    before.wait_until_back(&server);
}

/// Checks that the neighbour ran all the time and never failed.
fn check_neighbour(server: &Server, neighbour: &str) {
    server.until_rows(neighbour, "completed", 2);
    let all = server.client().get(&format!("/admin/scheduler/{neighbour}/executions?limit=50")).expect(200);
    let rows = all["executions"].as_array().expect("executions");
    let ran: Vec<_> = rows.iter().filter(|row| row["status"] == "completed").collect();
    let starts: Vec<_> = ran.iter().map(|row| row["startTime"].as_i64().expect("a time")).collect();
    for pair in starts.windows(2) {
        assert!(pair[0] - pair[1] < 10_000, "the neighbour stood still: {starts:?}");
    }
    for status in ["failed", "cancelled"] {
        let page = server.client().get(&format!("/admin/scheduler/{neighbour}/executions?status={status}"));
        assert_eq!(page.expect(200)["totalExecutions"], 0, "{status}");
    }
}

#[test]
fn endless_loops_of_every_kind_end_at_their_timeout() {
    check(LOOPS);
}

#[test]
fn eaters_of_the_heap_end_by_themselves_or_with_their_runner() {
    check(HEAP_EATERS);
}

#[test]
fn eaters_of_strings_and_buffers_end_by_themselves_or_with_their_runner() {
    check(OTHER_EATERS);
}

#[test]
fn results_that_are_none_are_refused() {
    check(RESULTS);
}

#[test]
fn what_only_looks_hostile_works() {
    let server = Server::start();
    for (name, body, result) in HARMLESS {
        let execution = server.run_source(name, &format!("module.exports = () => {{ {body} }}"), &json!({}));
        let expected: Value = serde_json::from_str(result).expect("JSON");
        assert_eq!(field(&execution, ["status", "result"]), [json!("completed"), expected], "{name}");
    }
    server.check_health();
}
