//! Runners that put their memory back after a run. The tests hold wherever they run: without the
//! kernel's help runs are made as without the setting.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Options, Server, Stopwatch, field, signal_process, until};

fn rewinding() -> Server {
    Options::default().set("RUNNERS__REWIND", "true").set("RUNNERS__MAX", "1").start()
}

/// Pollutes everything that the next run of the same isolate would see.
const POLLUTER: &str = "
    const counter = require('./counter');
    module.exports = () => {
        const seen = [];
        for (const [name, of] of [['global', globalThis], ['array', Array.prototype], ['object', Object.prototype],
            ['promise', Promise.prototype], ['random', Math.random], ['module', counter], ['json', JSON]]) {
            if (Object.hasOwn(of, 'polluted')) seen.push(name);
            of.polluted = name;
        }
        if (typeof Map !== 'function') seen.push('Map');
        if (Symbol.for('kept').description in globalThis) seen.push('symbol');
        globalThis[Symbol.for('kept').description] = new Uint8Array(1 << 20).fill(7);
        delete globalThis.Map;
        Date.now = () => 0;
        Array.prototype[Symbol.iterator] = null;
        const random = Math.random();
        setTimeout(() => { globalThis.late = true; }, 1e6);
        return { seen, counter: ++counter.value, random, uuid: crypto.randomUUID() };
    };";

#[test]
fn hundreds_of_runs_that_pollute_everything_see_a_clean_world_and_chance_of_their_own() {
    const RUNS: usize = 300;
    let server = rewinding();
    server.home.write("counter", "exports.value = 0;");
    let id = server.create_dormant("polluter", POLLUTER, &json!({}));
    let mut drawn = BTreeSet::new();
    for run in 0..RUNS {
        let execution = server.run(&id);
        let result = &execution["result"];
        assert_eq!(execution["status"], "completed", "run {run}: {execution}");
        assert_eq!(field(result, ["seen", "counter"]), [json!([]), json!(1)], "run {run}");
        drawn.insert(result["random"].to_string());
        drawn.insert(result["uuid"].to_string());
    }
    assert_eq!(drawn.len(), 2 * RUNS, "two runs drew the same");
}

#[test]
fn clocks_and_timers_of_each_run_begin_with_it() {
    let server = rewinding();
    let source = "module.exports = async () => {
        const began = [Date.now(), performance.now(), performance.timeOrigin];
        await new Promise((go) => setTimeout(go, 2));
        await new Promise((go) => setTimeout(go, 3));
        return { began, lasted: performance.now() - began[1], date: Date.now() - began[0] };
    };";
    let id = server.create_dormant("timers", source, &json!({}));
    let mut last = 0.0;
    for _ in 0..20 {
        let began = Stopwatch::start();
        let result = server.run(&id)["result"].take();
        let most = began.elapsed().as_secs_f64() * 1000.0 + 1.0;
        let number = |value: &Value| value.as_f64().expect("a number");
        let lasted = number(&result["lasted"]);
        assert!((5.0..=most).contains(&lasted), "{result}: longer than {most} ms");
        assert!((4.0..=most).contains(&number(&result["date"])), "{result}");
        let [date, elapsed, origin] = [0, 1, 2].map(|index| number(&result["began"][index]));
        assert!((0.0..=most).contains(&elapsed), "{result}");
        assert!(date + 1.0 >= origin && origin > last, "{result} after {last}");
        last = origin;
    }
}

/// Handlers with the timeout of their task, each with an end of its own.
const ENDS: [(&str, &str, u64); 13] = [
    (
        "returns",
        "module.exports = (params) => { console.log('a', { b: [1] }); return { got: params }; }",
        9000,
    ),
    ("throws", "module.exports = () => { throw new TypeError('no') }", 9000),
    ("fails", "module.exports = async () => ({ success: false, error: 'no' })", 9000),
    ("badresult", "module.exports = () => 1n", 9000),
    ("noload", "module.exports = () => require('./nowhere')", 9000),
    ("neversettles", "module.exports = () => new Promise(() => {})", 9000),
    ("loops", "module.exports = () => { for (;;); }", 300),
    ("idles", "module.exports = () => new Promise((go) => setTimeout(go, 1e6))", 300),
    ("microtasks", "module.exports = async () => { for (;;) await null; }", 300),
    (
        "signals",
        "module.exports = (p, ctx) => new Promise((go) => ctx.signal.addEventListener('abort', () => go('bye')))",
        300,
    ),
    (
        "buffers",
        "module.exports = () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20)); }",
        60_000,
    ),
    ("writes", "module.exports = () => { for (let n = 0; n < 20000; n++) console.log('line', n); }", 60_000),
    (
        "stores",
        "module.exports = async (p, ctx) => { await ctx.kv.set('k', 1); return await ctx.kv.get('k') }",
        9000,
    ),
];

