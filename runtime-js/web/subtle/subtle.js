// `crypto.subtle`: SubtleCrypto of the Web Cryptography API.
// https://w3c.github.io/webcrypto/#subtlecrypto-interface
"use strict";

const { core, primordials } = __bootstrap;
const {
  ArrayPrototypeIncludes,
  JSONParse,
  JSONStringify,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  SymbolToStringTag,
} = primordials;
const shared = __isochron;
const webidl = shared.load("ext:deno_webidl/00_webidl.js");
const keys = require("./keys.js");
const parameters = require("./parameters.js");
const { CryptoKey, inner } = keys;
const { normalize } = parameters;

const prefixOf = (method) => `Failed to execute '${method}' on 'SubtleCrypto'`;

/** Checks that a key is for an algorithm and a usage. */
function checkKey(key, name, usage) {
  const { algorithm, usages } = inner(key);
  if (algorithm.name !== name) throw keys.invalidAccess(`the key is for ${algorithm.name}, not for ${name}`);
  if (!ArrayPrototypeIncludes(usages, usage)) throw keys.invalidAccess(`the key has no usage ${usage}`);
}

function toKey(value, prefix, context) {
  return webidl.converters.CryptoKey(value, prefix, context);
}

/** Imports a key; `format` is converted, `data` is not. */
function importKey(format, data, { methods, params }, extractable, usages, prefix) {
  let material;
  if (format === "jwk") material = parameters.toJwk(data, prefix, "Argument 2");
  else material = parameters.bytes(data, prefix, "Argument 2");
  const key = methods.import(format, material, params, extractable, keys.usagesAmong(usages, keys.USAGES));
  const { type, usages: kept } = inner(key);
  if (kept.length === 0 && type !== "public") {
    throw keys.syntaxError(`a ${type} key needs a usage`);
  }
  return key;
}

function exportKey(format, key) {
  const { algorithm, extractable } = inner(key);
  const methods = parameters.ALGORITHMS[algorithm.name];
  if (methods.export === undefined) throw keys.notSupported(`a key of ${algorithm.name} cannot be exported`);
  if (!extractable) throw keys.invalidAccess("the key is not extractable");
  return methods.export(format, key);
}

class SubtleCrypto {
  constructor(token) {
    if (token !== webidl.brand) webidl.illegalConstructor();
    this[webidl.brand] = webidl.brand;
  }

