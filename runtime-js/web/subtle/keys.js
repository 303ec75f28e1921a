// CryptoKey, and what the algorithms share.
"use strict";

const { core, primordials } = __bootstrap;
const {
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayBufferIsView,
  MathClz32,
  ObjectDefineProperty,
  ObjectPrototypeIsPrototypeOf,
  StringPrototypeReplaceAll,
  Symbol,
  SymbolFor,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  Uint8Array,
} = primordials;
const { op_isochron_native } = core.ops;
const { load } = __isochron;
const webidl = load("ext:deno_webidl/00_webidl.js");
const { createFilteredInspectProxy } = load("ext:deno_web/01_console.js");
const { DOMException } = load("ext:deno_web/01_dom_exception.js");
const { forgivingBase64Decode, forgivingBase64Encode } = load("ext:deno_web/00_infra.js");

// The names that the native functions throw.
const dataError = (text) => new DOMException(text, "DataError");
const invalidAccess = (text) => new DOMException(text, "InvalidAccessError");
const notSupported = (text) => new DOMException(text, "NotSupportedError");
const operationError = (text) => new DOMException(text, "OperationError");
const syntaxError = (text) => new DOMException(text, "SyntaxError");
core.registerErrorBuilder("DOMExceptionDataError", dataError);
core.registerErrorBuilder("DOMExceptionNotSupportedError", notSupported);
core.registerErrorBuilder("DOMExceptionOperationError", operationError);

/** Calls a native function of `src/runner/native/subtle`. */
const native = (name, args) => op_isochron_native(`subtle.${name}`, args);

// --- CryptoKey ---

const made = Symbol("made here");
let inner;

class CryptoKey {
  #inner;
  #algorithm;
  #usages;

  constructor(token, fields) {
    if (token !== made) webidl.illegalConstructor();
    this[webidl.brand] = webidl.brand;
    this.#inner = fields;
  }

  get type() {
    webidl.assertBranded(this, CryptoKeyPrototype);
    return this.#inner.type;
  }

  get extractable() {
    webidl.assertBranded(this, CryptoKeyPrototype);
    return this.#inner.extractable;
  }

