// `crypto`: hashes, HMAC, PBKDF2 and random values. Ciphers and signatures are in `crypto.subtle`.
"use strict";

const native = require("ext:isochron/native/node.js");
const { checkFunction, coded, invalidType } = require("./errors.js");

const HASHES = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512-224", "sha512-256"];
/** `RSA-SHA256`, `sha-256` and `SHA512/256` as `HASHES` writes them. */
const nameOf = (algorithm) =>
  `${algorithm}`.toLowerCase().replace(/^rsa-/, "").replace(/^sha-/, "sha").replace("/", "-");

const own = globalThis.crypto;
const randomFill = own.getRandomValues.bind(own);

/** The bytes of a text, a Buffer, a view, an ArrayBuffer or a secret key. */
function bytesOf(value, encoding, name) {
  if (typeof value === "string") return Buffer.from(value, encoding === "buffer" ? "utf8" : encoding);
  if (value instanceof KeyObject) return value.export();
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (native.types.isAnyArrayBuffer(value)) return new Uint8Array(value);
  throw invalidType(name, "a string, an ArrayBuffer, a Buffer, a TypedArray or a DataView", value);
}

const asOutput = (bytes, encoding) => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return encoding === undefined || encoding === "buffer" ? buffer : buffer.toString(encoding);
};

function checkHash(algorithm) {
  if (typeof algorithm !== "string") throw invalidType("the hash's name", "a string", algorithm);
  const name = nameOf(algorithm);
  if (!HASHES.includes(name)) {
    throw coded(Error, "ERR_CRYPTO_INVALID_DIGEST", `no hash is called ${algorithm}: there are ${HASHES.join(", ")}`);
  }
  return name;
}

/** Collects data until the digest is asked for. */
class Collector {
  #parts = [];
  #done = false;

  update(data, encoding) {
    this.#check();
    const bytes = bytesOf(data, encoding, "the data");
    // A view may change before the digest; a string's bytes are nobody else's.
    this.#parts.push(typeof data === "string" ? bytes : bytes.slice());
    return this;
  }
  write(data, encoding) {
    this.update(data, encoding);
    return true;
  }
  end(data, encoding) {
    if (data !== undefined) this.update(data, encoding);
    return this;
  }
  _take() {
    this.#check();
    this.#done = true;
    return this.#parts.length === 1 ? new Uint8Array(this.#parts[0]) : new Uint8Array(Buffer.concat(this.#parts));
  }
  _copyTo(other) {
    this.#check();
    other.#parts = [...this.#parts];
    return other;
  }
  get _isDone() {
    return this.#done;
  }
  #check() {
    if (this.#done) throw coded(Error, "ERR_CRYPTO_HASH_FINALIZED", "the digest has been taken already");
  }
}

class Hash extends Collector {
  #name;

