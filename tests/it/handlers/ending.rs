//! How a run ends: settled, never settled, warned, cancelled.

use serde_json::{Value, json};

use super::{messages, run_all};
use crate::harness::{GATED, Options, Server, field, task, until};

#[test]
fn a_run_ends_when_its_promise_settles_and_what_is_still_open_is_dropped() {
    let server = Server::start();
    let sources = [
        "module.exports = async () => { setTimeout(() => console.log('too late'), 86_400_000); return 'done' }",
        "module.exports = () => { setInterval(() => {}, 1); new Promise(() => {}); return 'done' }",
        "module.exports = async () => { (async () => { for (;;) await new Promise((go) => setTimeout(go, 1)) })(); return 'done' }",
        "module.exports = () => new Promise((go) => setTimeout(go, 30, 'done'))",
        "module.exports = async () => { let n = 0; await new Promise((go) => { const t = setInterval(() => { if (++n === 5) { clearInterval(t); go() } }, 2) }); return n === 5 && 'done' }",
        "module.exports = async () => { const t = setTimeout(() => console.log('cleared'), 5); clearTimeout(t); await new Promise((go) => setTimeout(go, 20)); return 'done' }",
        "module.exports = () => { Promise.resolve().then(() => console.log('after')); return 'done' }",
    ];
    for (execution, source) in run_all(&server, sources).iter().zip(sources) {
        assert_eq!(field(execution, ["status", "result"]), [json!("completed"), json!("done")], "{source}");
        assert!(execution["duration"].as_i64() < Some(10_000), "{source}");
        assert!(!messages(execution).contains(&"too late") && !messages(execution).contains(&"cleared"));
    }
}

#[test]
fn a_promise_that_can_never_settle_fails_at_once() {
    let server = Server::start();
    let sources = [
        "module.exports = () => new Promise(() => {})",
        "module.exports = async () => { console.log('before'); await new Promise(() => {}) }",
        "module.exports = () => ({ then() {} })",
        "module.exports = async () => { setTimeout(() => {}, 10); await new Promise(() => {}) }",
        "module.exports = async () => { const t = setInterval(() => clearInterval(t), 1); await Promise.race([]) }",
    ];
    for (execution, source) in run_all(&server, sources).iter().zip(sources) {
        assert_eq!(
            field(execution, ["status", "reason"]),
            [json!("failed"), json!("never-settled")],
            "{source}"
        );
        // Far below the timeout of five minutes.
        assert!(execution["duration"].as_i64() < Some(10_000), "{source}: {execution}");
    }
}

#[test]
fn a_stray_rejection_is_a_warning_and_no_failure() {
    let server = Server::start();
    let sources = [
        "module.exports = async () => { Promise.reject(new Error('stray')); await new Promise((go) => setTimeout(go, 5)); return 1 }",
        "module.exports = () => { Promise.reject('at the end'); return 1 }",
        "module.exports = async () => { const p = Promise.reject(new Error('handled')); p.catch(() => {}); return 1 }",
        "module.exports = async () => { setTimeout(() => Promise.reject(null), 1); await new Promise((go) => setTimeout(go, 10)); return 1 }",
    ];
    let executions = run_all(&server, sources);
    for (execution, source) in executions.iter().zip(sources) {
        assert_eq!(field(execution, ["status", "result"]), [json!("completed"), json!(1)], "{source}");
    }
    let [stray, end, handled, null] = &executions;
    for (execution, words) in [(stray, "stray"), (end, "at the end"), (null, "null")] {
        assert_eq!(execution["output"].as_array().map(Vec::len), Some(1), "{execution}");
        assert_eq!(execution["output"][0]["level"], "warn");
        assert!(messages(execution)[0].contains(words), "{execution}");
    }
    assert!(messages(stray)[0].contains("tasks/case-1.js:1:47"), "{stray}");
    assert_eq!(messages(handled), [""; 0]);
}

#[test]
fn the_signal_is_aborted_five_seconds_before_the_timeout() {
    let server = Server::start();
    let source = "module.exports = async (params, { signal }) => {
        console.log(signal.aborted);
        const event = await new Promise((go) => signal.addEventListener('abort', go));
        return { at: performance.now(), type: event.type, aborted: signal.aborted, name: signal.reason.name };
    };";
    let execution = server.run_source("listens", source, &json!({ "timeout": 6000 }));
    assert_eq!(execution["status"], "completed", "it had time to end by itself: {execution}");
    assert_eq!(messages(&execution), ["false"]);
    let result = &execution["result"];
    let told = field(result, ["type", "aborted", "name"]);
    assert_eq!(told, [json!("abort"), json!(true), json!("TimeoutError")]);
    let at = result["at"].as_f64().expect("a number");
    assert!((950.0..5900.0).contains(&at), "aborted after {at} ms of 6000");
}