  get algorithm() {
    webidl.assertBranded(this, CryptoKeyPrototype);
    return (this.#algorithm ??= describe(this.#inner.algorithm));
  }

  get usages() {
    webidl.assertBranded(this, CryptoKeyPrototype);
    return (this.#usages ??= ArrayPrototypeSlice(this.#inner.usages));
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, options) {
    const evaluate = ObjectPrototypeIsPrototypeOf(CryptoKeyPrototype, this);
    const shown = ["type", "extractable", "algorithm", "usages"];
    return inspect(createFilteredInspectProxy({ object: this, evaluate, keys: shown }), options);
  }

  static {
    inner = (key) => key.#inner;
  }
}

webidl.configureInterface(CryptoKey);
const CryptoKeyPrototype = CryptoKey.prototype;
webidl.converters.CryptoKey = webidl.createInterfaceConverter("CryptoKey", CryptoKeyPrototype);

/** An algorithm, as handlers see it. */
function describe(algorithm) {
  const shown = { name: algorithm.name };
  if (algorithm.length !== undefined) put(shown, "length", algorithm.length);
  if (algorithm.modulusLength !== undefined) {
    put(shown, "modulusLength", algorithm.modulusLength);
    put(shown, "publicExponent", new Uint8Array(algorithm.publicExponent));
  }
  if (algorithm.namedCurve !== undefined) put(shown, "namedCurve", algorithm.namedCurve);
  if (algorithm.hash !== undefined) put(shown, "hash", { name: algorithm.hash });
  return shown;
}

function put(object, name, value) {
  ObjectDefineProperty(object, name, {
    __proto__: null,
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/**
 * Makes a key. `data` is its material: a secret, a scalar, a seed, a document or a point; `point` is
 * the public point of a private key.
 */
function makeKey(type, algorithm, extractable, usages, data, point) {
  return new CryptoKey(made, { __proto__: null, type, algorithm, extractable, usages, data, point });
}

ArrayPrototypePush(__isochron.cloners, (object) =>
  ObjectPrototypeIsPrototypeOf(CryptoKeyPrototype, object) ? new CryptoKey(made, inner(object)) : undefined);

// --- usages ---

const USAGES = [
  "encrypt",
  "decrypt",
  "sign",
  "verify",
  "deriveKey",
  "deriveBits",
  "wrapKey",
  "unwrapKey",
];

/** The usages in the order of the standard, each once. */
function usagesAmong(given, allowed) {
  const list = [];
  for (let i = 0; i < USAGES.length; i++) {
    const usage = USAGES[i];
    if (ArrayPrototypeIncludes(given, usage) && ArrayPrototypeIncludes(allowed, usage)) {
      ArrayPrototypePush(list, usage);
    }
  }
  return list;
}

function checkUsages(given, allowed, what) {
  for (let i = 0; i < given.length; i++) {
    if (!ArrayPrototypeIncludes(allowed, given[i])) {
      throw syntaxError(`a key for ${what} has no usage ${given[i]}`);
    }
  }
}

// --- bytes ---

/** The length in bytes of a modulus or another number, in bits. */
function bitLength(number) {
  let first = 0;
  const length = TypedArrayPrototypeGetByteLength(number);
  while (first < length && number[first] === 0) first++;
  if (first === length) return 0;
  return (length - first) * 8 - (MathClz32(number[first]) - 24);
}

/** The bytes as an ArrayBuffer that `limits.buffers` counts. */
const toBuffer = (bytes) => TypedArrayPrototypeGetBuffer(new Uint8Array(bytes));

/** A BufferSource as bytes. */
function bytesOf(source) {
  if (ArrayBufferIsView(source)) return source;
  return new Uint8Array(source);
}

function toBase64Url(bytes) {
  const text = forgivingBase64Encode(bytes);
  return StringPrototypeReplaceAll(
    StringPrototypeReplaceAll(StringPrototypeReplaceAll(text, "=", ""), "+", "-"),
    "/",
    "_",
  );
}

function fromBase64Url(text, member) {
  if (text === undefined) throw dataError(`the JWK has no ${member}`);
  try {
    return forgivingBase64Decode(
      StringPrototypeReplaceAll(StringPrototypeReplaceAll(text, "-", "+"), "_", "/"),
    );
  } catch {
    throw dataError(`${member} of the JWK is not base64url`);
  }
}

// --- JWK ---

/** Checks the members that every JWK has. */
function checkJwk(jwk, kty, extractable, usages, use) {
  if (jwk.kty !== kty) throw dataError(`kty of the JWK is ${jwk.kty}, not ${kty}`);
  if (usages.length > 0 && jwk.use !== undefined && jwk.use !== use) {
    throw dataError(`use of the JWK is ${jwk.use}, not ${use}`);
  }
  if (jwk.key_ops !== undefined) {
    for (let i = 0; i < usages.length; i++) {
      if (!ArrayPrototypeIncludes(jwk.key_ops, usages[i])) {
        throw dataError(`key_ops of the JWK do not have ${usages[i]}`);
      }
    }
  }
  if (jwk.ext === false && extractable) throw dataError("the JWK is not extractable: its ext is false");
}

function checkAlg(jwk, alg) {
  if (jwk.alg !== undefined && alg !== undefined && jwk.alg !== alg) {
    throw dataError(`alg of the JWK is ${jwk.alg}, not ${alg}`);
  }
}

/** A JWK with the members that every exported key has. */
function startJwk(kty, key) {
  const fields = inner(key);
  return {
    kty,
    key_ops: ArrayPrototypeSlice(fields.usages),
    ext: fields.extractable,
  };
}

module.exports = {
  __proto__: null,
  bitLength,
  bytesOf,
  checkAlg,
  checkJwk,
  checkUsages,
  CryptoKey,
  CryptoKeyPrototype,
  dataError,
  fromBase64Url,
  inner,
  invalidAccess,
  makeKey,
  native,
  notSupported,
  operationError,
  put,
  startJwk,
  syntaxError,
  toBase64Url,
  toBuffer,
  USAGES,
  usagesAmong,
};
