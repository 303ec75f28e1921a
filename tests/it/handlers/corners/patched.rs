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
