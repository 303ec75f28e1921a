//! Exports and results of a handler: run and awaited, or refused with a reason.

use serde_json::json;

use super::{Server, field, messages, result_of, run_all};

#[test]
fn an_export_whose_call_would_run_nothing_is_a_load_error_that_names_it() {
    let server = Server::start();
    let cases = [
        ("module.exports = function* () { yield 1 }", "a generator function"),
        ("module.exports = async function* () { yield 1 }", "an async generator function"),
        ("exports.default = function* () {}", "an object whose default is a generator function"),
        ("module.exports = class Job { run() {} }", "a class"),
        ("module.exports = class {}", "a class"),
        ("module.exports = { default: class extends Array {} }", "an object whose default is a class"),
        ("module.exports = Promise", "a class"),
        ("module.exports = Map", "a class"),
        ("module.exports = Promise.resolve(() => 1)", "a promise"),
        ("module.exports = Object.freeze(class Job {})", "a class"),
    ];
    let id = server.create_dormant("changes", "module.exports = () => 1", &json!({}));
    for (source, found) in cases {
        server.home.write("changes", source);
        let execution = server.run(&id);
        assert_eq!(
            field(&execution, ["status", "reason"]),
            [json!("failed"), json!("load-error")],
            "{source}"
        );
        let error = execution["error"].as_str().unwrap_or_default();
        assert!(error.contains(&format!(" exports {found}; a handler exports a function")), "{error}");
    }
}

#[test]
fn every_other_kind_of_function_is_a_handler() {
    let server = Server::start();
    let sources = [
        "module.exports = Object.freeze(function () { return 'ran' })",
        "module.exports = function Job() { return 'ran' }; module.exports.prototype = { a: 1 }",
        "module.exports = (() => 'ran').bind(null)",
        "module.exports = new Proxy(() => 'ran', {})",
        "module.exports = { run() { return 'ran' } }.run",
        "module.exports = async () => 'ran'",
        "module.exports = String.bind(null, 'ran')",
    ];
    for (execution, source) in run_all(&server, sources).iter().zip(sources) {
        assert_eq!(field(execution, ["status", "result"]), [json!("completed"), json!("ran")], "{source}");
    }
}

#[test]
fn a_returned_value_is_treated_as_await_treats_it() {
    let server = Server::start();
    let sources = [
        "class Lazy extends Promise { then(a, b) { console.log('started'); return Promise.resolve(5).then(a, b) } }
         module.exports = () => new Lazy(() => {})",
        "module.exports = () => ({ then(go) { console.log('started'); setTimeout(go, 1, 5) } })",
        "module.exports = () => Object.assign(() => 1, { then(go) { console.log('started'); go(5) } })",
        "class Sub extends Promise {} module.exports = async () => { console.log('started'); return Sub.resolve(5) }",
        "module.exports = () => ({ then(go) { console.log('started'); go({ then(go) { go(5) } }) } })",
    ];
    for (execution, source) in run_all(&server, sources).iter().zip(sources) {
        assert_eq!(field(execution, ["status", "result"]), [json!("completed"), json!(5)], "{source}");
        assert_eq!(messages(execution), ["started"], "{source}");
    }
    let server = Server::start();
    let failing = [
        "class Sub extends Promise {} module.exports = () => Sub.reject(new Error('told'))",
        "module.exports = () => ({ then(go, stop) { stop(new Error('told')) } })",
        "module.exports = () => ({ then() { throw new Error('told') } })",
        "module.exports = () => ({ get then() { throw new Error('told') } })",
        "module.exports = () => Object.defineProperty(Promise.resolve(1), 'constructor', { get() { throw new Error('told') } })",
    ];
    for (execution, source) in run_all(&server, failing).iter().zip(failing) {
        assert_eq!(
            field(execution, ["reason", "error", "output"]),
            [json!("exception"), json!("told"), json!([])],
            "{source}"
        );
    }
}

#[test]
fn a_generator_that_is_returned_has_not_run_and_says_so() {
    let server = Server::start();
    let source = "module.exports = () => (function* () { console.log('never'); yield 1 })();";
    let [execution] = run_all(&server, [source]);
    assert_eq!(execution["reason"], "bad-result", "{execution}");
    let error = execution["error"].as_str().unwrap_or_default();
    assert!(error.contains("it is a generator: nothing of it has run"), "{error}");
}

#[test]
fn a_result_that_json_would_empty_is_warned_of() {
    let server = Server::start();
    let cases = [
        ("({ data: { rows: [1, Promise.resolve(2)] } })", "result.data.rows[1] is a promise"),
        ("({ byName: new Map([['a', 1]]) })", "result.byName is a Map"),
        ("new Set([1])", "result is a Set"),
    ];
    for (execution, (result, words)) in run_all(
        &server,
        cases.map(|(result, _)| format!("module.exports = () => {result}")).each_ref().map(String::as_str),
    )
    .iter()
    .zip(cases)
    {
        assert_eq!(field(execution, ["status"]), [json!("completed")], "{result}");
        assert_eq!(execution["output"][0]["level"], "warn", "{result}");
        assert!(
            messages(execution)[0].starts_with(&format!("{words}, which JSON keeps as {{}}: ")),
            "{execution}"
        );
    }
    let many = "module.exports = () => ({ a: new Map(), b: [new Set(), 1], c: Array.from({ length: 11 }, () => new Map()) })";
    let [execution] = run_all(&Server::start(), [many]);
    let warned = messages(&execution);
    assert_eq!(warned.len(), 11, "{warned:?}");
    for (index, words) in [(0, "result.a is a Map"), (1, "result.b[0] is a Set"), (2, "result.c[0] is a Map")]
    {
        assert!(warned[index].starts_with(words), "{warned:?}");
    }
    assert_eq!(warned[10], "and 3 more values of the result, which JSON keeps as {}");
    let silent = [
        "module.exports = () => ({ a: {}, b: [{}], c: '{}' })",
        "module.exports = () => ({ a: Object.assign(new Map(), { toJSON: () => ({}) }) })",
        "module.exports = () => ({ then: 1, a: [] })",
    ];
    for (execution, source) in run_all(&Server::start(), silent).iter().zip(silent) {
        assert_eq!(field(execution, ["status", "output"]), [json!("completed"), json!([])], "{source}");
    }
}

#[test]
fn timers_wait_as_long_as_they_are_asked_to() {
    let server = Server::start();
    let fired = result_of(
        &server,
        "long-timers",
        "const fired = [];
         const late = (name) => () => fired.push(name);
         setTimeout(late('2 ** 31'), 2 ** 31);
         setTimeout(late('a month'), 30 * 86_400_000);
         setTimeout(late('a text'), '3000000000');
         setTimeout(late('an object'), { valueOf: () => 3e9 });
         setTimeout(late('for ever'), Infinity);
         setInterval(late('an interval'), 2 ** 40);
         for (const ms of [2 ** 31, Number.MAX_SAFE_INTEGER]) {
           AbortSignal.timeout(ms).addEventListener('abort', late(`signal ${ms}`));
         }
         const soon = [];
         await Promise.all([0, -1, -(2 ** 40), 1, '2', 1.5, NaN, undefined, null].map((ms) =>
           new Promise((go) => setTimeout((...args) => { soon.push(args.length); go() }, ms, 'a', 'b'))));
         await new Promise((go) => setTimeout(go, 30));
         return { fired, soon };",
    );
    assert_eq!(fired, json!({ "fired": [], "soon": [2, 2, 2, 2, 2, 2, 2, 2, 2] }));
}
