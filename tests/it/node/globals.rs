//! The globals that are made at first use, and the names under which built-ins are found.

use serde_json::{Value, json};

use super::result_of;

#[test]
fn a_global_made_at_first_use_looks_and_acts_like_any_other() {
    let result = result_of(
        "module.exports = () => {
          const before = ['Buffer', 'process', 'setImmediate', 'clearImmediate'].map((name) => name in globalThis);
          const keys = Object.keys(globalThis);
          const types = [typeof Buffer, typeof process, typeof setImmediate, typeof clearImmediate];
          const same = [Buffer === require('buffer').Buffer, process === require('node:process'),
            setImmediate === require('timers').setImmediate, globalThis.Buffer === Buffer];
          const plain = Object.getOwnPropertyDescriptor(globalThis, 'Buffer');
          globalThis.process = { mine: true };
          globalThis.setImmediate = 5;
          delete globalThis.clearImmediate;
          return { before, keys, types, same, own: [process.mine, setImmediate, typeof clearImmediate],
            plain: [plain.writable, plain.enumerable, plain.configurable, plain.get === undefined] };
        };",
    );
    assert_eq!(
        result,
        json!({
            "before": [true, true, true, true],
            "keys": [],
            "types": ["function", "object", "function", "function"],
            "same": [true, true, true, true],
            "own": [true, 5, "undefined"],
            "plain": [true, false, true, true],
        })
    );
}

#[test]
fn a_global_that_is_assigned_before_its_first_use_is_the_assigned_one() {
    let result = result_of(
        "globalThis.Buffer = 'mine'; process = 7;
         module.exports = () => [Buffer, process, typeof require('buffer').Buffer, require('process').platform];",
    );
    assert_eq!(result, json!(["mine", 7, "function", "linux"]));
}

#[test]
fn every_built_in_is_found_with_and_without_node_and_is_made_once() {
    let names: Vec<_> =
        "assert assert/strict async_hooks buffer console crypto diagnostics_channel events module os \
        path path/posix perf_hooks process punycode querystring stream stream/consumers stream/promises stream/web string_decoder timers \
        timers/promises tty url util util/types"
            .split_whitespace()
            .collect();
    let result = result_of(&format!(
        "const names = {};
         module.exports = () => names.filter((name) => {{
           const made = require(name);
           return made === require('node:' + name) && ['object', 'function'].includes(typeof made);
         }});",
        json!(names)
    ));
    assert_eq!(result, json!(names));
}

#[test]
fn no_state_of_a_built_in_reaches_the_next_run() {
    let server = crate::harness::Server::start();
    let source = "const util = require('util'); const before = util.left;
        util.left = 1; process.env.LEFT = 1; require('events').left = 1;
        module.exports = () => [before, 'left' in require('events'), process.env];";
    for name in ["first", "second"] {
        let execution = server.run_source(name, source, &json!({}));
        assert_eq!(
            execution["result"],
            json!([Value::Null, true, { "NODE_ENV": "production", "LEFT": 1 }]),
            "{execution}"
        );
    }
}

#[test]
fn a_handler_that_patches_built_ins_gets_no_op() {
    // Whatever the scripts of the built-ins call on a value, a patched prototype sees.
    let result = result_of(
        "const seen = new Set();
         const suspicious = (value) => {
           try { return (typeof value === 'object' && value !== null || typeof value === 'function')
             && ('op_isochron_end' in value || 'ops' in value || 'op_print' in value || 'loadExtScript' in value); }
           catch { return false; }
         };
         const apply = Reflect.apply;
         for (const [holder, names] of [
           [Array.prototype, ['push', 'slice', 'map', 'forEach', 'includes', 'indexOf', 'concat', 'join']],
           [Object, ['assign', 'keys', 'defineProperty', 'setPrototypeOf', 'freeze', 'create']],
           [Map.prototype, ['get', 'set', 'has']], [String.prototype, ['startsWith', 'slice', 'endsWith']],
         ]) for (const name of names) {
           const original = holder[name];
           holder[name] = function () {
             for (let i = -1; i < arguments.length; i++) {
               if (suspicious(i < 0 ? this : arguments[i])) seen.add(name);
             }
             return apply(original, this, arguments);
           };
         }
         module.exports = () => {
           for (const name of ['assert', 'buffer', 'events', 'path', 'process', 'stream', 'url', 'util', 'timers',
             'async_hooks', 'string_decoder', 'querystring']) require(name);
           require('util').inspect({ a: [1, new Map([[1, 2]])] });
           setImmediate(() => {});
           process.nextTick(() => {});
           return [...seen];
         };",
    );
    assert_eq!(result, json!([]));
}
