//! `crypto.subtle`.

use serde_json::json;

use super::result_of;

/// The expected values are those of published test vectors: RFC 4231, RFC 6070's successor for SHA-256,
/// RFC 5869, RFC 8032 and NIST's AES-GCM vectors.
#[test]
fn subtle_calculates_the_published_values() {
    let result = result_of(
        "const { subtle } = crypto;
         const from = (text) => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
         const raw = (key, algorithm, usage) => subtle.importKey('raw', key, algorithm, false, [usage]);
         const hmac = await raw(bytes('Jefe'), { name: 'hmac', hash: 'sha-256' }, 'sign');
         const password = await raw(bytes('password'), 'PBKDF2', 'deriveBits');
         const secret = await raw(from('0b'.repeat(22)), 'HKDF', 'deriveBits');
         const aes = await raw(new Uint8Array(16), 'AES-GCM', 'encrypt');
         const seed = from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');
         const ed = await subtle.importKey('pkcs8', new Uint8Array([...from('302e020100300506032b657004220420'), ...seed]), 'Ed25519', true, ['sign']);
         return {
           sha1: hex(await subtle.digest('SHA-1', bytes('abc'))),
           sha384: hex(await subtle.digest({ name: 'sha-384' }, bytes('abc'))).slice(0, 16),
           hmac: hex(await subtle.sign('HMAC', hmac, bytes('what do ya want for nothing?'))),
           pbkdf2: hex(await subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: bytes('salt'), iterations: 4096 }, password, 256)),
           hkdf: hex(await subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: from('000102030405060708090a0b0c'), info: from('f0f1f2f3f4f5f6f7f8f9') }, secret, 336)),
           gcm: hex(await subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, aes, new Uint8Array(16))),
           ed25519: hex(await subtle.sign('Ed25519', ed, new Uint8Array(0))).slice(0, 32),
           public: (await subtle.exportKey('jwk', ed)).x,
         };",
    );
    assert_eq!(
        result,
        json!({
            "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
            "sha384": "cb00753f45a35e8b",
            "hmac": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "pbkdf2": "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a",
            "hkdf": "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            "gcm": "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
            "ed25519": "e5564300c360ac729086e2cc806e828a",
            "public": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    );
}

#[test]
fn keys_sign_verify_and_survive_every_format() {
    let result = result_of(
        "const { subtle } = crypto;
         const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };
         const cases = {
           p256: [{ name: 'ECDSA', namedCurve: 'P-256' }, { name: 'ECDSA', hash: 'SHA-256' }],
           p384: [{ name: 'ECDSA', namedCurve: 'P-384' }, { name: 'ECDSA', hash: 'SHA-1' }],
           ed25519: ['Ed25519', 'Ed25519'],
           rsa: [{ name: 'RSASSA-PKCS1-v1_5', ...rsa }, 'RSASSA-PKCS1-v1_5'],
           pss: [{ name: 'RSA-PSS', ...rsa }, { name: 'RSA-PSS', saltLength: 32 }],
         };
         const result = {};
         for (const [name, [made, used]] of Object.entries(cases)) {
           const { publicKey, privateKey } = await subtle.generateKey(made, true, ['sign', 'verify']);
           const signature = await subtle.sign(used, privateKey, bytes('data'));
           const checks = [await subtle.verify(used, publicKey, signature, bytes('data')), !await subtle.verify(used, publicKey, signature, bytes('date'))];
           for (const format of ['pkcs8', 'jwk']) {
             const key = await subtle.importKey(format, await subtle.exportKey(format, privateKey), made, true, ['sign']);
             checks.push(await subtle.verify(used, publicKey, await subtle.sign(used, key, bytes('data')), bytes('data')));
           }
           for (const format of ['spki', 'jwk']) {
             const key = await subtle.importKey(format, await subtle.exportKey(format, publicKey), made, true, ['verify']);
             checks.push(await subtle.verify(used, key, signature, bytes('data')));
           }
           result[name] = checks.every((right) => right === true);
         }
         for (const [name, params] of [['AES-GCM', { iv: new Uint8Array(12) }], ['AES-CBC', { iv: new Uint8Array(16) }], ['AES-CTR', { counter: new Uint8Array(16), length: 64 }]]) {
           const key = await subtle.generateKey({ name, length: 256 }, true, ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey']);
           const sealed = await subtle.encrypt({ name, ...params }, key, bytes('secret text'));
           const wrapped = await subtle.wrapKey('jwk', key, key, { name, ...params });
           const opened = await subtle.unwrapKey('jwk', wrapped, key, { name, ...params }, name, false, ['decrypt']);
           result[name] = [new TextDecoder().decode(await subtle.decrypt({ name, ...params }, opened, sealed)), opened.extractable];
         }
         return result;",
    );
    assert_eq!(
        result,
        json!({
            "p256": true, "p384": true, "ed25519": true, "rsa": true, "pss": true,
            "AES-GCM": ["secret text", false], "AES-CBC": ["secret text", false], "AES-CTR": ["secret text", false],
        })
    );
}

#[test]
fn subtle_refuses_with_the_errors_of_the_standard() {
    let result = result_of(
        "const { subtle } = crypto;
         const key = await subtle.generateKey({ name: 'AES-GCM', length: 128 }, false, ['encrypt', 'decrypt']);
         const password = await subtle.importKey('raw', bytes('p'), 'PBKDF2', false, ['deriveBits']);
         const iv = new Uint8Array(12);
         const name = async (code) => (await told(code)).split(':')[0];
         return {
           unknown: await name(() => subtle.digest('MD5', iv)),
           format: await name(() => subtle.importKey('der', iv, 'HKDF', false, ['deriveBits'])),
           usage: await name(() => subtle.importKey('raw', iv, 'HKDF', false, ['sign'])),
           other: await name(() => subtle.sign('HMAC', key, iv)),
           hidden: await name(() => subtle.exportKey('raw', key)),
           damaged: await name(() => subtle.decrypt({ name: 'AES-GCM', iv }, key, new Uint8Array(32))),
           document: await name(() => subtle.importKey('spki', iv, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify'])),
           curve: await name(() => subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-521' }, true, ['sign'])),
           iterations: await told(() => subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: iv, iterations: 1_000_001 }, password, 256)),
           made: await name(() => new CryptoKey()),
           forged: await name(() => subtle.exportKey('raw', Object.create(CryptoKey.prototype))),
         };",
    );
    assert_eq!(
        result,
        json!({
            "unknown": "NotSupportedError",
            "format": "TypeError",
            "usage": "SyntaxError",
            "other": "InvalidAccessError",
            "hidden": "InvalidAccessError",
            "damaged": "OperationError",
            "document": "DataError",
            "curve": "NotSupportedError",
            "iterations": "OperationError: PBKDF2 makes at most 1,000,000 iterations here: lower iterations",
            "made": "TypeError",
            "forged": "TypeError",
        })
    );
}