#[test]
fn cancelling_aborts_the_signal_and_the_run_is_cancelled_whatever_it_returns() {
    let server = Server::start();
    let source = "module.exports = async (params, { signal }) => {
        signal.onabort = () => console.log('cleaning up', signal.reason.name);
        console.log('started');
        await new Promise((go) => signal.addEventListener('abort', go));
        return 'as if nothing had happened';
    };";
    let id = server.create_dormant("listens", source, &json!({ "maxRetries": 3 }));
    server.act(&id, "run").expect(200);
    server.until_output(&id);
    server.act(&id, "cancel").expect(200);
    let rows = server.executions(&id);
    assert_eq!(field(&rows[0], ["status", "reason"]), [json!("cancelled"), json!("cancelled")]);
    assert_eq!(messages(&rows[0]), ["started", "cleaning up AbortError"]);
    let task = server.task(&id);
    assert_eq!(field(&task, ["status", "retryCount"]), [json!("active"), json!(0)], "a cancel is no failure");
}

#[test]
fn a_run_can_be_cancelled_whatever_it_is_doing() {
    let server = Server::start();
    let cases = [
        ("loop", "console.log('on'); for (;;);"),
        (
            "microtasks",
            "console.log('on'); const again = () => { Promise.resolve().then(again); }; again(); return new Promise(() => {});",
        ),
        ("timer", "console.log('on'); return new Promise((go) => setTimeout(go, 86_400_000));"),
        ("interval", "console.log('on'); setInterval(() => {}, 1); return new Promise(() => {});"),
        ("talking", "console.log('on'); for (;;) console.log('x'.repeat(1000));"),
        ("regexp", "console.log('on'); return /^(a+)+$/.test('a'.repeat(40) + '!');"),
        ("sorting", "console.log('on'); for (;;) Array.from({ length: 1e6 }, Math.random).sort();"),
        (
            "deaf",
            "ctx.signal.onabort = () => { for (;;); }; console.log('on'); return new Promise((go) => setTimeout(go, 1e7));",
        ),
    ];
    for (name, body) in cases {
        let source = format!("module.exports = (params, ctx) => {{ {body} }}");
        let id = server.create_dormant(name, &source, &json!({}));
        let run = server.act(&id, "run").expect(200);
        server.until_output(&id);
        let answer = server.act(&id, "cancel").expect(200);
        assert_eq!(answer["cancelled"], json!([run["executionId"]]), "{name}");
        let execution = server.execution(&id, &run["executionId"]);
        assert_eq!(
            field(&execution, ["status", "reason"]),
            [json!("cancelled"), json!("cancelled")],
            "{name}"
        );
        assert_eq!(execution["output"][0]["message"], "on", "{name}");
    }
    server.check_health();
}

#[test]
fn a_run_can_be_cancelled_before_it_has_a_runner() {
    let server = Options::default().set("RUNNERS__MAX", "1").start();
    let occupant = server.create_at_gate("occupant");
    let waits = server.create_dormant("waits", "module.exports = () => console.log('ran')", &json!({}));
    let run = server.act(&waits, "run").expect(200);
    until("it waits", || (server.client().get("/ready").body["runners"]["waiting"] == 1).then_some(()));
    assert_eq!(server.task(&waits)["status"], "running");
    server.act(&waits, "cancel").expect(200);
    let execution = server.execution(&waits, &run["executionId"]);
    assert_eq!(field(&execution, ["status", "output"]), [json!("cancelled"), json!([])]);
    server.open_gate();
    server.until_status(&occupant, "completed");
    assert_eq!(server.run(&waits)["status"], "completed");
}

#[test]
fn replace_ends_the_running_one_and_queue_waits_for_it() {
    let server = Server::start();
    server.home.write("gated", GATED);
    let replaces = json!({ "recurring": true, "overlap": "replace" });
    let replaced = server.create(&task("replaces", "gated", "every 400ms", &replaces));
    let rows = server.until_rows(&replaced, "cancelled", 2);
    assert_eq!(rows[0]["reason"], "cancelled");
    server.act(&replaced, "pause").expect(200);

    let queues = json!({ "recurring": true, "overlap": "queue" });
    let queued = server.create(&task("queues", "gated", "every 300ms", &queues));
    server.until_rows(&queued, "skipped", 1);
    server.open_gate();
    let rows: Vec<Value> = server.until_rows(&queued, "completed", 2);
    let (first, second) = (&rows[rows.len() - 1], &rows[rows.len() - 2]);
    let end = first["startTime"].as_i64().zip(first["duration"].as_i64()).map(|(start, ms)| start + ms);
    assert!(second["startTime"].as_i64().zip(end).is_some_and(|(start, end)| start >= end - 5), "{rows:?}");
}
