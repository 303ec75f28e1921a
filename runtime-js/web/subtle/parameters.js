// The parameters of algorithms: names in any case, and dictionaries of the standard.
"use strict";

const { primordials } = __bootstrap;
const { ObjectAssign, StringPrototypeToUpperCase, TypeError, Uint8Array } = primordials;
const { load } = __isochron;
const webidl = load("ext:deno_webidl/00_webidl.js");
const keys = require("./keys.js");

const ALGORITHMS = ObjectAssign(
  { __proto__: null },
  require("./secret.js"),
  require("./pairs.js"),
);

// Names by their upper case.
const NAMES = { __proto__: null };
for (const name in ALGORITHMS) NAMES[StringPrototypeToUpperCase(name)] = name;

const HASHES = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];

// --- kinds of members ---

const bytes = (value, prefix, context) =>
  new Uint8Array(keys.bytesOf(webidl.converters.BufferSource(value, prefix, context)));
const number = (value, prefix, context) =>
  webidl.converters["unsigned long"](value, prefix, context, { __proto__: null, enforceRange: true });
const short = (value, prefix, context) =>
  webidl.converters["unsigned short"](value, prefix, context, { __proto__: null, enforceRange: true });
const octet = (value, prefix, context) =>
  webidl.converters.octet(value, prefix, context, { __proto__: null, enforceRange: true });
const hash = (value) => normalizeHash(value);
const bigInteger = (value, prefix, context) =>
  new Uint8Array(webidl.converters.Uint8Array(value, prefix, context));
function namedCurve(value, prefix, context) {
  const curve = webidl.converters.DOMString(value, prefix, context);
  if (curve !== "P-256" && curve !== "P-384") {
    throw keys.notSupported(`the curve ${curve} is not available: use P-256 or P-384`);
  }
  return curve;
}

const required = (key, converter) => ({ __proto__: null, key, converter, required: true });
const optional = (key, converter) => ({ __proto__: null, key, converter });

const aes = { __proto__: null, generate: [required("length", short)], length: [required("length", short)] };
const iv = [required("iv", bytes)];
const gcm = [required("iv", bytes), optional("additionalData", bytes), optional("tagLength", octet)];
const ctr = [required("counter", bytes), required("length", octet)];
const hmac = [required("hash", hash), optional("length", number)];
const curve = [required("namedCurve", namedCurve)];
const hashed = [required("hash", hash)];
const salted = [required("saltLength", number)];
const rsaGenerate = [
  required("modulusLength", number),
  required("publicExponent", bigInteger),
  required("hash", hash),
];

// The members that each algorithm has for each operation.
const MEMBERS = {
  __proto__: null,
  "AES-CBC": { ...aes, encrypt: iv, decrypt: iv },
  "AES-CTR": { ...aes, encrypt: ctr, decrypt: ctr },
  "AES-GCM": { ...aes, encrypt: gcm, decrypt: gcm },
  ECDSA: { __proto__: null, generate: curve, import: curve, sign: hashed, verify: hashed },
  HKDF: { __proto__: null, derive: [required("hash", hash), required("salt", bytes), required("info", bytes)] },
  HMAC: { __proto__: null, generate: hmac, import: hmac, length: hmac },
  PBKDF2: {
    __proto__: null,
    derive: [required("hash", hash), required("salt", bytes), required("iterations", number)],
  },
  "RSA-PSS": { __proto__: null, generate: rsaGenerate, import: hashed, sign: salted, verify: salted },
  "RSASSA-PKCS1-v1_5": { __proto__: null, generate: rsaGenerate, import: hashed },
};

function nameOf(algorithm) {
  if (webidl.type(algorithm) !== "Object") return webidl.converters.DOMString(algorithm);
  const { name } = algorithm;
  if (name === undefined) throw new TypeError("an algorithm needs a name");
  return webidl.converters.DOMString(name);
}

/** The name of a hash, as it is written in the standard. */
function normalizeHash(algorithm) {
  const name = nameOf(algorithm);
  const upper = StringPrototypeToUpperCase(name);
  for (let i = 0; i < HASHES.length; i++) if (HASHES[i] === upper) return upper;
  throw keys.notSupported(`the hash ${name} is not available: use SHA-1, SHA-256, SHA-384 or SHA-512`);
}

/** `{ name, methods, params }` of an algorithm that has the operation. */
function normalize(algorithm, operation) {
  const given = nameOf(algorithm);
  const name = NAMES[StringPrototypeToUpperCase(given)];
  const methods = name === undefined ? undefined : ALGORITHMS[name];
  if (methods === undefined || methods[operation] === undefined) {
    throw keys.notSupported(`the algorithm ${given} is not available for this operation`);
  }
  const members = MEMBERS[name]?.[operation];
  let params = { __proto__: null };
  if (members !== undefined) {
    const convert = webidl.createDictionaryConverter(`${name} parameters`, members);
    params = convert(
      webidl.type(algorithm) === "Object" ? algorithm : undefined,
      `Algorithm ${name}`,
      "parameters",
    );
  }
  return { __proto__: null, name, methods, params };
}

const optionalString = (key) => optional(key, webidl.converters.DOMString);
const toJwk = webidl.createDictionaryConverter("JsonWebKey", [
  optionalString("kty"),
  optionalString("use"),
  optional("key_ops", webidl.createSequenceConverter(webidl.converters.DOMString)),
  optionalString("alg"),
  optional("ext", webidl.converters.boolean),
  optionalString("crv"),
  optionalString("x"),
  optionalString("y"),
  optionalString("d"),
  optionalString("n"),
  optionalString("e"),
  optionalString("p"),
  optionalString("q"),
  optionalString("dp"),
  optionalString("dq"),
  optionalString("qi"),
  optional("oth", webidl.converters.any),
  optionalString("k"),
]);

const toFormat = webidl.createEnumConverter("KeyFormat", ["raw", "pkcs8", "spki", "jwk"]);
const toUsages = webidl.createSequenceConverter(webidl.createEnumConverter("KeyUsage", keys.USAGES));

module.exports = { __proto__: null, ALGORITHMS, bytes, normalize, normalizeHash, toFormat, toJwk, toUsages };
