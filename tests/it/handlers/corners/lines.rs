//! The console shows every value and never fails a run.

use insta::assert_snapshot;
use serde_json::json;

use super::{Server, messages, run_all};

#[test]
fn a_value_that_cannot_be_shown_costs_its_own_place_in_the_line() {
    let server = Server::start();
    let values = [
        "Proxy.revocable({}, {}).proxy",
        "(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy })()",
        "{ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('no look') } }",
        "{ get a() { throw new Error('no look') } }",
        "new Proxy({}, { ownKeys() { throw new Error('no keys') } })",
        "Object.defineProperty(new Error('x'), 'stack', { get() { throw new Error('no stack') } })",
        "Object.defineProperty(new Error('x'), 'name', { get() { throw new Error('no name') } })",
        "Object.setPrototypeOf(new Error('x'), null).message",
        "Object.create(null)",
        "Object.setPrototypeOf(() => 1, null)",
        "{ get [Symbol.toStringTag]() { throw new Error('no tag') } }",
        "{ [Symbol.for('nodejs.util.inspect.custom')]() { throw null } }",
        "{ [Symbol.for('nodejs.util.inspect.custom')]() { throw { get message() { throw 1 } } } }",
    ];
    let calls = values.map(|value| format!("console.log('before', {value}, 'after');")).join("\n");
    let source = format!("module.exports = () => {{ {calls}; return 'completed' }};");
    let [execution] = run_all(&server, [source.as_str()]);
    assert_eq!(execution["result"], "completed", "{execution}");
    let lines = messages(&execution);
    assert!(lines.iter().all(|line| line.starts_with("before ") && line.ends_with(" after")), "{lines:?}");
    assert_snapshot!(lines.join("\n"), @"
    before {} after
    before [cannot be shown: Cannot inspect a proxy that has been revoked] after
    before [cannot be shown: no look] after
    before { a: [Getter] } after
    before {} after
    before [Error: x] after
    before Error: x
        at module.exports (tasks/case-1.js:7:45) after
    before x after
    before [Object: null prototype] {} after
    before [Function (null prototype) (anonymous)] after
    before { Symbol(Symbol.toStringTag): [Getter] } after
    before [cannot be shown] after
    before [cannot be shown] after
    ");
}

#[test]
fn directives_never_throw_either() {
    let server = Server::start();
    let throwing = "{ toString() { throw new Error('no text') }, toJSON() { throw new Error('no json') } }";
    let calls = ["%s", "%d", "%i", "%f", "%j", "%o", "%O", "%c", "%x", "%"]
        .map(|directive| {
            format!(
                "console.log('a {directive} b', {throwing}); console.log('{directive}', Object.create(null));
                 console.log('{directive}', Symbol('s')); console.log('{directive}');"
            )
        })
        .join("\n");
    let others = format!(
        "const cycle = {{}}; cycle.cycle = cycle; console.log('%j', cycle);
         console.count({throwing}); console.time({throwing}); console.table({throwing}); console.dir({throwing}, {throwing});
         console.assert(false, {throwing}); console.group({throwing}); console.groupEnd(); console.trace({throwing});
         console.table(new Proxy([], {{ get() {{ throw 1 }} }})); console.table([1], 'no list');
         console.dir({{}}, {{ get depth() {{ throw new Error('no depth') }} }}); console.timeEnd(Symbol('t'));
         console.log('%s'.repeat(20), ...Array(20).fill('y'.repeat(2 ** 25)));"
    );
    let source = format!("module.exports = () => {{ {calls} {others} return 'completed' }};");
    let [execution] = run_all(&server, [source.as_str()]);
    assert_eq!(execution["result"], "completed", "{execution}");
}

#[test]
fn every_method_is_there() {
    let server = Server::start();
    let names = "log info debug warn error dir dirxml table assert count countReset time timeLog timeEnd group \
                 groupCollapsed groupEnd trace clear profile profileEnd timeStamp";
    let source = format!(
        "module.exports = () => {{
           console.group('in a group'); console.clear(); console.log('not in a group');
           console.profile('p'); console.profileEnd('p'); console.timeStamp('t');
           return '{names}'.split(/\\s+/).filter((name) => typeof console[name] !== 'function' || console[name].name !== name);
         }};"
    );
    let [execution] = run_all(&server, [source.as_str()]);
    assert_eq!(execution["result"], json!([]), "{execution}");
    assert_eq!(messages(&execution), ["in a group", "not in a group"]);
}

#[test]
fn directives_keep_digits_and_look_into_objects_as_in_node() {
    let server = Server::start();
    let calls = [
        "'%d|%i', 12345678901234567890n, -5n",
        "'%s', { a: 1, b: { c: 2 } }",
        "'%s', [1, [2, [3]]]",
        "'%s', new (class Point { constructor() { this.x = 1 } })()",
        "'%s', new (class Named { toString() { return 'its own text' } })()",
        "'%s', { toString() { return 'its own text' } }",
        "'%s', { [Symbol.toPrimitive]: () => 'its own primitive' }",
        "'%s', new Date(0).toISOString()",
        "'%s|%s|%s|%s', -0, 5n, Symbol('s'), null",
        "'%s', Object.create(null)",
        "'%s', new URL('http://localhost/a')",
        "'%s', new Map([[1, 2]])",
        "'%s', /re/g",
        "'%s', class Foo {}",
    ];
    let body = calls.map(|call| format!("console.log({call});")).join("\n");
    let failing = "function fail() { return new TypeError('wrong') }\nmodule.exports = () => {\n  console.log('%s', fail());\n};";
    let source = format!("module.exports = () => {{\n{body}\n}};");
    let [shown, error] = run_all(&server, [source.as_str(), failing]);
    assert_snapshot!(messages(&shown).join("\n"), @"
    12345678901234567890n|-5n
    { a: 1, b: [Object] }
    [ 1, [Array] ]
    Point { x: 1 }
    its own text
    its own text
    its own primitive
    1970-01-01T00:00:00.000Z
    -0|5n|Symbol(s)|null
    [Object: null prototype] {}
    http://localhost/a
    Map(1) { 1 => 2 }
    /re/g
    class Foo {}
    ");
    assert_snapshot!(messages(&error).join("\n"), @"
    TypeError: wrong
        at fail (tasks/case-2.js:1:26)
        at module.exports (tasks/case-2.js:3:21)
    ");
}