  async digest(algorithm, data) {
    const prefix = prefixOf("digest");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 2, prefix);
    const source = parameters.bytes(data, prefix, "Argument 2");
    return keys.toBuffer(keys.native("digest", [parameters.normalizeHash(algorithm), source]));
  }

  async encrypt(algorithm, key, data) {
    const prefix = prefixOf("encrypt");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 3, prefix);
    toKey(key, prefix, "Argument 2");
    const source = parameters.bytes(data, prefix, "Argument 3");
    const { name, methods, params } = normalize(algorithm, "encrypt");
    checkKey(key, name, "encrypt");
    return keys.toBuffer(methods.encrypt(params, key, source));
  }

  async decrypt(algorithm, key, data) {
    const prefix = prefixOf("decrypt");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 3, prefix);
    toKey(key, prefix, "Argument 2");
    const source = parameters.bytes(data, prefix, "Argument 3");
    const { name, methods, params } = normalize(algorithm, "decrypt");
    checkKey(key, name, "decrypt");
    return keys.toBuffer(methods.decrypt(params, key, source));
  }

  async sign(algorithm, key, data) {
    const prefix = prefixOf("sign");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 3, prefix);
    toKey(key, prefix, "Argument 2");
    const source = parameters.bytes(data, prefix, "Argument 3");
    const { name, methods, params } = normalize(algorithm, "sign");
    checkKey(key, name, "sign");
    return keys.toBuffer(methods.sign(params, key, source));
  }

  async verify(algorithm, key, signature, data) {
    const prefix = prefixOf("verify");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 4, prefix);
    toKey(key, prefix, "Argument 2");
    const signed = parameters.bytes(signature, prefix, "Argument 3");
    const source = parameters.bytes(data, prefix, "Argument 4");
    const { name, methods, params } = normalize(algorithm, "verify");
    checkKey(key, name, "verify");
    return methods.verify(params, key, signed, source);
  }

  async generateKey(algorithm, extractable, usages) {
    const prefix = prefixOf("generateKey");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 3, prefix);
    const given = parameters.toUsages(usages, prefix, "Argument 3");
    const { methods, params } = normalize(algorithm, "generate");
    const wanted = keys.usagesAmong(given, keys.USAGES);
    if (wanted.length === 0) throw keys.syntaxError("the key needs a usage");
    return methods.generate(params, !!extractable, wanted);
  }

  async importKey(format, data, algorithm, extractable, usages) {
    const prefix = prefixOf("importKey");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 5, prefix);
    const kind = parameters.toFormat(format, prefix, "Argument 1");
    const given = parameters.toUsages(usages, prefix, "Argument 5");
    return importKey(kind, data, normalize(algorithm, "import"), !!extractable, given, prefix);
  }

  async exportKey(format, key) {
    const prefix = prefixOf("exportKey");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 2, prefix);
    const kind = parameters.toFormat(format, prefix, "Argument 1");
    return exportKey(kind, toKey(key, prefix, "Argument 2"));
  }

  async deriveBits(algorithm, baseKey, length = null) {
    const prefix = prefixOf("deriveBits");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 2, prefix);
    toKey(baseKey, prefix, "Argument 2");
    const bits = length === null ? null : webidl.converters["unsigned long"](length, prefix, "Argument 3");
    const { name, methods, params } = normalize(algorithm, "derive");
    checkKey(baseKey, name, "deriveBits");
    return keys.toBuffer(methods.derive(params, baseKey, bits));
  }

  async deriveKey(algorithm, baseKey, derivedKeyType, extractable, usages) {
    const prefix = prefixOf("deriveKey");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 5, prefix);
    toKey(baseKey, prefix, "Argument 2");
    const given = parameters.toUsages(usages, prefix, "Argument 5");
    const { name, methods, params } = normalize(algorithm, "derive");
    const target = normalize(derivedKeyType, "import");
    const wanted = normalize(derivedKeyType, "length");
    checkKey(baseKey, name, "deriveKey");
    const bits = methods.derive(params, baseKey, wanted.methods.length(wanted.params));
    return importKey("raw", bits, target, !!extractable, given, prefix);
  }

  async wrapKey(format, key, wrappingKey, wrapAlgorithm) {
    const prefix = prefixOf("wrapKey");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 4, prefix);
    const kind = parameters.toFormat(format, prefix, "Argument 1");
    toKey(key, prefix, "Argument 2");
    toKey(wrappingKey, prefix, "Argument 3");
    const { name, methods, params } = normalize(wrapAlgorithm, "encrypt");
    checkKey(wrappingKey, name, "wrapKey");
    const exported = exportKey(kind, key);
    const source = kind === "jwk" ? core.encode(JSONStringify(exported)) : keys.bytesOf(exported);
    return keys.toBuffer(methods.encrypt(params, wrappingKey, source));
  }

  async unwrapKey(format, wrapped, unwrappingKey, unwrapAlgorithm, algorithm, extractable, usages) {
    const prefix = prefixOf("unwrapKey");
    webidl.assertBranded(this, SubtleCryptoPrototype);
    webidl.requiredArguments(arguments.length, 7, prefix);
    const kind = parameters.toFormat(format, prefix, "Argument 1");
    const source = parameters.bytes(wrapped, prefix, "Argument 2");
    toKey(unwrappingKey, prefix, "Argument 3");
    const given = parameters.toUsages(usages, prefix, "Argument 7");
    const { name, methods, params } = normalize(unwrapAlgorithm, "decrypt");
    const target = normalize(algorithm, "import");
    checkKey(unwrappingKey, name, "unwrapKey");
    const plain = methods.decrypt(params, unwrappingKey, source);
    return importKey(kind, kind === "jwk" ? parseJwk(plain) : plain, target, !!extractable, given, prefix);
  }
}

function parseJwk(bytes) {
  try {
    return JSONParse(core.decode(bytes));
  } catch {
    throw keys.dataError("the unwrapped key is no JWK");
  }
}

webidl.configureInterface(SubtleCrypto);
const SubtleCryptoPrototype = SubtleCrypto.prototype;

/** The class of the global `crypto`. */
class Crypto {
  constructor() {
    webidl.illegalConstructor();
  }
}
ObjectDefineProperty(Crypto.prototype, SymbolToStringTag, {
  __proto__: null,
  value: "Crypto",
  configurable: true,
});
ObjectSetPrototypeOf(shared.crypto, Crypto.prototype);

module.exports = {
  __proto__: null,
  Crypto,
  CryptoKey,
  subtle: new SubtleCrypto(webidl.brand),
  SubtleCrypto,
};
