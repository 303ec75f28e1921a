//! A handler may patch every built-in: the runner's work stays the same.

use serde_json::{Value, json};

use super::Server;
use crate::harness::field;

/// Breaks the methods of strings, arrays, maps and promises, and puts accessors under names that
/// the runner's own objects use. On one line, so that the later lines keep their numbers.
const PATCHES: &str = "for (const type of [String, Array, Map, Set, WeakMap, RegExp, Number, Function, Error]) for (const name of Object.getOwnPropertyNames(type.prototype)) \
    { const own = Object.getOwnPropertyDescriptor(type.prototype, name); if (name !== 'constructor' && typeof own.value === 'function' && own.configurable) type.prototype[name] = () => { throw new Error('patched ' + name) } } \
    for (const name of ['value', 'get', 'set', 'writable', 'text', 'errors', 'transfer', 'level', 'label', 'depth', 'place', '0', '1', '2', '3', '4', '5']) \
    Object.defineProperty(Object.prototype, name, { __proto__: null, configurable: true, get() { return undefined }, set() { throw new Error('patched setter') } }); \
    JSON.stringify = JSON.parse = () => 'patched'; Promise.resolve = Promise.prototype.then = () => { throw new Error('patched then') }; \
    Object.keys = Object.defineProperty = Reflect.apply = Reflect.ownKeys = () => { throw new Error('patched') }; \
    Array.prototype[Symbol.iterator] = () => { throw new Error('patched iterator') };";

const BODY: &str = "
  console.log('%s is %d and %j', { a: 1 }, 5n, { b: [1] }, [1, 'two'], null);
  console.log(new Error('shown'), { a: { b: 1 } });
  console.group('group'); console.warn('inside\\nit'); console.groupEnd();
  console.table([{ a: 1 }]); console.count(); console.dir({ a: { b: 1 } }, { depth: 0 });
  console.assert(false, 'no %s', 'way'); console.trace('here');
  try { require('./nothing') } catch (error) { console.log(error.code, error.message) }
  console.log(structuredClone({ a: [1], b: 'c' }), structuredClone(new DOMException('m', 'AbortError')).name);
  const own = new RangeError('thrown', { cause: 'a text' }); own.code = 'E1';
";

fn recorded(execution: &Value) -> Value {
    let lines = execution["output"].as_array().expect("lines").iter();
    let lines: Vec<_> = lines.map(|line| field(line, ["level", "message"])).collect();
    json!([lines, field(execution, ["status", "reason", "error", "stack", "result"])])
}

#[test]
fn a_handler_that_patches_the_built_ins_is_told_the_same_as_any_other() {
    let server = Server::start();
    for end in ["throw own;", "return own;", "return { success: false, error: own };", "return { big: 7n };"]
    {
        let id = server.create_dormant("patches", "module.exports = () => 1", &json!({}));
        let [plain, patched] = ["", PATCHES].map(|patches| {
            server.home.write("patches", &format!("module.exports = () => {{ {patches}{BODY}{end} }};"));
            recorded(&server.run(&id))
        });
        let columns = |record: &Value| record.to_string().replace(char::is_numeric, "#");
        assert_eq!(columns(&patched), columns(&plain), "{end}");
        server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    }
}

#[test]
fn classes_of_the_web_are_made_although_the_iteration_of_arrays_is_patched() {
    let server = Server::start();
    let uses = [
        "new Headers({ a: 'b' }).get('a') === 'b'",
        "(await new Request('http://a.example/', { method: 'POST', body: 'x' }).text()) === 'x'",
        "(await new Response('x', { headers: { a: 'b' } }).text()) === 'x'",
        "(await new Response('{\"a\":1}').json()).a === 1",
        "(() => { const form = new FormData(); form.append('a', 'b'); return form.get('a') === 'b' })()",
        "(await new Response((() => { const form = new FormData(); form.append('a', 'b'); return form })()).text()).includes('name=\"a\"')",
        "new URLSearchParams({ a: 'b' }).toString() === 'a=b'",
        "new TextDecoder('latin1').decode(Uint8Array.of(228)) === 'ä'",
        "(await crypto.subtle.digest('SHA-1', new Uint8Array(1))).byteLength === 20",
        "(await new Response('x').body.getReader().read()).value.length === 1",
        "new CompressionStream('gzip') instanceof CompressionStream",
    ];
    let patches = [("Array.prototype", "Symbol.iterator"), ("[][Symbol.iterator]().__proto__", "'next'")];
    for (round, (patch, place)) in patches.into_iter().enumerate() {
        for (index, used) in uses.iter().enumerate() {
            let source = format!(
                "module.exports = async () => {{
                   const patch = () => {{ throw new Error('patched iteration') }};
                   const target = {patch};
                   target[{place}] = patch;
                   const used = {used};
                   return used && target[{place}] === patch;
                 }};"
            );
            let execution = server.run_source(&format!("patches-{round}-{index}"), &source, &json!({}));
            assert_eq!(execution["result"], true, "{patch} {used}: {execution}");
        }
    }
}