  constructor(algorithm) {
    super();
    this.#name = checkHash(algorithm);
  }
  copy() {
    return this._copyTo(new Hash(this.#name));
  }
  digest(encoding) {
    return asOutput(native.hash(this.#name, this._take()), encoding);
  }
}

class Hmac extends Collector {
  #name;
  #key;

  constructor(algorithm, key) {
    super();
    this.#name = checkHash(algorithm);
    this.#key = new Uint8Array(bytesOf(key, "utf8", "the key"));
  }
  digest(encoding) {
    // As in Node, a second digest of an HMAC is empty.
    if (this._isDone) return asOutput(new Uint8Array(0), encoding);
    return asOutput(native.hmac(this.#name, this.#key, this._take()), encoding);
  }
}

/** A secret key; no other kind is here. */
class KeyObject {
  #bytes;

  constructor(type, bytes) {
    if (type !== "secret") throw notHere("a KeyObject of another type than secret", "crypto.subtle.importKey");
    this.#bytes = new Uint8Array(bytes);
  }
  static from() {
    throw notHere("KeyObject.from", "crypto.subtle.exportKey");
  }

  get type() {
    return "secret";
  }
  get symmetricKeySize() {
    return this.#bytes.length;
  }
  equals(other) {
    return other instanceof KeyObject && Buffer.compare(this.#bytes, other.#bytes) === 0;
  }
  export(options) {
    if (options?.format === "jwk") return { kty: "oct", k: asOutput(this.#bytes, "base64url") };
    return asOutput(this.#bytes.slice());
  }
}

const notHere = (name, instead) =>
  coded(Error, "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", `${name} is not here: use ${instead}`);
const missing = (name, instead) => ({
  [name]() {
    throw notHere(`crypto.${name}`, instead);
  },
})[name];

// --- random values ---

function randomFillSync(target, offset = 0, size = target.byteLength - offset) {
  const bytes = new Uint8Array(target.buffer ?? target, (target.byteOffset ?? 0) + offset, size);
  for (let at = 0; at < bytes.length; at += 65536) randomFill(bytes.subarray(at, at + 65536));
  return target;
}

const checkSize = (size) => {
  if (typeof size !== "number") throw invalidType("the size", "a number", size);
  if (!(size >= 0 && size <= 2147483647)) {
    throw coded(RangeError, "ERR_OUT_OF_RANGE", `the size must be from 0 to 2147483647, not ${size}`);
  }
};

/** Calls `callback(null, value)` or `callback(error)` later, or returns the value without one. */
function answer(callback, make) {
  if (callback === undefined) return make();
  checkFunction(callback, "the callback");
  setImmediate(() => {
    let value;
    try {
      value = make();
    } catch (error) {
      return callback(error);
    }
    callback(null, value);
  });
}

function randomBytes(size, callback) {
  checkSize(size);
  return answer(callback, () => randomFillSync(Buffer.alloc(size)));
}

function randomInt(min, max, callback) {
  if (max === undefined || typeof max === "function") [min, max, callback] = [0, min, max];
  for (const [name, value] of [["min", min], ["max", max]]) {
    if (!Number.isSafeInteger(value)) throw invalidType(name, "a safe integer", value);
  }
  const range = max - min;
  if (!(range > 0 && range <= 2 ** 48 - 1)) {
    throw coded(RangeError, "ERR_OUT_OF_RANGE", `max - min must be from 1 to 2^48 - 1, not ${range}`);
  }
  // As in Node, the callback's error is undefined, not null.
  const reply = callback && ((error, value) => callback(error ?? undefined, value));
  return answer(reply, () => {
    // Values past the last whole multiple of the range would make some numbers likelier.
    const limit = 2 ** 48 - (2 ** 48 % range);
    for (;;) {
      const value = randomFillSync(Buffer.alloc(6)).readUIntBE(0, 6);
      if (value < limit) return min + value % range;
    }
  });
}

function timingSafeEqual(a, b) {
  const [first, second] = [a, b].map((value) => {
    if (typeof value === "string") throw invalidType("an argument", "an ArrayBuffer, a Buffer, a TypedArray or a DataView", value);
    return bytesOf(value, undefined, "an argument");
  });
  if (first.length !== second.length) {
    throw coded(RangeError, "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH", "both arguments must have the same length");
  }
  let difference = 0;
  for (let i = 0; i < first.length; i++) difference |= first[i] ^ second[i];
  return difference === 0;
}

// --- derived keys ---

function pbkdf2Sync(password, salt, iterations, length, digest) {
  const name = checkHash(digest);
  const [key, grain] = [bytesOf(password, "utf8", "the password"), bytesOf(salt, "utf8", "the salt")];
  if (!(Number.isInteger(iterations) && iterations >= 1)) {
    throw coded(RangeError, "ERR_OUT_OF_RANGE", `iterations must be a whole number of at least 1, not ${iterations}`);
  }
  if (!(Number.isInteger(length) && length >= 0)) {
    throw coded(RangeError, "ERR_OUT_OF_RANGE", `the key's length must be a whole number of at least 0, not ${length}`);
  }
  if (length === 0) return Buffer.alloc(0);
  const bytes = native.pbkdf2(name, new Uint8Array(key), new Uint8Array(grain), Math.min(iterations, 2 ** 31 - 1), length);
  if (bytes === undefined) {
    throw coded(
      RangeError,
      "ERR_OUT_OF_RANGE",
      "PBKDF2 makes at most 4,000,000 iterations here, all blocks of the key together, and 16 KiB: lower them",
    );
  }
  return asOutput(bytes);
}

function pbkdf2(password, salt, iterations, length, digest, callback) {
  checkFunction(callback, "the callback");
  checkHash(digest);
  answer(callback, () => pbkdf2Sync(password, salt, iterations, length, digest));
}

const functions = {};
for (
  const [instead, names] of [
    ["crypto.subtle.encrypt and decrypt", [
      "createCipheriv", "createDecipheriv", "publicEncrypt", "privateDecrypt", "privateEncrypt", "publicDecrypt",
    ]],
    ["crypto.subtle.sign and verify", ["createSign", "createVerify", "sign", "verify"]],
    ["crypto.subtle.importKey", ["createPrivateKey", "createPublicKey"]],
    ["crypto.subtle.generateKey", ["generateKeyPair", "generateKeyPairSync", "generateKey", "generateKeySync"]],
    ["crypto.subtle.deriveBits", [
      "createECDH", "createDiffieHellman", "diffieHellman", "getDiffieHellman", "hkdf", "hkdfSync",
    ]],
    ["pbkdf2, or a package in JavaScript", ["scrypt", "scryptSync"]],
  ]
) for (const name of names) functions[name] = missing(name, instead);

module.exports = Object.defineProperties({
  ...functions,
  Hash,
  Hmac,
  KeyObject,
  constants: {},
  createHash: (algorithm) => new Hash(algorithm),
  createHmac: (algorithm, key) => new Hmac(algorithm, key),
  createSecretKey: (key, encoding) => new KeyObject("secret", bytesOf(key, encoding, "the key")),
  getCiphers: () => [],
  getCurves: () => [],
  getHashes: () => [...HASHES],
  getRandomValues: randomFill,
  hash: (algorithm, data, encoding = "hex") =>
    asOutput(native.hash(checkHash(algorithm), new Uint8Array(bytesOf(data, "utf8", "the data"))), encoding),
  pbkdf2,
  pbkdf2Sync,
  randomBytes,
  randomFill(target, ...rest) {
    const callback = rest.pop();
    answer(callback, () => randomFillSync(target, ...rest));
  },
  randomFillSync,
  randomInt,
  randomUUID: () => own.randomUUID(),
  timingSafeEqual,
  webcrypto: own,
}, {
  subtle: { get: () => own.subtle, enumerable: true, configurable: true },
});