#[test]
fn runs_end_in_the_same_words_with_and_without_rewind() {
    let without = Options::default().set("RUNNERS__REWIND", "false").set("RUNNERS__MAX", "1").start();
    let with = rewinding();
    for (name, source, timeout) in ENDS {
        let more = json!({ "timeout": timeout });
        // Twice, so that the second run follows the end of the first.
        let ids = [&with, &without].map(|server| server.create_dormant(name, source, &more));
        for round in 0..2 {
            let [got, expected] = [(&with, &ids[0]), (&without, &ids[1])].map(|(server, id)| {
                let mut execution = server.run(id);
                let lines = execution["output"].as_array_mut().map(std::mem::take).unwrap_or_default();
                let lines: Vec<_> = lines.iter().map(|line| line["message"].clone()).collect();
                // V8 may not get to record the stack of a run whose time is up.
                let rest = field(&execution, ["status", "reason", "error", "result", "outputTruncated"]);
                (rest, lines)
            });
            assert_eq!(got, expected, "{name}, round {round}");
        }
    }
    // V8 may find the heap full in time, or die of it.
    let source = "module.exports = () => { const all = []; for (;;) all.push(new Array(1000).fill({})); }";
    let ends = [&with, &without].map(|server| server.run_source("heap", source, &json!({})));
    for execution in ends {
        assert_eq!(field(&execution, ["status", "reason"]), [json!("failed"), json!("memory-limit")]);
    }
    with.check_health();
}

#[test]
fn a_run_is_cancelled_in_the_middle_and_the_next_one_is_clean() {
    let server = rewinding();
    let source =
        "module.exports = () => { console.log('here', globalThis.left); globalThis.left = 1; for (;;); }";
    for name in ["endless", "another"] {
        let id = server.create_dormant(name, source, &json!({}));
        server.act(&id, "run").expect(200);
        server.until_output(&id);
        server.act(&id, "cancel").expect(200);
        server.until_status(&id, "active");
        let execution = server.executions(&id).swap_remove(0);
        assert_eq!(execution["status"], "cancelled", "{execution}");
        let execution = server.execution(&id, &execution["id"]);
        assert_eq!(execution["output"][0]["message"], "here undefined", "{execution}");
    }
}

#[test]
fn a_run_that_its_process_does_not_begin_is_made_by_another_one() {
    let server = rewinding();
    let id = server.create_dormant("two", "module.exports = () => 2", &json!({}));
    for dies in [false, true] {
        assert_eq!(server.act(&id, "run?wait=true").expect(200)["execution"]["result"], 2);
        until("the runner waits", || {
            (server.client().get("/ready").body["runners"]["idle"] == 1).then_some(())
        });
        // Without rewind there is none.
        let Some(cell) = server.named("cell") else { return };
        signal_process(cell, Signal::STOP);
        server.act(&id, "run").expect(200);
        if dies {
            signal_process(cell, Signal::KILL);
        }
        server.until_status(&id, "active");
        assert_eq!(server.executions(&id)[0]["status"], "completed", "{dies}");
        assert_ne!(server.named("cell"), Some(cell));
    }
}

#[test]
fn ready_tells_which_way_runs_are_made() {
    let server = rewinding();
    server.check_health();
    // The next runner may be starting.
    let ready =
        until("it is ready", || Some(server.client().get("/ready")).filter(|answer| answer.status == 200));
    let cage = ready.body["cage"].to_string();
    let (puts_back, does_not) = (cage.ends_with(", rewind\""), cage.contains(", no rewind ("));
    assert!(puts_back != does_not, "{cage}");
}
