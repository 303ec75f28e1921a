//! Ticks, immediates and output of `process`, and built-ins under hard conditions.

use serde_json::{Value, json};

use super::result_of;
use crate::harness::Server;

#[track_caller]
fn run(source: &str) -> Value {
    Server::start().run_source("case", source, &json!({}))
}

fn lines(execution: &Value) -> Vec<(&str, &str)> {
    let lines = execution["output"].as_array().expect("lines").iter();
    lines
        .map(|line| (line["level"].as_str().expect("a level"), line["message"].as_str().expect("a text")))
        .collect()
}

#[test]
fn an_exception_in_a_tick_or_an_immediate_fails_the_run_and_names_its_place() {
    for (start, line) in [("process.nextTick", 2), ("setImmediate", 2)] {
        let execution = run(&format!(
            "module.exports = () => new Promise(() => {{\n  {start}(() => {{ throw new TypeError('late') }});\n}});"
        ));
        assert_eq!(execution["reason"], "exception", "{execution}");
        assert!(execution["error"].as_str().expect("a text").contains("TypeError: late"), "{execution}");
        let stack = execution["stack"].as_str().expect("a stack");
        assert!(stack.contains(&format!("tasks/case.js:{line}:")), "{stack}");
    }
}

#[test]
fn a_run_waits_for_an_immediate_unless_it_is_unrefed() {
    let kept = run("module.exports = () => new Promise((go) => { setImmediate(go, 'made') });");
    assert_eq!(kept["result"], "made", "{kept}");
    let dropped = run("module.exports = () => new Promise((go) => { setImmediate(go, 'made').unref() });");
    assert_eq!(dropped["reason"], "never-settled", "{dropped}");
    let cleared = run("module.exports = () => new Promise((go) => { clearImmediate(setImmediate(go)) });");
    assert_eq!(cleared["reason"], "never-settled", "{cleared}");
}

#[test]
fn ticks_run_before_promises_and_immediates_before_later_timers() {
    let result = result_of(
        "module.exports = async () => {
           const seen = [];
           await new Promise((go) => {
             setImmediate(() => { seen.push('immediate'); setTimeout(go, 1) });
             Promise.resolve().then(() => seen.push('promise'));
             process.nextTick(() => seen.push('tick'));
             seen.push('now');
           });
           return seen;
         };",
    );
    assert_eq!(result, json!(["now", "tick", "promise", "immediate"]));
}

#[test]
fn what_process_writes_becomes_lines_and_the_last_one_needs_no_end() {
    let execution = run("module.exports = () => {
           process.stdout.write('one\\ntw');
           process.stderr.write('wrong\\n');
           process.stdout.write(Buffer.from('o\\n'));
           process.emitWarning('old', 'DeprecationWarning', 'DEP1');
           process.stdout.write('rest');
         };");
    assert_eq!(
        lines(&execution),
        [
            ("log", "one"),
            ("error", "wrong"),
            ("log", "two"),
            ("warn", "[DEP1] DeprecationWarning: old"),
            ("log", "rest"),
        ]
    );
}

#[test]
fn process_exit_fails_the_run_and_says_what_to_do() {
    let execution = run("module.exports = () => { process.exit(0) };");
    assert_eq!(
        execution["error"],
        "process.exit() cannot end a run: return from the handler, or throw an error to fail",
        "{execution}"
    );
}

#[test]
fn a_built_in_that_failed_at_the_end_of_the_stack_is_made_by_the_next_require() {
    let result = result_of(
        "function deep() {
           try { return deep() } catch { try { require('stream'); require('crypto') } catch (error) { return error.name } }
         }
         module.exports = () => [deep(), typeof require('stream').pipeline, typeof require('crypto').createHash];",
    );
    assert_eq!(result[1], "function");
    assert_eq!(result[2], "function");
}

#[test]
fn built_ins_work_for_a_handler_that_freezes_or_empties_the_global_object() {
    let frozen = result_of(
        "Object.freeze(globalThis);
         module.exports = () => [Buffer.from('a').toString('hex'), process.platform, Buffer === Buffer];",
    );
    assert_eq!(frozen, json!(["61", "linux", true]));
    let emptied = result_of(
        "delete globalThis.Buffer; delete globalThis.process;
         module.exports = () => ['stream', 'assert', 'url', 'crypto', 'querystring'].map((name) => typeof require(name));",
    );
    assert_eq!(emptied, json!(["function", "function", "object", "object", "object"]));
}

#[test]
fn endless_ticks_and_endless_immediates_end_with_the_timeout() {
    let server = Server::start();
    for (name, start) in [("ticks", "process.nextTick"), ("immediates", "setImmediate")] {
        let source =
            format!("module.exports = () => new Promise(() => {{ const f = () => {start}(f); f() }});");
        let execution = server.run_source(name, &source, &json!({ "timeout": 1000 }));
        assert_eq!(execution["reason"], "timeout", "{execution}");
    }
}

#[test]
fn node_env_is_production_and_nothing_of_the_machine_shows() {
    let result = result_of(
        "module.exports = () => [process.env, process.argv, process.cwd(), require('os').hostname(), process.pid];",
    );
    assert_eq!(
        result,
        json!([{ "NODE_ENV": "production" }, ["isochron", "/tasks/case.js"], "/", "isochron", 1])
    );
}
