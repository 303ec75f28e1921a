//! Thrown values, shown with the file's own line and column.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::run_all;
use crate::harness::{Server, field};

fn describe(execution: &Value) -> String {
    assert_eq!(field(execution, ["status", "reason"]), [json!("failed"), json!("exception")]);
    let text = |name: &str| execution[name].as_str().unwrap_or("-").to_owned();
    format!("{}\n{}", text("error"), text("stack"))
}

#[test]
fn the_place_of_an_error_is_exactly_where_it_stands_in_the_file() {
    let server = Server::start();
    // In every source `fail` is at line 3, column 9.
    let cases = [
        "module.exports = () => {\n\n        fail();\n};",
        "/** A long\n * comment. */\nlet x = fail; module.exports = () => x;".trim_end(),
        "module.exports = async () => {\n  await null;\n  void 0;fail();\n};",
        "'use strict';\r\nmodule.exports = () => {\r\n        fail();\r\n};",
        "\u{feff}module.exports = () => {\n  'ü💥';\n        fail();\n};",
        "#!/usr/bin/env node\nmodule.exports = () => {\n  'ü'; ; fail();\n};",
        "module.exports = () => new Promise(() => {\n\n\t\t\t\t\t\t\t\tfail();\n});",
    ];
    for (number, source) in cases.into_iter().enumerate() {
        let name = format!("case-{number}");
        let id = server.create_dormant(&name, "module.exports = () => 1", &json!({}));
        server.home.write(&name, source);
        let execution = server.run(&id);
        let stack = execution["stack"].as_str().unwrap_or_default();
        let place = format!("tasks/{name}.js:3:");
        let found =
            stack.split(&place).nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        let expected = source.lines().nth(2).and_then(|line| line.find("fail")).map(|bytes| {
            let line = source.lines().nth(2).unwrap_or_default();
            (line[..bytes].encode_utf16().count() + 1).to_string()
        });
        assert_eq!(found, expected.as_deref(), "{source}\n{execution}");
        assert_eq!(execution["error"].as_str().map(|text| text.contains("fail is not defined")), Some(true));
    }
}

#[test]
fn a_stack_shows_the_handlers_own_frames_and_none_of_the_machinery() {
    let server = Server::start();
    server.home.write(
        "lib/steps",
        "exports.parse = (text) => JSON.parse(text);\n\
         exports.later = async (text) => {\n  await new Promise((go) => setTimeout(go, 1));\n  return exports.parse(text);\n};\n",
    );
    let sources = [
        "const steps = require('./lib/steps');\nmodule.exports = () => [1].map(() => steps.parse('{'));\n",
        "const steps = require('./lib/steps');\nmodule.exports = async () => {\n  await steps.later('{');\n};\n",
        "class Job {\n  get size() { throw new RangeError('too big') }\n  static run() { return new Job().size }\n}\n\
         module.exports = () => Job.run();\n",
        "module.exports = () => {\n  try {\n    null.x;\n  } catch (cause) {\n    throw new Error('outer', { cause });\n  }\n};\n",
        "module.exports = () => Promise.any([Promise.reject(new Error('one')), Promise.reject('two')]);\n",
        "module.exports = () => eval('(function made() { throw new Error(\"inside\") })()');\n",
    ];
    assert_snapshot!(run_all(&server, sources).map(|execution| describe(&execution)).join("\n---\n"), @"
    SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2)
    at exports.parse (tasks/lib/steps.js:1:32)
    at tasks/case-1.js:2:44
    at module.exports (tasks/case-1.js:2:28)
    ---
    SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2)
    at exports.parse (tasks/lib/steps.js:1:32)
    at exports.later (tasks/lib/steps.js:4:18)
    at async module.exports (tasks/case-2.js:3:3)
    ---
    RangeError: too big
    at get size (tasks/case-3.js:2:22)
    at Job.run (tasks/case-3.js:3:35)
    at module.exports (tasks/case-3.js:5:28)
    ---
    outer
    at module.exports (tasks/case-4.js:5:11)
    caused by: TypeError: Cannot read properties of null (reading 'x')
    at module.exports (tasks/case-4.js:3:10)
    ---
    AggregateError: All promises were rejected (one; two)
    error 1 of 2: one
    at module.exports (tasks/case-5.js:1:52)
    error 2 of 2: two
    ---
    inside
    at module.exports (tasks/case-6.js:1:24)
    ");
}

