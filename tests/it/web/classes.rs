//! The classes themselves, without a network.

use serde_json::json;

use super::result_of;

#[test]
fn streams_carry_transform_and_compress() {
    let result = result_of(
        "const upper = new TransformStream({ transform: (chunk, out) => out.enqueue(chunk.toUpperCase()) });
         const text = new ReadableStream({ start(out) { out.enqueue('a'); out.enqueue('b'); out.close(); } });
         const seen = [];
         await text.pipeThrough(upper).pipeTo(new WritableStream({ write: (chunk) => { seen.push(chunk) } }));
         const long = 'x'.repeat(10_000);
         const round = {};
         for (const format of ['gzip', 'deflate', 'deflate-raw']) {
           const packed = await new Response(new Blob([long]).stream().pipeThrough(new CompressionStream(format))).bytes();
           const opened = new Blob([packed]).stream().pipeThrough(new DecompressionStream(format));
           round[format] = [packed.length < 100, await new Response(opened).text() === long];
         }
         const damaged = new Blob(['no gzip at all']).stream().pipeThrough(new DecompressionStream('gzip'));
         const all = []; for await (const part of ReadableStream.from([1, 2])) all.push(part);
         const [left, right] = new Blob(['tee']).stream().tee();
         return {
           seen, round, all,
           damaged: (await told(() => new Response(damaged).text())).split(':')[0],
           tee: [await new Response(left).text(), await new Response(right).text()],
           coded: await new Response(new Blob(['\u{fc}']).stream().pipeThrough(new TextDecoderStream('latin1'))
             .pipeThrough(new TextEncoderStream())).text(),
         };",
    );
    assert_eq!(
        result,
        json!({
            "seen": ["A", "B"],
            "round": { "gzip": [true, true], "deflate": [true, true], "deflate-raw": [true, true] },
            "all": [1, 2],
            "damaged": "TypeError",
            "tee": ["tee", "tee"],
            "coded": "\u{c3}\u{bc}",
        })
    );
}

#[test]
fn requests_and_responses_hold_bodies_of_every_kind() {
    let result = result_of(
        "const form = new FormData(); form.append('a', '1'); form.append('f', new File(['x'], 'f.txt', { type: 'text/plain' }));
         const request = new Request('http://host/path', { method: 'POST', body: form });
         const again = await request.clone().formData();
         const response = Response.json({ a: [1] }, { status: 201, headers: { 'X-Other': 'y' } });
         const copy = response.clone();
         return {
           form: [again.get('a'), again.get('f').name, await again.get('f').text(), request.bodyUsed],
           json: [await response.json(), response.status, response.ok, response.headers.get('content-type'), response.bodyUsed],
           copy: await copy.text(),
           again: await told(() => response.text()),
           query: await new Response('a=1&b=%20').formData().catch((error) => error.name),
           params: await new Request('http://host/', { method: 'POST', body: new URLSearchParams({ a: 'b c' }) }).text(),
           blob: [(await new Response('abc', { headers: { 'content-type': 'text/css' } }).blob()).type],
           headers: [...new Headers([['b', '2'], ['a', '1'], ['B', '3']])],
           cookies: new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2']]).getSetCookie(),
           redirect: [Response.redirect('http://host/', 307).headers.get('location'), Response.error().type],
           streamed: await told(() => new Request('http://host/', { method: 'POST', body: new ReadableStream() })),
           half: new Request('http://host/', { method: 'POST', body: new ReadableStream(), duplex: 'half' }).duplex,
           methods: await Promise.all(['CONNECT', 'trace', 'Track', 'a b'].map((method) => told(() => new Request('http://host/', { method })))),
           named: (await told(() => new Request('http://user:word@host/'))).split(':')[0],
           relative: (await told(() => new Request('/path'))).split(':')[0],
           get: (await told(() => new Request('http://host/', { body: 'x' }))).split(':')[0],
         };",
    );
    let forbidden = "TypeError: Method is forbidden";
    assert_eq!(
        result,
        json!({
            "form": ["1", "f.txt", "x", false],
            "json": [{ "a": [1] }, 201, true, "application/json", true],
            "copy": "{\"a\":[1]}",
            "again": "TypeError: Body already consumed",
            "query": "TypeError",
            "params": "a=b+c",
            "blob": ["text/css"],
            "headers": [["a", "1"], ["b", "2, 3"]],
            "cookies": ["a=1", "b=2"],
            "redirect": ["http://host/", "error"],
            "streamed": "TypeError: Failed to construct 'Request': a body that is a stream needs the option duplex: 'half'",
            "half": "half",
            "methods": [forbidden, forbidden, forbidden, "TypeError: Method is not valid"],
            "named": "TypeError",
            "relative": "TypeError",
            "get": "TypeError",
        })
    );
}

