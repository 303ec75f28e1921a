//! `structuredClone`, ArrayBuffers, and the errors of web APIs and `require`.

use serde_json::json;

use super::{Server, result_of};

/// Precedes each body: `tried(code)` is the code's result, or the kind of error that it threw.
const TRIED: &str = "const tried = (code) => { try { return code() } catch (error) {
    const kind = error instanceof DOMException ? 'DOMException' : error instanceof Error ? 'Error' : typeof error;
    return `${kind} ${error?.name} ${error?.code}`;
  } };";

#[test]
fn buffers_are_transferred_and_nothing_else_is() {
    let server = Server::start();
    let body = format!(
        "{TRIED}
         const buffer = new ArrayBuffer(8); new Uint8Array(buffer)[2] = 7;
         const view = new Uint8Array(buffer, 2, 3);
         const copy = structuredClone({{ buffer, again: buffer, view }}, {{ transfer: [buffer] }});
         const other = structuredClone(5, {{ transfer: [copy.buffer] }});
         return {{
           empty: structuredClone({{ a: 1 }}, {{ transfer: [] }}),
           source: [buffer.byteLength, buffer.detached, view.length],
           same: [copy.buffer === copy.again, copy.view.buffer === copy.buffer],
           unmentioned: [other, copy.buffer.detached],
           again: tried(() => structuredClone(1, {{ transfer: [buffer] }})),
           object: tried(() => structuredClone(1, {{ transfer: [{{}}] }})),
           view: tried(() => structuredClone(1, {{ transfer: [new Uint8Array(1)] }})),
           twice: tried(() => {{ const b = new ArrayBuffer(1); structuredClone(b, {{ transfer: [b, b] }}) }}),
           list: tried(() => structuredClone(1, {{ transfer: 5 }})),
           kept: tried(() => {{ const b = new ArrayBuffer(4); try {{ structuredClone(() => 1, {{ transfer: [b] }}) }} catch {{}}; return b.byteLength }}),
         }};"
    );
    let clone_error = "DOMException DataCloneError 25";
    assert_eq!(
        result_of(&server, "transfers", &body),
        json!({
            "empty": { "a": 1 },
            "source": [0, true, 0],
            "same": [true, true],
            "unmentioned": [5, true],
            "again": clone_error, "object": clone_error, "view": clone_error, "twice": clone_error,
            "list": "Error TypeError undefined",
            "kept": 4,
        })
    );
}

#[test]
fn a_transferred_buffer_keeps_its_bytes() {
    let server = Server::start();
    let body = "const buffer = Uint8Array.of(1, 2, 3, 4).buffer;
        const copy = structuredClone({ part: new Uint8Array(buffer, 1, 2) }, { transfer: [buffer] });
        return [[...copy.part], [...new Uint8Array(copy.part.buffer)]];";
    assert_eq!(result_of(&server, "bytes", body), json!([[2, 3], [1, 2, 3, 4]]));
}

#[test]
fn what_can_be_cloned_is_and_the_rest_says_that_it_cannot() {
    let server = Server::start();
    let body = format!(
        "{TRIED}
         const error = new DOMException('gone', 'AbortError');
         const copy = structuredClone({{ deep: [error] }}).deep[0];
         return {{
           exception: [copy instanceof DOMException, copy !== error, copy.name, copy.message, copy.code, copy.stack === error.stack],
           errors: (({{ name, message, cause }}) => [name, message, cause])(structuredClone(new TypeError('t', {{ cause: 1 }}))),
           nothing: tried(() => structuredClone()),
           undefined: tried(() => String(structuredClone(undefined))),
           url: tried(() => structuredClone(new URL('http://localhost/'))),
           inside: tried(() => structuredClone({{ a: [new URLSearchParams('a=1')] }})),
           signal: tried(() => structuredClone(new AbortController().signal)),
           function: tried(() => structuredClone({{ a() {{}} }})),
           forged: tried(() => structuredClone({{ [Object.getOwnPropertySymbols(new URL('x:'))[0]]: 1 }})),
           getter: tried(() => structuredClone({{ get a() {{ throw new RangeError('mine') }} }})),
         }};"
    );
    let clone_error = "DOMException DataCloneError 25";
    assert_eq!(
        result_of(&server, "clones", &body),
        json!({
            "exception": [true, true, "AbortError", "gone", 20, true],
            "errors": ["TypeError", "t", 1],
            "nothing": "Error TypeError ERR_MISSING_ARGS",
            "undefined": "undefined",
            "url": clone_error, "inside": clone_error, "signal": clone_error, "function": clone_error,
            "forged": clone_error,
            "getter": "Error RangeError undefined",
        })
    );
}