#[test]
fn anything_can_be_thrown() {
    let server = Server::start();
    let thrown = [
        "null",
        "undefined",
        "'a text'",
        "''",
        "42",
        "7n",
        "Symbol('s')",
        "{ code: 7 }",
        "() => 1",
        "new Error('')",
        "new (class MyError extends Error {})('mine')",
        "Object.assign(new Error('named'), { name: 'CustomError' })",
        "new DOMException('gone', 'AbortError')",
        "{ get message() { throw 1 } }",
        "Object.create(Error.prototype)",
        "new Proxy(new Error('proxied'), {})",
        "new Proxy({}, { get() { throw new Error('trap') } })",
        "Object.defineProperty(new Error('x'), 'message', { get() { throw 1 } })",
        "Object.defineProperty(new Error('x'), 'stack', { get() { throw 1 } })",
        "new Error('x'.repeat(1e6))",
        "AggregateError([new Error('a'), 'b'], 'several')",
    ];
    let told = thrown.map(|value| {
        let name = format!("throws-{}", thrown.iter().position(|other| *other == value).unwrap_or_default());
        let execution =
            server.run_source(&name, &format!("module.exports = () => {{ throw {value} }}"), &json!({}));
        assert_eq!(field(&execution, ["status", "reason"]), [json!("failed"), json!("exception")], "{value}");
        let error = execution["error"].as_str().unwrap_or_else(|| panic!("{value}: no error"));
        assert!(error.len() <= 20_000, "{value}: {} bytes", error.len());
        let short: String = error.chars().take(100).collect();
        let rejected = server.run_source(
            &format!("rejects-{name}"),
            &format!("module.exports = async () => {{ throw {value} }}"),
            &json!({}),
        );
        assert_eq!(rejected["error"], execution["error"], "{value}: thrown or rejected is the same");
        format!("{value}: {short}")
    });
    assert_snapshot!(told.join("\n"), @"
    null: null was thrown
    undefined: undefined was thrown
    'a text': a text
    '': an empty string was thrown
    42: 42 was thrown
    7n: 7n was thrown
    Symbol('s'): Symbol(s) was thrown
    { code: 7 }: { code: 7 }
    () => 1: [Function (anonymous)]
    new Error(''): Error
    new (class MyError extends Error {})('mine'): MyError: mine
    Object.assign(new Error('named'), { name: 'CustomError' }): CustomError: named
    new DOMException('gone', 'AbortError'): AbortError: gone
    { get message() { throw 1 } }: { message: [Getter] }
    Object.create(Error.prototype): Error
    new Proxy(new Error('proxied'), {}): proxied
    new Proxy({}, { get() { throw new Error('trap') } }): {}
    Object.defineProperty(new Error('x'), 'message', { get() { throw 1 } }): Error
    Object.defineProperty(new Error('x'), 'stack', { get() { throw 1 } }): x
    new Error('x'.repeat(1e6)): xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    AggregateError([new Error('a'), 'b'], 'several'): AggregateError: several (a; b)
    ");
}

#[test]
fn an_exception_in_a_timer_ends_the_run() {
    let server = Server::start();
    let sources = [
        "module.exports = () => new Promise(() => {\n  setTimeout(() => {\n    throw new Error('from a timer');\n  }, 5);\n});\n",
        "module.exports = () => new Promise(() => {\n  queueMicrotask(() => {\n    throw new Error('from a microtask');\n  });\n});\n",
    ];
    assert_snapshot!(run_all(&server, sources).map(|execution| describe(&execution)).join("\n---\n"), @"
    from a timer
    at tasks/case-1.js:3:11
    ---
    from a microtask
    at tasks/case-2.js:3:11
    ");
}
