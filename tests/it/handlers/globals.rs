//! The globals of a handler: present and working, or absent.

use serde_json::{Value, json};

use super::run_all;
use crate::harness::{Options, Server};

const PRESENT: &str = "Array ArrayBuffer AggregateError Atomics BigInt BigInt64Array BigUint64Array Boolean DataView \
    Date Error EvalError FinalizationRegistry Float32Array Float64Array Function Infinity Int16Array Int32Array \
    Int8Array Intl Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp \
    Set String Symbol SyntaxError Temporal TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray \
    WeakMap WeakRef WeakSet decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis \
    isFinite isNaN parseFloat parseInt unescape \
    AbortController AbortSignal Buffer DOMException Event EventTarget TextDecoder TextEncoder URL URLSearchParams atob btoa \
    clearImmediate clearInterval clearTimeout console crypto global performance process queueMicrotask self \
    setImmediate setInterval setTimeout \
    structuredClone \
    Blob ByteLengthQueuingStrategy CloseEvent CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent \
    DecompressionStream ErrorEvent File FormData Headers MessageEvent ProgressEvent PromiseRejectionEvent \
    ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest \
    ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoderStream \
    TextEncoderStream TransformStream TransformStreamDefaultController URLPattern WritableStream \
    WritableStreamDefaultController WritableStreamDefaultWriter fetch";

const ABSENT: &str = "Deno XMLHttpRequest WebSocket Worker SharedArrayBuffer \
    WebAssembly importScripts window document localStorage navigator prompt alert Bun \
    __bootstrap __isochron ops core internals primordials gc print load d8 v8 quit";

#[test]
fn the_globals_are_those_of_the_contract() {
    let server = Server::start();
    let source = format!(
        "const named = (text) => text.split(/\\s+/);
         module.exports = () => ({{
           missing: named('{PRESENT}').filter((name) => !(name in globalThis)),
           present: named('{ABSENT}').filter((name) => name in globalThis),
           // Nothing shows in a loop over the global object, as in any engine.
           enumerable: Object.keys(globalThis),
           others: Object.getOwnPropertyNames(globalThis)
             .filter((name) => !named('{PRESENT}').includes(name)).sort(),
           wait: ['wait', 'waitAsync', 'notify'].filter((name) => name in Atomics),
         }})"
    );
    let [execution] = run_all(&server, [source.as_str()]);
    let mut result = execution["result"].clone();
    let others = result["others"].take();
    assert_eq!(
        result,
        json!({ "missing": [], "present": [], "enumerable": [], "others": null, "wait": [] }),
        "{execution}"
    );
    // Newer versions of the language add globals. Globals that are not of the language are listed here.
    let known = ["AsyncDisposableStack", "DisposableStack", "Float16Array", "SuppressedError", "undefined"];
    let unknown: Vec<_> =
        others.as_array().expect("names").iter().filter(|name| !known.iter().any(|k| *name == k)).collect();
    assert_eq!(unknown, [&Value::Null; 0], "global, but in no contract");
}

#[test]
fn what_is_there_works() {
    let server = Server::start();
    let source = "module.exports = async () => {
        const check = {
          utf8: new TextDecoder().decode(new TextEncoder().encode('ü💥')) === 'ü💥',
          latin1: new TextDecoder('latin1').decode(new Uint8Array([0xfc])) === 'ü',
          url: new URL('../x?a=1#h', 'https://user@example.org:8080/a/b/').href === 'https://user@example.org:8080/a/x?a=1#h',
          params: new URLSearchParams({ a: 'ü &', b: 2 }).toString() === 'a=%C3%BC+%26&b=2',
          base64: btoa('hello') === 'aGVsbG8=' && atob('aGVsbG8=') === 'hello',
          clone: (() => { const a = { m: new Map([[1, new Date(5)]]), s: new Set([2]) }; a.self = a;
                          const b = structuredClone(a); return b !== a && b.self === b && b.m.get(1).getTime() === 5 && b.s.has(2) })(),
          uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
          random: new Set(crypto.getRandomValues(new Uint8Array(64))).size > 8,
          differs: crypto.randomUUID() !== crypto.randomUUID(),
          now: performance.now() >= 0 && performance.now() < 60_000,
          microtask: await new Promise((go) => queueMicrotask(() => go(true))),
          timer: (await new Promise((go) => setTimeout((a, b) => go([a, b]), 1, 1, 2))).join() === '1,2',
          order: await (async () => { const seen = [];
            setTimeout(() => seen.push('timeout'), 0); Promise.resolve().then(() => seen.push('micro')); seen.push('sync');
            await new Promise((go) => setTimeout(go, 10)); return seen.join() === 'sync,micro,timeout' })(),
          event: (() => { const target = new EventTarget(); let got; target.addEventListener('x', (e) => { got = e.type });
                          target.dispatchEvent(new Event('x')); return got === 'x' })(),
          abort: (() => { const c = new AbortController(); c.abort(); return c.signal.aborted && c.signal.reason.name === 'AbortError' })(),
          timeout: await new Promise((go) => { AbortSignal.timeout(5).onabort = () => go(true) }),
          any: AbortSignal.any([AbortSignal.abort(7)]).reason === 7,
          intl: new Intl.NumberFormat('de-DE').format(1234567.5) === '1.234.567,5',
          month: new Date(Date.UTC(2026, 0, 5)).toLocaleDateString('en-GB', { month: 'short', timeZone: 'UTC' }) === 'Jan',
          zone: new Date(Date.UTC(2026, 6, 1)).toLocaleString('en-US', { timeZone: 'America/New_York', hour: 'numeric' }).split(/\\s/).join(' ') === '8 PM',
          temporal: Temporal.PlainDate.from('2024-01-31').add({ months: 1 }).toString() === '2024-02-29',
          temporalZone: Temporal.Instant.from('2026-07-01T00:00Z').toZonedDateTimeISO('Asia/Tokyo').hour === 9,
          date: Math.abs(Date.now() - new Date().getTime()) < 1000 && new Date().getFullYear() >= 2025,
          utc: new Date(0).getHours() === 0 && Intl.DateTimeFormat().resolvedOptions().timeZone === 'UTC',
          eval: eval('1 + 1') === 2 && new Function('return 3')() === 3,
          weak: new WeakRef({ a: 1 }).deref()?.a === 1,
          regexp: 'aBc'.replace(/(?<x>b)/i, '$<x>$<x>') === 'aBBc' && /\\p{L}/v.test('ü'),
          groups: Object.groupBy([1, 2, 3], (n) => n % 2 ? 'odd' : 'even').odd.length === 2,
          root: self === globalThis && global === globalThis && typeof (self || window || global).Array === 'function',
          buffers: new ArrayBuffer(8).slice(2).byteLength === 6 && new Uint8Array([3, 1]).toSorted()[0] === 1,
        };
        return Object.entries(check).filter(([, right]) => right !== true);
    };";
    let [execution] = run_all(&server, [source]);
    assert_eq!(execution["result"], json!([]), "{execution}");
}

