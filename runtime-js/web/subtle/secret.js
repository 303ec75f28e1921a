// Algorithms whose key is a secret: HMAC, AES, PBKDF2, HKDF.
"use strict";

const { primordials } = __bootstrap;
const { MathCeil, TypedArrayPrototypeGetByteLength, Uint8Array, StringPrototypeSlice } = primordials;
const keys = require("./keys.js");
const { dataError, inner, makeKey, native, notSupported, operationError, put } = keys;
const { getRandomValues } = __isochron.crypto;

const HASH_LENGTH = { __proto__: null, "SHA-1": 20, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64 };
const BLOCK_LENGTH = { __proto__: null, "SHA-1": 64, "SHA-256": 64, "SHA-384": 128, "SHA-512": 128 };

function random(bytes) {
  return getRandomValues(new Uint8Array(bytes));
}

function exportSecret(format, key, alg) {
  const { data } = inner(key);
  if (format === "raw") return keys.toBuffer(data);
  if (format !== "jwk") throw notSupported(`a secret has no format ${format}: use raw or jwk`);
  const jwk = keys.startJwk("oct", key);
  put(jwk, "k", keys.toBase64Url(data));
  if (alg !== undefined) put(jwk, "alg", alg);
  return jwk;
}

/** The bytes of a secret in raw or jwk; `algOf` gives the JWK's `alg` for these bytes. */
function importSecret(format, data, extractable, usages, use, algOf) {
  if (format === "raw") return new Uint8Array(data);
  if (format !== "jwk") throw notSupported(`a secret has no format ${format}: use raw or jwk`);
  keys.checkJwk(data, "oct", extractable, usages, use);
  const bytes = new Uint8Array(keys.fromBase64Url(data.k, "k"));
  keys.checkAlg(data, algOf(bytes));
  return bytes;
}

// --- HMAC ---

const hmacAlg = (hash) => `HS${hash === "SHA-1" ? "1" : StringPrototypeSlice(hash, 4)}`;
const hmacUsages = ["sign", "verify"];

const hmac = {
  __proto__: null,
  usages: hmacUsages,
  length({ hash, length }) {
    if (length === 0) throw operationError("the length of an HMAC key is 0");
    return length ?? BLOCK_LENGTH[hash] * 8;
  },
  generate(params, extractable, usages) {
    keys.checkUsages(usages, hmacUsages, "HMAC");
    const length = hmac.length(params);
    const algorithm = { __proto__: null, name: "HMAC", hash: params.hash, length };
    return makeKey("secret", algorithm, extractable, usages, random(MathCeil(length / 8)));
  },
  import(format, data, params, extractable, usages) {
    keys.checkUsages(usages, hmacUsages, "HMAC");
    const bytes = importSecret(format, data, extractable, usages, "sig", () => hmacAlg(params.hash));
    const bits = TypedArrayPrototypeGetByteLength(bytes) * 8;
    if (bits === 0) throw dataError("the HMAC key is empty");
    const { length = bits } = params;
    if (length > bits || length <= bits - 8) {
      throw dataError(`the key has ${bits} bits, and length says ${length}`);
    }
    const algorithm = { __proto__: null, name: "HMAC", hash: params.hash, length };
    return makeKey("secret", algorithm, extractable, usages, bytes);
  },
  export: (format, key) => exportSecret(format, key, hmacAlg(inner(key).algorithm.hash)),
  sign(_params, key, data) {
    const { algorithm, data: secret } = inner(key);
    return native("hmac", [algorithm.hash, secret, data]);
  },
  verify: (params, key, signature, data) => native("equal", [hmac.sign(params, key, data), signature]),
};

// --- AES ---

const aesUsages = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];

function checkLength(length) {
  if (length !== 128 && length !== 192 && length !== 256) {
    throw operationError(`an AES key has 128, 192 or 256 bits, not ${length}`);
  }
  return length;
}