#[test]
fn buffers_past_the_limit_and_resizable_ones_say_why_there_are_none() {
    let server = Server::start();
    let body = "const told = (code) => { try { return code() } catch (error) { return `${error.name}: ${error.message}` } };
        return [
          told(() => structuredClone(new ArrayBuffer(40 * 1024 * 1024))),
          told(() => new ArrayBuffer(8, { maxByteLength: 16 })),
          told(() => new ArrayBuffer(8, {}).byteLength + new ArrayBuffer(8, { maxByteLength: undefined }).byteLength),
          told(() => new ArrayBuffer(8).transfer(16).byteLength),
        ];";
    assert_eq!(
        result_of(&server, "limits", body),
        json!([
            "RangeError: Array buffer allocation failed: the run would use more than 64 MiB in ArrayBuffers",
            "RangeError: an ArrayBuffer cannot be resizable here: leave out maxByteLength, and use \
             buffer.transfer(size) to get one of another size",
            16,
            16,
        ])
    );
    let source = "module.exports = () => structuredClone(new ArrayBuffer(40 * 1024 * 1024));";
    let execution = server.run_source("uncaught", source, &json!({}));
    assert_eq!(execution["reason"], "memory-limit", "{execution}");
    assert_eq!(execution["error"], "used more than 64 MiB in ArrayBuffers");
}

#[test]
fn every_error_of_an_api_is_a_real_one() {
    let server = Server::start();
    let body = format!(
        "{TRIED}
         return [
           tried(() => atob('a')), tried(() => atob('*')), tried(() => btoa('€')), tried(() => atob()),
           tried(() => new TextDecoder('nope')),
           tried(() => new TextDecoder('utf-8', {{ fatal: true }}).decode(Uint8Array.of(255))),
           tried(() => new TextDecoder('shift_jis', {{ fatal: true }}).decode(Uint8Array.of(255))),
           tried(() => new TextEncoder().encodeInto('a', 1)),
           tried(() => new URL('x')), tried(() => {{ new URL('http://x').href = 'y' }}),
           tried(() => new URLSearchParams([['a']])),
           tried(() => crypto.getRandomValues(new Uint8Array(65537))),
           tried(() => crypto.getRandomValues(new Float64Array(1))),
           tried(() => AbortSignal.timeout(-1)), tried(() => AbortSignal.abort().throwIfAborted()),
           tried(() => new EventTarget().dispatchEvent({{}})), tried(() => new Event()),
           tried(() => queueMicrotask(1)), tried(() => setTimeout(Symbol())),
           tried(() => new DOMException(Symbol())),
         ];"
    );
    let result = result_of(&server, "api-errors", &body);
    let kinds: Vec<_> = result.as_array().into_iter().flatten().filter_map(|kind| kind.as_str()).collect();
    assert_eq!(kinds.len(), 20, "each of them throws: {result}");
    for kind in &kinds {
        assert!(kind.starts_with("Error ") || kind.starts_with("DOMException "), "{kind} in {kinds:?}");
    }
    assert_eq!(kinds[..3], ["DOMException InvalidCharacterError 5"; 3]);
}

#[test]
fn a_file_that_is_not_there_or_does_not_compile_can_be_told_by_its_error() {
    let server = Server::start();
    server.home.write("lib/broken", "const a = 1;\n  const b = );\n");
    let body = "const caught = (name) => { try { require(name) } catch (error) { return error } };
        const broken = caught('./lib/broken');
        console.log(broken); console.log(`${broken}`); console.log('%s', broken.message);
        return ['./nope', './lib/nope.json', 'nope', 'fs'].map((name) => caught(name).code).concat(broken.code ?? null);";
    let source = format!("module.exports = () => {{ {body} }};");
    let execution = server.run_source("codes", &source, &json!({}));
    let code = "MODULE_NOT_FOUND";
    assert_eq!(execution["result"], json!([code, code, code, code, null]), "{execution}");
    for line in super::messages(&execution) {
        assert!(line.contains("Unexpected token ')' (tasks/lib/broken.js:2:13)"), "{line}");
    }
}