#[test]
fn no_way_leads_from_a_handler_to_the_engines_insides() {
    let server = Server::start();
    let source = "const probes = [
          () => ({}).constructor.constructor('return this')(),
          () => (function () { return this })(),
          () => (async () => {}).constructor('return this'),
          () => setTimeout.constructor('return this')(),
          () => console.log.constructor('return this')(),
          () => require.constructor('return this')(),
          () => ctxSeen.signal.constructor.constructor('return this')(),
          () => (0, eval)('this'),
        ];
        let ctxSeen;
        module.exports = (params, ctx) => {
          ctxSeen = ctx;
          const found = [];
          const wanted = ['Deno', '__bootstrap', '__isochron', 'ops', 'core', 'internals'];
          for (const probe of probes) {
            let value = probe();
            if (typeof value === 'function') value = globalThis;
            if (value !== undefined && value !== globalThis) found.push('another global');
            for (const name of wanted) if (value && name in value) found.push(name);
          }
          for (const error of [new Error('x'), ...[1].map(() => new Error('y'))]) {
            if (/ext:|deno|node:/.test(error.stack)) found.push(error.stack);
          }
          Error.prepareStackTrace = (error, sites) => { found.push('call sites'); return 'prepared' };
          new Error('z').stack;
          for (const own of [require, module, console, setTimeout, crypto, performance, ctx]) {
            for (const name of Reflect.ownKeys(own)) {
              if (/^op_|deno|bootstrap/i.test(String(name))) found.push(String(name));
            }
          }
          if (typeof arguments.callee.caller === 'function') found.push('a caller');
          return found;
        };";
    let [execution] = run_all(&server, [source]);
    assert_eq!(execution["result"], json!([]), "{execution}");
}

#[test]
fn web_assembly_and_code_from_strings_are_a_matter_of_the_settings() {
    let source = "module.exports = () => {
        const tried = (code) => { try { return code() } catch (error) { return error.name } };
        const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
        return [
          tried(() => WebAssembly.validate(bytes)), tried(() => eval('7')), tried(() => new Function('return 7')()),
        ];
    };";
    let usual = Server::start();
    assert_eq!(usual.run_source("tries", source, &json!({}))["result"], json!(["ReferenceError", 7, 7]));
    let other = Options::default().set("ENGINE__WEB_ASSEMBLY", "true").set("ENGINE__EVAL", "false").start();
    assert_eq!(
        other.run_source("tries", source, &json!({}))["result"],
        json!([true, "EvalError", "EvalError"])
    );
}

#[test]
fn a_finalization_registry_tells_what_was_collected() {
    let server = Server::start();
    let source = "module.exports = async () => {
        let told = 0;
        const registry = new FinalizationRegistry((held) => { told += held; });
        for (let round = 0; round < 1000 && told === 0; round++) {
            for (let i = 0; i < 10000; i++) registry.register({ i }, 1);
            await new Promise((go) => setTimeout(go, 1));
        }
        return told > 0;
    };";
    let [execution] = run_all(&server, [source]);
    assert_eq!(execution["result"], true, "{execution}");
}
