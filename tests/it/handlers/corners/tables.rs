//! Tables of lines, encodings and errors, equal to Deno's.

use serde_json::{Value, json};

use super::{Server, messages, result_of, run_all};

/// Arguments of `console.log`, and the resulting line.
const LINES: [(&str, &str); 38] = [
    ("", ""),
    ("'text'", "text"),
    ("'a', 'b'", "a b"),
    ("1, -0, 1.5, 1e21, NaN, Infinity", "1 -0 1.5 1e+21 NaN Infinity"),
    ("true, null, undefined", "true null undefined"),
    ("10n, Symbol('s'), Symbol.iterator", "10n Symbol(s) Symbol(Symbol.iterator)"),
    ("{}", "{}"),
    ("{ a: 1, 'b-c': 'two' }", r#"{ a: 1, "b-c": "two" }"#),
    (
        "{ a: { b: { c: { d: { e: { f: 1 } } } } } }",
        "{\n  a: {\n    b: { c: { d: { e: [Object] } } }\n  }\n}",
    ),
    ("[]", "[]"),
    ("[1, 'two', [3]]", r#"[ 1, "two", [ 3 ] ]"#),
    ("[, 1, , ,]", "[ <1 empty item>, 1, <2 empty items> ]"),
    ("Object.assign([1], { a: 2 })", "[ 1, a: 2 ]"),
    ("new Array(101).fill(0).length", "101"),
    ("() => 1", "[Function (anonymous)]"),
    ("function named() {}", "[Function: named]"),
    ("async () => 1, function* g() {}", "[AsyncFunction (anonymous)] [GeneratorFunction: g]"),
    ("class A {}, class B extends Array {}", "[class A] [class B extends Array]"),
    ("new (class Point { x = 1 })()", "Point { x: 1 }"),
    ("Object.create(null)", "[Object: null prototype] {}"),
    ("Object.create({ a: 1 })", "{}"),
    ("new Map([['a', 1], [{}, []]])", r#"Map(2) { "a" => 1, {} => [] }"#),
    ("new Set([1, 'a'])", r#"Set(2) { 1, "a" }"#),
    ("new WeakMap(), new WeakSet()", "WeakMap { <items unknown> } WeakSet { <items unknown> }"),
    ("new Date(0), new Date(NaN)", "1970-01-01T00:00:00.000Z Invalid Date"),
    ("/a+/gi", "/a+/gi"),
    ("Promise.resolve(1), new Promise(() => {})", "Promise { 1 } Promise { <pending> }"),
    (
        "new Uint8Array([1, 2]), new ArrayBuffer(2)",
        "Uint8Array(2) [ 1, 2 ] ArrayBuffer { [Uint8Contents]: <00 00>, byteLength: 2 }",
    ),
    ("new Number(1), new String('s'), new Boolean(false)", r#"[Number: 1] [String: "s"] [Boolean: false]"#),
    (
        "{ get a() { return 1 }, set a(b) {}, get c() { return 1 }, set d(e) {} }",
        "{ a: [Getter/Setter], c: [Getter], d: [Setter] }",
    ),
    (
        "{ [Symbol('k')]: 1, [Symbol.toStringTag]: 'T' }",
        r#"Object [T] { Symbol(k): 1, Symbol(Symbol.toStringTag): "T" }"#,
    ),
    ("(() => { const a = {}; a.a = a; return a })()", "<ref *1> { a: [Circular *1] }"),
    ("['it\\'s', 'a \"quote\"', 'new\\nline', 'tab\\t']", r#"[ "it's", 'a "quote"', "new\nline", "tab\t" ]"#),
    ("'%s is %d, %i and %f', 'a', 42, '7.9', '1.5', 'rest'", "a is 42, 7 and 1.5 rest"),
    ("'%o %O %j', { a: 1 }, [1], { b: [2] }", r#"{ a: 1 } [ 1 ] {"b":[2]}"#),
    ("'100% %x %%', 1", "100% %x % 1"),
    ("'%c styled %c', 'color: red', ''", " styled "),
    ("Math, JSON, globalThis === self", "Object [Math] {} Object [JSON] {} true"),
];

#[test]
fn console_lines_are_denos() {
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

/// A label, bytes, the text that they decode to, and the name of the encoding.
const ENCODINGS: [(&str, &[u8], &str, &str); 30] = [
    ("utf-8", &[0xc3, 0xbc], "ü", "utf-8"),
    ("UTF8", &[0xef, 0xbb, 0xbf, 0x61], "a", "utf-8"),
    (" unicode-1-1-utf-8 ", &[0xff, 0x61], "\u{fffd}a", "utf-8"),
    ("utf-16le", &[0xfc, 0x00, 0x3d, 0xd8], "ü\u{fffd}", "utf-16le"),
    ("utf-16", &[0x61, 0x00], "a", "utf-16le"),
    ("utf-16be", &[0x00, 0xfc], "ü", "utf-16be"),
    ("ascii", &[0x80], "€", "windows-1252"),
    ("latin1", &[0xfc], "ü", "windows-1252"),
    ("iso-8859-1", &[0xe9], "é", "windows-1252"),
    ("windows-1252", &[0x99], "™", "windows-1252"),
    ("iso-8859-2", &[0xb1], "ą", "iso-8859-2"),
    ("iso-8859-3", &[0xa1], "Ħ", "iso-8859-3"),
    ("iso-8859-4", &[0xa2], "ĸ", "iso-8859-4"),
    ("iso-8859-5", &[0xd0], "а", "iso-8859-5"),
    ("iso-8859-6", &[0xc7], "ا", "iso-8859-6"),
    ("iso-8859-7", &[0xe1], "α", "iso-8859-7"),
    ("iso-8859-8", &[0xe0], "א", "iso-8859-8"),
    ("latin5", &[0xfd], "ı", "windows-1254"),
    ("iso-8859-15", &[0xa4], "€", "iso-8859-15"),
    ("koi8-r", &[0xc1], "а", "koi8-r"),
    ("koi8-u", &[0xa4], "є", "koi8-u"),
    ("macintosh", &[0x8a], "ä", "macintosh"),
    ("windows-1250", &[0x9a], "š", "windows-1250"),
    ("windows-1251", &[0xe0], "а", "windows-1251"),
    ("gbk", &[0xc4, 0xe3], "你", "gbk"),
    ("gb18030", &[0x81, 0x30, 0x81, 0x30], "\u{80}", "gb18030"),
    ("big5", &[0xa7, 0x41], "你", "big5"),
    ("shift_jis", &[0x82, 0xa0], "あ", "shift_jis"),
    ("euc-jp", &[0xa4, 0xa2], "あ", "euc-jp"),
    ("euc-kr", &[0xb0, 0xa1], "가", "euc-kr"),
];

#[test]
fn encodings_are_denos() {
    let server = Server::start();
    let calls: Vec<Value> = ENCODINGS.iter().map(|(label, bytes, ..)| json!([label, bytes])).collect();
    let body = format!(
        "return {}.map(([label, bytes]) => {{
           const decoder = new TextDecoder(label);
           return [decoder.decode(Uint8Array.from(bytes)), decoder.encoding];
         }});",
        json!(calls)
    );
    let decoded = result_of(&server, "encodings", &body);
    for ((label, _, text, name), found) in ENCODINGS.iter().zip(decoded.as_array().expect("a list")) {
        assert_eq!(*found, json!([text, name]), "{label}");
    }
}

/// Code that throws, and the error as a text.
const ERRORS: [(&str, &str); 23] = [
    ("null.a", "TypeError: Cannot read properties of null (reading 'a')"),
    ("undefined.a()", "TypeError: Cannot read properties of undefined (reading 'a')"),
    ("({}).a()", "TypeError: {}.a is not a function"),
    ("missing", "ReferenceError: missing is not defined"),
    ("a; let a", "ReferenceError: Cannot access 'a' before initialization"),
    ("(() => { const a = 1; a = 2 })()", "TypeError: Assignment to constant variable."),
    ("new Array(-1)", "RangeError: Invalid array length"),
    ("'x'.repeat(-1)", "RangeError: Invalid count value: -1"),
    ("(1).toFixed(101)", "RangeError: toFixed() digits argument must be between 0 and 100"),
    ("(function f() { f() })()", "RangeError: Maximum call stack size exceeded"),
    ("JSON.parse('{')", "SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2)"),
    ("JSON.stringify(1n)", "TypeError: Do not know how to serialize a BigInt"),
    ("new RegExp('(')", "SyntaxError: Invalid regular expression: /(/: Unterminated group"),
    ("decodeURIComponent('%')", "URIError: URI malformed"),
    ("1n + 1", "TypeError: Cannot mix BigInt and other types, use explicit conversions"),
    (
        "BigInt(1.5)",
        "RangeError: The number 1.5 cannot be converted to a BigInt because it is not an integer",
    ),
    ("Symbol() + ''", "TypeError: Cannot convert a Symbol value to a string"),
    (
        "new (class { constructor() { this.#a } #a; static x = new this() })().y.z",
        "TypeError: Cannot read properties of undefined (reading 'z')",
    ),
    ("[].reduce((a) => a)", "TypeError: Reduce of empty array with no initial value"),
    ("new Date(NaN).toISOString()", "RangeError: Invalid time value"),
    ("new URL('nowhere')", "TypeError: Invalid URL: 'nowhere'"),
    ("structuredClone(() => 1)", "DataCloneError: () => 1 could not be cloned."),
    ("new TextDecoder('nope')", "RangeError: The encoding label provided ('nope') is invalid."),
];

#[test]
fn errors_are_denos() {
    let server = Server::start();
    let calls = ERRORS.map(|(code, _)| format!("() => {{ {code} }}")).join(",\n");
    let body = format!(
        "return [{calls}].map((code) => {{ try {{ return code() }} catch (error) {{ return String(error) }} }});"
    );
    let thrown = result_of(&server, "errors", &body);
    for ((code, expected), found) in ERRORS.iter().zip(thrown.as_array().expect("a list")) {
        assert_eq!(found, expected, "{code}");
    }
}