#[test]
fn files_and_keys_are_cloned_and_events_and_responses_are_not() {
    let result = result_of(
        "const clone = (value) => told(() => { structuredClone(value); return 'cloned' }).then((text) => text.split(':')[0]);
         const file = structuredClone({ deep: [new File(['abc'], 'a.txt', { type: 'text/plain', lastModified: 5 })] }).deep[0];
         const key = structuredClone(await crypto.subtle.importKey('raw', bytes('k'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']));
         return {
           file: [file instanceof File, file.name, file.type, file.lastModified, await file.text()],
           blob: await structuredClone(new Blob(['x', 'y'])).text(),
           key: [key instanceof CryptoKey, key.extractable, hex(await crypto.subtle.sign('HMAC', key, bytes('a'))).length],
           refused: await Promise.all([
             new Event('x'), { deep: [new CustomEvent('x')] }, new MessageEvent('m'), new Response('x'), new Headers(),
             new ReadableStream(), new FormData(), new Request('http://host/'), new AbortController().signal,
             new TransformStream(), new URLPattern(),
           ].map(clone)),
           proxied: await clone(Object.create(new Proxy({}, { getPrototypeOf() { throw new Error('looked') } }))),
         };",
    );
    assert_eq!(
        result,
        json!({
            "file": [true, "a.txt", "text/plain", 5, "abc"],
            "blob": "xy",
            "key": [true, false, 64],
            "refused": vec!["DataCloneError"; 11],
            "proxied": "cloned",
        })
    );
}

#[test]
fn a_class_works_on_when_built_ins_are_patched_after_its_first_use() {
    let result = result_of(
        "const source = new Blob(['abc']); const used = [Response, Blob];
         const kept = Array.prototype[Symbol.iterator];
         Array.prototype[Symbol.iterator] = () => { throw new Error('mine') };
         Object.defineProperty(Object.prototype, 'type', { set() { throw new Error('set') }, get() { return undefined }, configurable: true });
         Map.prototype.get = Uint8Array.prototype.set = () => { throw new Error('patched') };
         const hash = await crypto.subtle.digest('SHA-256', new Uint8Array(1));
         const blob = await new Response(source.stream()).text();
         Array.prototype[Symbol.iterator] = kept;
         return [hash.byteLength, blob, used.length];",
    );
    assert_eq!(result, json!([32, "abc", 2]));
}

#[test]
fn decompressed_bytes_count_against_the_limit_of_buffers() {
    let result = result_of(
        "const zeros = new ReadableStream({ pull(out) { this.n = (this.n ?? 0) + 1; out.enqueue(new Uint8Array(1 << 20)); if (this.n === 80) out.close(); } });
         const bomb = await new Response(zeros.pipeThrough(new CompressionStream('gzip'))).bytes();
         const opened = new Blob([bomb]).stream().pipeThrough(new DecompressionStream('gzip'));
         return [bomb.length < 200_000, await told(() => new Response(opened).bytes())];",
    );
    assert_eq!(
        result,
        json!([
            true,
            "RangeError: one chunk decompresses to more than limits.buffers allows: write smaller chunks"
        ])
    );
}