/** `run(encrypt, params, key, data)` gives the native function and its arguments. */
function aes(name, suffix, run) {
  const alg = (bytes) => `A${TypedArrayPrototypeGetByteLength(bytes) * 8}${suffix}`;
  return {
    __proto__: null,
    usages: aesUsages,
    length: ({ length }) => checkLength(length),
    generate({ length }, extractable, usages) {
      keys.checkUsages(usages, aesUsages, name);
      const data = random(checkLength(length) / 8);
      return makeKey("secret", { __proto__: null, name, length }, extractable, usages, data);
    },
    import(format, data, _params, extractable, usages) {
      keys.checkUsages(usages, aesUsages, name);
      const bytes = importSecret(format, data, extractable, usages, "enc", alg);
      const length = TypedArrayPrototypeGetByteLength(bytes) * 8;
      if (length !== 128 && length !== 192 && length !== 256) {
        throw dataError(`an AES key has 16, 24 or 32 bytes, not ${length / 8}`);
      }
      return makeKey("secret", { __proto__: null, name, length }, extractable, usages, bytes);
    },
    export: (format, key) => exportSecret(format, key, alg(inner(key).data)),
    encrypt: (params, key, data) => run("encrypt", params, inner(key).data, data),
    decrypt: (params, key, data) => run("decrypt", params, inner(key).data, data),
  };
}

const NO_BYTES = new Uint8Array(0);

const aesGcm = aes("AES-GCM", "GCM", (way, params, key, data) => {
  const { iv, additionalData = NO_BYTES, tagLength = 128 } = params;
  if (
    tagLength !== 32 && tagLength !== 64 && tagLength !== 96 && tagLength !== 104 &&
    tagLength !== 112 && tagLength !== 120 && tagLength !== 128
  ) {
    throw operationError(`tagLength is 32, 64, 96, 104, 112, 120 or 128 bits, not ${tagLength}`);
  }
  return native(`aes.gcm-${way}`, [key, iv, data, additionalData, tagLength / 8]);
});

const aesCbc = aes("AES-CBC", "CBC", (way, { iv }, key, data) => native(`aes.cbc-${way}`, [key, iv, data]));

const aesCtr = aes("AES-CTR", "CTR", (_way, { counter, length }, key, data) =>
  native("aes.ctr", [key, counter, data, length]));

// --- PBKDF2 and HKDF ---

const deriveUsages = ["deriveKey", "deriveBits"];

function deriving(name, derive) {
  return {
    __proto__: null,
    usages: deriveUsages,
    length: () => null,
    import(format, data, _params, extractable, usages) {
      if (format !== "raw") throw notSupported(`a key of ${name} has no format ${format}: use raw`);
      keys.checkUsages(usages, deriveUsages, name);
      if (extractable) throw keys.syntaxError(`a key of ${name} is never extractable`);
      return makeKey("secret", { __proto__: null, name }, false, usages, new Uint8Array(data));
    },
    derive(params, key, bits) {
      if (bits === null || bits === undefined || bits % 8 !== 0) {
        throw operationError(`${name} derives a number of bits that is a multiple of 8, not ${bits}`);
      }
      return derive(params, inner(key).data, bits / 8);
    },
  };
}

const pbkdf2 = deriving("PBKDF2", ({ hash, salt, iterations }, key, bytes) => {
  return native("pbkdf2", [hash, key, salt, iterations, bytes]);
});

const hkdf = deriving("HKDF", ({ hash, salt, info }, key, bytes) => {
  if (bytes > 255 * HASH_LENGTH[hash]) {
    throw operationError(`HKDF with ${hash} derives at most ${255 * HASH_LENGTH[hash]} bytes`);
  }
  return native("hkdf", [hash, key, salt, info, bytes]);
});

module.exports = {
  __proto__: null,
  "AES-CBC": aesCbc,
  "AES-CTR": aesCtr,
  "AES-GCM": aesGcm,
  HKDF: hkdf,
  HMAC: hmac,
  PBKDF2: pbkdf2,
};
