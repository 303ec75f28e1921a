//! The causes of an error are recorded without loss.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{Server, field, run_all};

fn describe(execution: &Value) -> String {
    let text = |name: &str| execution[name].as_str().unwrap_or("-").to_owned();
    format!("{}\n{}", text("error"), text("stack"))
}

#[test]
fn fields_causes_and_parts_of_an_error_are_in_its_stack() {
    let server = Server::start();
    let sources = [
        "module.exports = () => {\n  throw Object.assign(new Error('no route'), { code: 'ENETUNREACH', response: { status: 502, body: 'a\\nb', deep: { a: { b: { c: 1 } } } } });\n};",
        "module.exports = () => { throw new Error('outer', { cause: 'the disk is full' }) };",
        "module.exports = () => { throw new Error('outer', { cause: { status: 404 } }) };",
        "module.exports = () => { throw new Error('outer', { cause: null }) };",
        "module.exports = () => {\n  throw new AggregateError([\n    new RangeError('one', { cause: 7 }),\n    'two',\n    Object.assign(new Error('three'), { code: 3 }),\n  ], 'several');\n};",
        "module.exports = () => {\n  const error = new Error('first');\n  error.cause = error;\n  throw error;\n};",
        "module.exports = () => { throw new SuppressedError(new Error('closing'), new TypeError('body'), 'both') };",
        "module.exports = () => { throw Object.defineProperty(Object.assign(new Error('wrapped'), { original: new TypeError('inner') }), 'lazy', { get() { throw 1 }, enumerable: true }) };",
    ];
    assert_snapshot!(run_all(&server, sources).map(|execution| describe(&execution)).join("\n---\n"), @r#"
    no route
    at module.exports (tasks/case-1.js:2:23)
    with { code: "ENETUNREACH", response: { status: 502, body: "a\nb", deep: { a: [Object] } } }
    ---
    outer
    at module.exports (tasks/case-2.js:1:32)
    caused by: the disk is full
    ---
    outer
    at module.exports (tasks/case-3.js:1:32)
    caused by: { status: 404 }
    ---
    outer
    at module.exports (tasks/case-4.js:1:32)
    caused by: null
    ---
    AggregateError: several (RangeError: one; two; three)
    at module.exports (tasks/case-5.js:2:9)
    error 1 of 3: RangeError: one
    at module.exports (tasks/case-5.js:3:5)
    caused by: 7
    error 2 of 3: two
    error 3 of 3: three
    at module.exports (tasks/case-5.js:5:19)
    with { code: 3 }
    ---
    first
    at module.exports (tasks/case-6.js:2:17)
    ---
    SuppressedError: both (closing; suppressed: TypeError: body)
    at module.exports (tasks/case-7.js:1:32)
    error: closing
    at module.exports (tasks/case-7.js:1:52)
    suppressed: TypeError: body
    at module.exports (tasks/case-7.js:1:74)
    ---
    wrapped
    at module.exports (tasks/case-8.js:1:68)
    with { original: "TypeError: inner", lazy: [Getter] }
    "#);
}

#[test]
fn however_much_an_error_carries_its_record_is_bounded() {
    let server = Server::start();
    let sources = [
        "module.exports = () => { const e = new Error('x'); for (let n = 0; n < 1e5; n++) e['field' + n] = 'y'.repeat(100); throw e }",
        "module.exports = () => { throw new Error('x', { cause: 'y'.repeat(1e7) }) }",
        "module.exports = () => { throw new AggregateError(Array.from({ length: 1e5 }, (_, n) => new Error('part ' + n)), 'x') }",
        "module.exports = () => { let e = new Error('x'); for (let n = 0; n < 1e4; n++) e = new Error('x', { cause: e }); throw e }",
        "module.exports = () => { const tree = (n) => n === 0 ? 'leaf' : new AggregateError(Array.from({ length: 5 }, () => tree(n - 1)), 'x'); throw tree(6) }",
        "module.exports = () => { throw new Proxy(new Error('x'), { ownKeys() { throw new Error('trap') } }) }",
    ];
    for (execution, source) in run_all(&server, sources).iter().zip(sources) {
        assert_eq!(execution["reason"], "exception", "{source}");
        let error = execution["error"].as_str().unwrap_or_default();
        assert!(error.contains('x') && error.len() <= 8192, "{source}: {} bytes of error", error.len());
        let stack = execution["stack"].as_str().unwrap_or_default();
        assert!(stack.len() <= 8192, "{source}: {} bytes of stack", stack.len());
    }
}

#[test]
fn a_returned_error_is_a_failure_with_its_message_and_stack() {
    let server = Server::start();
    let sources = [
        "module.exports = () => new Error('returned')",
        "module.exports = async () => Object.assign(new TypeError('returned'), { code: 7 })",
        "module.exports = () => new DOMException('returned', 'AbortError')",
        "module.exports = () => { const error = new Error('returned'); error.self = error; return error }",
    ];
    let executions = run_all(&server, sources);
    for (execution, source) in executions.iter().zip(sources) {
        assert_eq!(execution["reason"], "returned-failure", "{source}: {execution}");
        assert!(execution["error"].as_str().is_some_and(|text| text.ends_with("returned")), "{execution}");
        assert!(execution["stack"].as_str().is_some_and(|text| text.contains("tasks/case-")), "{execution}");
    }
    assert_eq!(executions[1]["result"], json!({ "name": "TypeError", "message": "returned", "code": 7 }));
}

#[test]
fn errors_inside_a_result_keep_their_name_and_message() {
    let server = Server::start();
    let sources = [
        "module.exports = () => Promise.allSettled([1, Promise.reject(Object.assign(new RangeError('low'), { code: 'X' }))])",
        "module.exports = () => ({ own: Object.assign(new Error('a'), { toJSON: () => 'mine' }), dom: new DOMException('d', 'AbortError') })",
        "class Mine extends Error { name = 'Mine'; toJSON() { return this.message } } module.exports = () => [new Mine('b')]",
        "module.exports = () => { Object.freeze(Error.prototype); return [new Error('c')] }",
        "module.exports = () => { Error.prototype.toJSON = function () { return 'theirs' }; return [new Error('d')] }",
        "module.exports = () => ({ plain: JSON.stringify(new Error('e')), has: 'toJSON' in Error.prototype })",
    ];
    let results = run_all(&server, sources).map(|execution| {
        assert_eq!(field(&execution, ["status"]), [json!("completed")], "{execution}");
        execution["result"].clone()
    });
    let settled = json!([
        { "status": "fulfilled", "value": 1 },
        { "status": "rejected", "reason": { "name": "RangeError", "message": "low", "code": "X" } },
    ]);
    let dom = json!({ "name": "AbortError", "message": "d" });
    assert_eq!(
        results,
        [
            settled,
            json!({ "own": "mine", "dom": dom }),
            json!(["b"]),
            json!([{}]),
            json!(["theirs"]),
            json!({ "plain": "{}", "has": false }),
        ]
    );
}
