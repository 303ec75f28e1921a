//! Files that throw, recurse, probe, flood and patch. None may take the server down, leak into the
//! next run, or leave processes, threads or descriptors behind.

use serde_json::{Value, json};

use crate::harness::{Leftovers, Options};

/// A file's name, its body, the allowed reasons of its end, and a part of its error.
type Case = (&'static str, &'static str, &'static [&'static str], &'static str);

const CASES: &[Case] = &[
    ("stack-getter", "throw { get stack() { for (;;); } };", &["timeout", "exception"], ""),
    (
        "error-stack",
        "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { for (;;); } }); throw e;",
        &["timeout", "exception"],
        "",
    ),
    ("throw-null", "throw null;", &["exception"], "null"),
    ("throw-text", "throw 'just text';", &["exception"], "just text"),
    ("throw-symbol", "throw Symbol('s');", &["exception"], "s"),
    ("recursion", "const f = () => f(); f();", &["exception"], "call stack"),
    ("recursion-to-json", "const f = () => f(); return { toJSON: f };", &["bad-result"], "call stack"),
    ("recursion-import", "function f(v) { f(import('0')); } f();", &["exception"], "call stack"),
    ("import", "return import('./x.js');", &["exception"], "import"),
    ("require-out", "return require('../../etc/passwd');", &["exception"], "leads out"),
    ("require-absolute", "return require('/etc/passwd');", &["exception"], ""),
    ("require-fs", "return require('fs');", &["exception"], "fs"),
    ("require-system", "return require('isochron:system');", &["exception"], "systemHandlers"),
];

/// Attacks that must work without harm, with their results.
const ENDURED: &[(&str, &str, &str)] = &[
    (
        "probes",
        "const g = (function () {}).constructor('return this')();
         return ['Deno', '__bootstrap', '__isochron', 'require', 'SharedArrayBuffer', 'WebAssembly']
           .filter((name) => name in g);",
        "[]",
    ),
    (
        "process",
        "const { env, argv, platform } = process; let exit; try { process.exit(0) } catch (error) { exit = error.code }
         return [env, argv, platform, exit, typeof process.binding, typeof process.dlopen, typeof process.kill];",
        r#"[{"NODE_ENV":"production"},["isochron","/tasks/process.js"],"linux","ERR_PROCESS_EXIT","undefined","undefined","undefined"]"#,
    ),
    ("stray", "Promise.reject(new Error('stray')); return 1;", "1"),
    ("flood", "console.log('x'.repeat(1e8)); return 1;", "1"),
    ("lines", "for (let n = 0; n < 1e6; n++) console.log(n); return 1;", "1"),
    (
        "patches",
        "Array.prototype[Symbol.iterator] = () => { throw 1 }; Promise.prototype.then = () => { throw 2 };
         JSON.stringify = () => '\"fooled\"'; JSON.parse = () => { throw 3 };
         Object.defineProperty(Object.prototype, 'success', { set() { throw 4 }, get() { return false } });
         console.log('still', { here: [1] }); return { a: 1 };",
        r#"{"a":1}"#,
    ),
    ("after-patches", "return [...[1, 2]].concat(JSON.stringify({}), {}.success ?? 'clean');", r#"[1,2,"{}","clean"]"#),
    ("globals", "globalThis.left = 1; Array.prototype.left = 1; return 1;", "1"),
    ("after-globals", "return [typeof left, typeof [].left];", r#"["undefined","undefined"]"#),
];

#[test]
fn whatever_a_file_tries_it_ends_and_nothing_is_left_of_it() {
    let server = Options::default().set("LIMITS__HEAP", "64 MiB").set("RUNNERS__MAX", "2").start();
    // One task exists before the count, as later ones will. It has not run: the runs below start a
    // second runner, which must end again.
    server.create_dormant("waits", "module.exports = () => 1", &json!({}));
    let before = Leftovers::wait_for_rest(&server);
    for (name, body, reasons, words) in CASES {
        // A file that must end by itself gets all the time that a busy machine may need.
        let timeout = if reasons.contains(&"timeout") { 1500 } else { 30_000 };
        let mut execution = server.run_source(name, &handler(body), &json!({ "timeout": timeout }));
        execution["output"].take();
        let reason = execution["reason"].as_str().unwrap_or_default();
        assert!(reasons.contains(&reason), "{name}: {reason}, not one of {reasons:?}: {execution}");
        let error = execution["error"].as_str().unwrap_or_default();
        assert!(error.contains(words), "{name}: {error}");
    }
    for (name, body, result) in ENDURED {
        let execution = server.run_source(name, &handler(body), &json!({}));
        let expected: Value = serde_json::from_str(result).expect("JSON");
        assert_eq!(execution["result"], expected, "{name}: {execution}");
    }
    server.check_health();
    before.wait_until_back(&server);
}

fn handler(body: &str) -> String {
    format!("module.exports = (params, ctx) => {{ {body} }};")
}
