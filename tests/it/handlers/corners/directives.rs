//! The directives of `console.log`: a table of what `util.format` of Node 20 makes of the same arguments.

use super::{Server, messages, run_all};

/// Arguments of `console.log`, and the line.
const LINES: [(&str, &str); 67] = [
    ("'%s', new Date(0)", "1970-01-01T00:00:00.000Z"),
    ("'%s', new (class Later extends Date {})(0)", "Later 1970-01-01T00:00:00.000Z"),
    ("'%s', new (class Later extends Date { toString() { return 'later' } })(0)", "later"),
    ("'%s|%s|%s', -0, 0, 1e21", "-0|0|1e+21"),
    ("'%s|%s|%s', 12n, Symbol('s'), true", "12n|Symbol(s)|true"),
    ("'%s|%s', null, undefined", "null|undefined"),
    ("'%s', { a: 1 }", "{ a: 1 }"),
    ("'%s', { a: { b: 1 } }", "{ a: [Object] }"),
    ("'%s', [1, [2, [3]]]", "[ 1, [Array] ]"),
    ("'%s', () => 1", "() => 1"),
    ("'%s', new (class P { constructor() { this.x = 1 } })", "P { x: 1 }"),
    ("'%s', new (class Q { toString() { return 'own text' } })", "own text"),
    ("'%s', { toString() { return 'own text' } }", "own text"),
    (
        "'%s', Object.assign(Object.create({ toString() { return 'inherited text' } }), { a: 1 })",
        "inherited text",
    ),
    ("'%s', { [Symbol.toPrimitive]: () => 'own primitive' }", "own primitive"),
    ("'%s', new (class R extends Error { toString() { return 'own text' } })('x')", "own text"),
    ("'%s', Object.create(null)", "[Object: null prototype] {}"),
    ("'%s', new Number(3)", "[Number: 3]"),
    ("'%s', new Map([[1, 2]])", "Map(1) { 1 => 2 }"),
    ("'%s', new URL('http://localhost/b')", "http://localhost/b"),
    ("'%s', Promise.resolve(1)", "Promise { 1 }"),
    ("'%s', new Proxy({ a: 1 }, {})", "{ a: 1 }"),
    ("'%d|%d|%d', -0, 0, 4.5", "-0|0|4.5"),
    ("'%d|%d|%d', '42', '12abc', ''", "42|NaN|0"),
    ("'%d|%d|%d', '0x10', ' 7 ', '1e3'", "16|7|1000"),
    ("'%d|%d', 12n, Symbol('x')", "12n|NaN"),
    ("'%d|%d|%d', null, undefined, true", "0|NaN|1"),
    ("'%d|%d|%d', {}, [5], [5, 6]", "NaN|5|NaN"),
    ("'%d', new Date(5)", "5"),
    ("'%d', { valueOf() { return 7 } }", "7"),
    ("'%i|%i|%i', 42.9, '42.9abc', 'abc'", "42|42|NaN"),
    ("'%i|%i|%i', -0, -0.5, 1e21", "0|-0|1"),
    ("'%i|%i', 12n, Symbol('x')", "12n|NaN"),
    ("'%i|%i|%i', {}, null, [5, 6]", "NaN|NaN|5"),
    ("'%f|%f|%f', '1.5abc', -0, '-0'", "1.5|0|-0"),
    ("'%f|%f', 12n, Symbol('x')", "12|NaN"),
    ("'%f|%f|%f', {}, null, '1e3'", "NaN|NaN|1000"),
    (r#"'%j', { a: [1, 'q"'] }"#, r#"{"a":[1,"q\""]}"#),
    ("'%j', (() => { const a = {}; a.a = a; return a })()", "[Circular]"),
    ("'%j|%j|%j', undefined, () => 1, Symbol('x')", "undefined|undefined|undefined"),
    ("'%j|%j', new Date(0), { toJSON() { return 'own' } }", r#""1970-01-01T00:00:00.000Z"|"own""#),
    ("'%o|%o|%o', { a: 1 }, 5, null", "{ a: 1 }|5|null"),
    ("'%o', { a: { b: { c: 1 } } }", "{ a: { b: { c: 1 } } }"),
    ("'%O|%O|%O', { a: 1 }, [1], undefined", "{ a: 1 }|[ 1 ]|undefined"),
    ("'%O', new Proxy({ a: 1 }, {})", "{ a: 1 }"),
    ("'%c', 'color: red'", ""),
    ("'a%cb%cc', 'color: red', ''", "abc"),
    ("'%c%s', 'color: red', 'text', 'rest'", "text rest"),
    ("'%%'", "%%"),
    ("'%%', 1", "% 1"),
    ("'%%%s', 'a'", "%a"),
    ("'%%%', 'a'", "%% a"),
    ("'%%%%', 'a'", "%% a"),
    ("'%%s', 'a'", "%s a"),
    ("'%s%%', 'a'", "a%"),
    ("'%s %%'", "%s %%"),
    ("'%d%%', 50", "50%"),
    ("'100%', 1", "100% 1"),
    ("'%', 1", "% 1"),
    ("'%s %', 1", "1 %"),
    ("'%x %S %1', 'a'", "%x %S %1 a"),
    ("'%s'", "%s"),
    ("'%s %s', 'one'", "one %s"),
    ("'%s', 'one', 'two', { a: 1 }", "one two { a: 1 }"),
    ("'%s', 'one', 'two %s', 'three'", "one two %s three"),
    ("5, '%s', 'a'", "5 %s a"),
    ("'%% %s %d', 'x'", "% x %d"),
];

#[test]
fn directives_are_filled_in_as_node_documents_them() {
    let server = Server::start();
    let calls = LINES.map(|(call, _)| format!("console.log({call});")).join("\n");
    let source = format!("module.exports = () => {{\n{calls}\n}};");
    let [execution] = run_all(&server, [source.as_str()]);
    let lines = messages(&execution);
    assert_eq!(lines.len(), LINES.len(), "{execution}");
    for (line, (call, expected)) in lines.iter().zip(LINES) {
        assert_eq!(*line, expected, "console.log({call})");
    }
}
