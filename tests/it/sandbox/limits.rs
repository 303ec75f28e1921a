//! Limits that the server or the runner enforces, not V8, and the record of a run whose runner was
//! killed.
//!
//! [`crate::handlers::failures`] has the limits of time, processor, heap and buffers,
//! [`crate::handlers`] the limits of output and results, [`crate::api`] the limit of parameters;
//! here are the limits of resident memory and of calls to the server.

use serde_json::{Value, json};

use crate::harness::{Options, Server, field, id_of};

const MIB: u64 = 1 << 20;

fn messages(execution: &Value) -> Vec<&str> {
    let lines = execution["output"].as_array().expect("lines");
    lines.iter().map(|line| line["message"].as_str().expect("a text")).collect()
}

/// The first number in a text.
fn number_in(text: &str) -> u64 {
    let digits = text.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no number: {text}"))
}

/// V8 and the allocator allow this run, but the process grows too large.
#[test]
fn a_runner_that_grows_too_large_is_killed_and_shows_what_it_wrote_until_then() {
    const STEP: u64 = 4;
    let settings = Options::default().set("LIMITS__RESIDENT", "160 MiB").set("RUNNERS__MAX", "1");
    let server = settings.set("LIMITS__HEAP", "500 MiB").set("LIMITS__BUFFERS", "1 GiB").start();
    let source = "module.exports = async () => {
        const held = [];
        for (let step = 1; ; step++) {
            console.log(`step ${step}`);
            held.push(new Uint8Array(4 * 2 ** 20).fill(step));
            await new Promise((go) => setTimeout(go, 10));
        }
    };";
    let execution = server.run_source("grows", source, &json!({ "timeout": 60_000 }));
    assert_eq!(field(&execution, ["status", "reason"]), [json!("failed"), json!("memory-limit")]);
    let error = execution["error"].as_str().unwrap_or_default();
    assert!(error.contains("memory resident"), "{error}");
    let resident = number_in(error);
    // The error gives whole MiB, so a little over the limit reads as the limit.
    assert!(resident >= 160, "{error}");

    let kept = messages(&execution);
    let steps: Vec<_> = (1..=kept.len()).map(|step| format!("step {step}")).collect();
    assert_eq!(kept, steps);
    // Without the handler a runner is far below 64 MiB. The steps that were kept explain the rest, but for those
    // of the moment before the look at its size.
    let explained = kept.len() as u64 * STEP + 96;
    assert!(resident <= explained, "{resident} MiB, but the last line kept is {:?}", kept.last());
    server.check_health();
}

/// A sort of combining marks: one call into ICU that takes minutes and cannot be interrupted.
#[test]
fn a_run_in_a_builtin_that_nothing_interrupts_is_killed_after_its_timeout_with_its_last_line() {
    let server = Options::default().set("RUNNERS__MAX", "1").start();
    let source = "module.exports = () => {
        const marks = 'a' + '\\u0315\\u0300'.repeat(1e6);
        for (let n = 1; n <= 500; n++) console.log('line', n);
        return marks.normalize('NFD').length;
    };";
    let execution = server.run_source("normalises", source, &json!({ "timeout": 3000 }));
    assert_eq!(field(&execution, ["status", "reason"]), [json!("failed"), json!("timeout")]);
    let error = execution["error"].as_str().unwrap_or_default();
    assert!(error.contains("killed"), "its runner was not ended: {error}");
    let kept = messages(&execution);
    assert_eq!((kept.len(), kept.last()), (500, Some(&"line 500")));
    server.check_health();
}

