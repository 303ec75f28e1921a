//! A run that is stopped stays stopped: no native code between V8's termination and its
//! acknowledgement lets the handler go on.

use serde_json::json;

use crate::harness::{Options, Server};

/// Traps for a termination. The handler writes a line after each, and none once its time is up.
const TRAPS: [(&str, &str); 9] = [
    (
        "stack",
        "new Error('x', { cause: Object.defineProperty(error, 'name', { get() { for (;;); } }).stack })",
    ),
    ("message", "Object.defineProperty(error, 'message', { get() { for (;;); } }).stack"),
    ("text", "Object.defineProperty(error, 'name', { value: { toString() { for (;;); } } }).stack"),
    ("captured", "{ const own = { get name() { for (;;); } }; Error.captureStackTrace(own); own.stack }"),
    ("clone", "structuredClone({ get a() { for (;;); } })"),
    ("inspected", "console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { for (;;); } })"),
    (
        "proxy",
        "console.log(new Proxy({}, { get() { for (;;); }, ownKeys() { for (;;); }, getPrototypeOf() { for (;;); } }))",
    ),
    ("table", "console.table([{ get a() { for (;;); } }])"),
    ("rejected", "Promise.reject(Object.defineProperty(error, 'cause', { get() { for (;;); } }))"),
];

#[test]
fn a_handler_writes_nothing_after_its_timeout_whatever_it_traps() {
    let server = Server::start();
    for (name, trap) in TRAPS {
        let source = format!(
            "module.exports = async () => {{
               for (;;) {{
                 const error = new Error('x');
                 try {{ {trap} }} catch {{}}
                 if (performance.now() > 1900) console.log('goes on');
                 await new Promise((go) => setTimeout(go, 1));
               }}
             }};"
        );
        let execution = server.run_source(name, &source, &json!({ "timeout": 400 }));
        assert_eq!(execution["reason"], "timeout", "{name}: {execution}");
        assert_eq!(execution["error"], "timed out after 400 ms", "{name}: its runner was killed");
        let lines = execution["output"].as_array().expect("lines");
        assert!(!lines.iter().any(|line| line["message"] == "goes on"), "{name}: {execution}");
    }
    server.check_health();
}

#[test]
fn shared_memory_of_web_assembly_leads_to_no_buffer_past_the_limits() {
    let server = Options::default().set("ENGINE__WEB_ASSEMBLY", "true").start();
    let source = "module.exports = () => {
        const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
        const tried = (code) => { try { return code() } catch (error) { return error.name } };
        const copy = buffer.slice(0, 8);
        return [
          Object.prototype.toString.call(buffer),
          tried(() => new buffer.constructor(1, { maxByteLength: 2 ** 33 }).byteLength ?? 'none'),
          tried(() => copy.constructor === Object && buffer.constructor === Object),
          tried(() => typeof buffer.grow),
          tried(() => structuredClone(buffer)),
          tried(() => structuredClone(new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)))),
          tried(() => { const { buffer } = new WebAssembly.Memory({ initial: 1 }); structuredClone(buffer, { transfer: [buffer] }) }),
        ];
    };";
    let execution = server.run_source("shares", source, &json!({}));
    let expected = json!([
        "[object SharedArrayBuffer]",
        "none",
        true,
        "undefined",
        "DataCloneError",
        "DataCloneError",
        "DataCloneError"
    ]);
    assert_eq!(execution["result"], expected, "{execution}");
    server.check_health();
}
