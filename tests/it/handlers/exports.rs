//! Exports of a file, when it is read, and the fresh state of each run.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::run_all;
use crate::harness::{Server, field};

#[test]
fn a_function_can_be_exported_in_every_usual_form() {
    let server = Server::start();
    let forms = [
        "module.exports = () => 7",
        "module.exports = async () => 7",
        "module.exports = function named() { return Promise.resolve(7) }",
        "module.exports = { default: () => 7 }",
        "module.exports = { default: async () => 7, helper: 1 }",
        "exports.default = async () => 7",
        "exports.default = () => 7; exports.other = () => 8",
        "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = () => 7",
        "module.exports = () => ({ then(resolve) { resolve(7) } })",
        "module.exports = Object.assign(() => 7, { default: () => 8 })",
        "'use strict';\nmodule.exports = function () { return this === undefined ? 7 : 8 }",
        "#!/usr/bin/env node\nmodule.exports = () => 7",
        "\u{feff}module.exports = () => 7",
        "return void (module.exports = () => 7)",
    ];
    for (execution, form) in run_all(&server, forms).iter().zip(forms) {
        assert_eq!(field(execution, ["status", "result"]), [json!("completed"), json!(7)], "{form}");
    }
}

#[test]
fn anything_else_is_a_load_error_that_says_what_was_found() {
    let server = Server::start();
    let id = server.create_dormant("changes", "module.exports = () => 1", &json!({}));
    let cases = [
        ("", "an empty object"),
        ("module.exports = 42", "a number"),
        ("module.exports = 'text'", "a string"),
        ("module.exports = null", "null"),
        ("module.exports = undefined", "undefined"),
        ("module.exports = [() => 1]", "an array"),
        ("module.exports = { run: () => 1 }", "run"),
        ("exports.default = 'text'", "default"),
        ("throw new Error('not today')", "not today"),
        ("module.exports = new Proxy({}, { get() { throw new Error('no') } })", "no"),
        ("module.exports = () => {", "changes.js:1"),
        ("import fs from 'fs'", "tasks/changes.js asks for Node's module 'fs', which is not here"),
        ("await 1", "an empty object; a handler exports a function: export default"),
        ("module.exports = new Proxy(function* () {}, {})", "a generator function"),
        ("module.exports = new Proxy(new Proxy(class {}, {}), {})", "a class"),
        ("module.exports = (function* () {}).bind(null)", "a generator function"),
        ("module.exports = (async function* () {}).bind(null)", "a generator function"),
        ("module.exports = (class A {}).bind(null)", "a class"),
    ];
    for (source, words) in cases {
        server.home.write("changes", source);
        let execution = server.run(&id);
        assert_eq!(
            field(&execution, ["status", "reason"]),
            [json!("failed"), json!("load-error")],
            "{source}"
        );
        let error = execution["error"].as_str().expect("a text");
        assert!(error.contains(words), "{source}: {error}");
    }
    std::fs::remove_file(server.home.tasks().join("changes.js")).expect("removed");
    let gone = server.run(&id);
    assert_eq!(gone["reason"], "load-error");
    assert!(gone["error"].as_str().is_some_and(|text| text.contains("changes")), "{gone}");
}

#[test]
fn a_file_that_loads_forever_is_stopped_like_a_run() {
    let server = Server::start();
    let id = server.create_dormant("changes", "module.exports = () => 1", &json!({ "timeout": 500 }));
    server.home.write("changes", "for (;;);");
    assert_eq!(field(&server.run(&id), ["status", "reason"]), [json!("failed"), json!("timeout")]);
    server.check_health();
}

#[test]
fn a_changed_file_takes_effect_at_the_next_run_and_each_run_records_what_it_ran() {
    let server = Server::start();
    let sources =
        ["module.exports = () => 'one'", "module.exports = () => 'two'", "module.exports = () => 'one'"];
    let id = server.create_dormant("changes", sources[0], &json!({}));
    for source in sources {
        server.home.write("changes", source);
        let execution = server.run(&id);
        assert_eq!(execution["result"], source[source.len() - 4..source.len() - 1]);
        let hash: String = Sha256::digest(source).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(execution["handlerHash"], hash);
    }

    // A changed file that the handler requires is read anew too.
    server.home.write("changes", "module.exports = () => require('./part')");
    for part in ["'first'", "'second'"] {
        server.home.write("part", &format!("module.exports = {part}"));
        assert_eq!(server.run(&id)["result"], part.trim_matches('\''));
    }
}

#[test]
fn no_run_ever_sees_what_another_one_left_behind() {
    let server = Server::start();
    let source = "let runs = 0;
        module.exports = () => {
          runs += 1;
          const seen = [runs, typeof leak, typeof [].leak, typeof {}.leak, JSON.stringify.leak, require('./shared').n];
          globalThis.leak = Array.prototype.leak = Object.prototype.leak = 1;
          JSON.stringify.leak = 1;
          require('./shared').n += 1;
          Promise.prototype.then = () => { throw new Error('leaked') };
          Date.now = () => 0;
          setInterval(() => console.log('leaked'), 1);
          globalThis.constructor = console.log = undefined;
          return seen;
        };";
    server.home.write("shared", "exports.n = 0;");
    let first = server.create_dormant("first", source, &json!({}));
    let second = server.create_dormant("second", source, &json!({}));
    for id in [&first, &first, &second, &first, &second] {
        let execution = server.run(id);
        assert_eq!(execution["result"], json!([1, "undefined", "undefined", "undefined", null, 0]));
        assert_eq!(execution["output"], json!([]));
    }
}