/// V8 cannot recover from an allocation that is larger than the rest of the heap. It may allow one; the next finds the
/// heap full.
#[test]
fn a_run_that_takes_its_runner_down_with_the_heap_keeps_its_last_line() {
    let server = Options::default().set("LIMITS__HEAP", "32 MiB").set("RUNNERS__MAX", "1").start();
    let source = "module.exports = () => {
        for (let n = 1; n <= 500; n++) console.log('line', n);
        const some = new Array(1e6).fill(1.5);
        const kept = [];
        for (let n = 0; n < 4; n++) kept.push(some.concat(...Array(30).fill(some)));
        return kept.length;
    };";
    let execution = server.run_source("concatenates", source, &json!({}));
    assert_eq!(field(&execution, ["status", "reason"]), [json!("failed"), json!("memory-limit")]);
    let error = execution["error"].as_str().unwrap_or_default();
    assert!(error.contains("its runner with it"), "V8 found a way back: {error}");
    let kept = messages(&execution);
    assert_eq!((kept.len(), kept.last()), (500, Some(&"line 500")));
    server.check_health();
}

fn with_a_caller(source: &str) -> (Server, Value) {
    let server = Options::default().set("SYSTEM_HANDLERS", "caller").start();
    let source = format!(
        "const system = require('isochron:system');
         const settled = (calls) => Promise.allSettled(calls);
         module.exports = async () => {{ {source} }};"
    );
    let execution = server.run_source("caller", &source, &json!({}));
    assert_eq!(execution["status"], "completed", "{execution}");
    (server, execution)
}

#[test]
fn more_calls_to_the_server_at_once_than_may_be_are_refused_and_the_run_goes_on() {
    let (server, execution) = with_a_caller(
        "const calls = await settled(Array.from({ length: 200 }, (_, n) => system.put(`key ${n}`, n)));
         const refused = calls.filter((call) => call.status === 'rejected').map((call) => call.reason.message);
         const first = calls.flatMap((call, n) => call.status === 'rejected' ? [] : [n]).slice(0, 32);
         const again = await settled(first.map((n) => system.get(`key ${n}`)));
         return { refused, first, again: again.map((call) => call.value) };",
    );
    let result = &execution["result"];
    // Those that are answered while the others are made leave room for more.
    let refused = result["refused"].as_array().expect("a list");
    assert!((1..=168).contains(&refused.len()), "{result}");
    assert!(refused.iter().all(|why| why == "more than 32 calls to the server at once"), "{result}");
    assert_eq!(result["first"].as_array().map(Vec::len), Some(32));
    assert_eq!(result["again"], result["first"], "those that were let through did their work");
    server.check_health();
}

#[test]
fn more_bytes_of_arguments_in_one_run_than_may_be_are_refused_and_the_run_goes_on() {
    let (server, execution) = with_a_caller(
        "const part = 'x'.repeat(2 ** 20);
         const calls = [];
         for (let n = 1; n <= 17; n++) calls.push(...await settled([system.put('part', part + n)]));
         const refused = calls.filter((call) => call.status === 'rejected').map((call) => call.reason.message);
         const last = (await system.get('part')).slice(part.length);
         return { refused, last };",
    );
    let told = format!("more than {} bytes of arguments to the server in one run", 16 * MIB);
    let result = &execution["result"];
    assert_eq!(result["refused"], json!([told, told]), "with their quotes and keys fifteen fit");
    assert_eq!(result["last"], "15", "the refused ones did nothing");
    let next =
        server.run(&id_of(&server.client().get("/admin/scheduler?name=caller").expect(200)["tasks"][0]));
    assert_eq!(next["result"], execution["result"], "each run has a budget of its own");
}

/// A `require` of a missing file costs the server some system calls, which no limit of the
/// runner's processor time counts.
#[test]
fn a_flood_of_requires_that_fail_is_cut_off_and_the_run_goes_on() {
    let server = Server::start();
    let source = "module.exports = () => {
        const errors = new Map();
        for (let n = 0; n < 11_000; n++) {
            try { require('./missing') } catch ({ message }) { errors.set(message, (errors.get(message) ?? 0) + 1) }
        }
        return [...errors].map(([message, count]) => [message.slice(0, 60), count]);
    };";
    let execution = server.run_source("flood", source, &json!({}));
    let expected = json!([
        ["Cannot find module './missing' from tasks/flood.js; looked f", 10_000],
        ["more than 10000 calls to the server in one run, failed ones ", 1000],
    ]);
    assert_eq!(execution["result"], expected, "{execution}");
    server.check_health();
}
