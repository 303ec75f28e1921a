// Algorithms whose keys come in pairs: ECDSA, Ed25519, RSA.
"use strict";

const { primordials } = __bootstrap;
const { StringPrototypeSlice, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetBuffer, Uint8Array } =
  primordials;
const keys = require("./keys.js");
const { dataError, inner, makeKey, native, notSupported, put } = keys;

const signUsages = ["sign", "verify"];

/** A pair whose public key is always extractable. */
function makePair(algorithm, extractable, usages, data, point, publicData) {
  const privateUsages = keys.usagesAmong(usages, ["sign"]);
  if (privateUsages.length === 0) throw keys.syntaxError("the private key has no usage: name sign");
  const privateKey = makeKey("private", algorithm, extractable, privateUsages, data, point);
  const publicUsages = keys.usagesAmong(usages, ["verify"]);
  const publicKey = makeKey("public", algorithm, true, publicUsages, publicData);
  return { publicKey, privateKey };
}

function requireType(key, type, format) {
  if (inner(key).type !== type) {
    throw keys.invalidAccess(`a ${inner(key).type} key has no format ${format}`);
  }
}

function noFormat(name, format) {
  return notSupported(`a key of ${name} has no format ${format}`);
}

const part = (bytes, start, length) => new Uint8Array(TypedArrayPrototypeGetBuffer(bytes), start, length);

// --- ECDSA ---

const FIELD = { __proto__: null, "P-256": 32, "P-384": 48 };
const ecAlgorithm = (namedCurve) => ({ __proto__: null, name: "ECDSA", namedCurve });

function ecFromJwk(curve, jwk, extractable, usages) {
  keys.checkJwk(jwk, "EC", extractable, usages, "sig");
  if (jwk.crv !== curve) throw dataError(`crv of the JWK is ${jwk.crv}, not ${curve}`);
  keys.checkAlg(jwk, curve === "P-256" ? "ES256" : "ES384");
  const size = FIELD[curve];
  const point = new Uint8Array(1 + 2 * size);
  point[0] = 4;
  fill(point, 1, size, keys.fromBase64Url(jwk.x, "x"), "x");
  fill(point, 1 + size, size, keys.fromBase64Url(jwk.y, "y"), "y");
  native("ec.check", [curve, point]);
  if (jwk.d === undefined) return { point };
  const scalar = new Uint8Array(size);
  fill(scalar, 0, size, keys.fromBase64Url(jwk.d, "d"), "d");
  if (!native("equal", [native("ec.public", [curve, scalar]), point])) {
    throw dataError("d of the JWK does not belong to its x and y");
  }
  return { point, scalar };
}

function fill(target, start, size, source, member) {
  if (TypedArrayPrototypeGetByteLength(source) !== size) {
    throw dataError(`${member} of the JWK has another length than ${size} bytes`);
  }
  for (let i = 0; i < size; i++) target[start + i] = source[i];
}

const ecdsa = {
  __proto__: null,
  usages: signUsages,
  generate({ namedCurve }, extractable, usages) {
    keys.checkUsages(usages, signUsages, "ECDSA");
    const { 0: scalar, 1: point } = native("ec.generate", [namedCurve]);
    return makePair(ecAlgorithm(namedCurve), extractable, usages, scalar, point, point);
  },
  import(format, data, { namedCurve: curve }, extractable, usages) {
    let scalar;
    let point;
    if (format === "raw") point = native("ec.check", [curve, data]);
    else if (format === "spki") point = native("ec.from-spki", [curve, data]);
    else if (format === "pkcs8") ({ 0: scalar, 1: point } = native("ec.from-pkcs8", [curve, data]));
    else ({ scalar, point } = ecFromJwk(curve, data, extractable, usages));
    const isPrivate = scalar !== undefined;
    keys.checkUsages(usages, [isPrivate ? "sign" : "verify"], `a ${isPrivate ? "private" : "public"} key`);
    return makeKey(
      isPrivate ? "private" : "public",
      ecAlgorithm(curve),
      extractable,
      usages,
      scalar ?? point,
      point,
    );
  },
  export(format, key) {
    const { algorithm, data, point, type } = inner(key);
    const curve = algorithm.namedCurve;
    if (format === "jwk") {
      const size = FIELD[curve];
      const shown = type === "private" ? point : data;
      const jwk = keys.startJwk("EC", key);
      put(jwk, "crv", curve);
      put(jwk, "x", keys.toBase64Url(new Uint8Array(part(shown, 1, size))));
      put(jwk, "y", keys.toBase64Url(new Uint8Array(part(shown, 1 + size, size))));
      if (type === "private") put(jwk, "d", keys.toBase64Url(data));
      return jwk;
    }
    requireType(key, format === "pkcs8" ? "private" : "public", format);
    if (format === "raw") return keys.toBuffer(data);
    return keys.toBuffer(native(`ec.to-${format}`, [curve, data]));
  },
  sign: ({ hash }, key, data) =>
    native("ec.sign", [inner(key).algorithm.namedCurve, inner(key).data, hash, data]),
  verify: ({ hash }, key, signature, data) =>
    native("ec.verify", [inner(key).algorithm.namedCurve, inner(key).data, hash, data, signature]),
};

// --- Ed25519 ---

const edAlgorithm = { __proto__: null, name: "Ed25519" };

function edFromJwk(jwk, extractable, usages) {
  keys.checkJwk(jwk, "OKP", extractable, usages, "sig");
  if (jwk.crv !== "Ed25519") throw dataError(`crv of the JWK is ${jwk.crv}, not Ed25519`);
  if (jwk.alg !== undefined && jwk.alg !== "EdDSA" && jwk.alg !== "Ed25519") {
    throw dataError(`alg of the JWK is ${jwk.alg}, not Ed25519`);
  }
  const point = native("ed25519.check", [keys.fromBase64Url(jwk.x, "x")]);
  if (jwk.d === undefined) return { point };
  const seed = native("ed25519.check", [keys.fromBase64Url(jwk.d, "d")]);
  if (!native("equal", [native("ed25519.public", [seed]), point])) {
    throw dataError("d of the JWK does not belong to its x");
  }
  return { point, seed };
}

const ed25519 = {
  __proto__: null,
  usages: signUsages,
  generate(_params, extractable, usages) {
    keys.checkUsages(usages, signUsages, "Ed25519");
    const { 0: seed, 1: point } = native("ed25519.generate", []);
    return makePair(edAlgorithm, extractable, usages, seed, point, point);
  },
  import(format, data, _params, extractable, usages) {
    let seed;
    let point;
    if (format === "raw") point = native("ed25519.check", [data]);
    else if (format === "spki") point = native("ed25519.from-spki", [data]);
    else if (format === "pkcs8") ({ 0: seed, 1: point } = native("ed25519.from-pkcs8", [data]));
    else ({ seed, point } = edFromJwk(data, extractable, usages));
    const isPrivate = seed !== undefined;
    keys.checkUsages(usages, [isPrivate ? "sign" : "verify"], `a ${isPrivate ? "private" : "public"} key`);
    const type = isPrivate ? "private" : "public";
    return makeKey(type, edAlgorithm, extractable, usages, seed ?? point, point);
  },
  export(format, key) {
    const { data, point, type } = inner(key);
    if (format === "jwk") {
      const jwk = keys.startJwk("OKP", key);
      put(jwk, "alg", "Ed25519");
      put(jwk, "crv", "Ed25519");
      put(jwk, "x", keys.toBase64Url(type === "private" ? point : data));
      if (type === "private") put(jwk, "d", keys.toBase64Url(data));
      return jwk;
    }
    requireType(key, format === "pkcs8" ? "private" : "public", format);
    if (format === "raw") return keys.toBuffer(data);
    return keys.toBuffer(native(`ed25519.to-${format}`, [data]));
  },
  sign: (_params, key, data) => native("ed25519.sign", [inner(key).data, data]),
  verify: (_params, key, signature, data) => native("ed25519.verify", [inner(key).data, data, signature]),
};

// --- RSA ---

const PARTS = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

function rsa(name, scheme, prefix) {
  const alg = (hash) => `${prefix}${hash === "SHA-1" ? "1" : StringPrototypeSlice(hash, 4)}`;

  const describe = (hash, modulus, publicExponent) => ({
    __proto__: null,
    name,
    modulusLength: keys.bitLength(modulus),
    publicExponent,
    hash,
  });

  function fromJwk(jwk, hash, extractable, usages) {
    keys.checkJwk(jwk, "RSA", extractable, usages, "sig");
    keys.checkAlg(jwk, alg(hash));
    const numbers = [keys.fromBase64Url(jwk.n, "n"), keys.fromBase64Url(jwk.e, "e")];
    if (jwk.d === undefined) return native("rsa.from-public-parts", numbers);
    if (jwk.oth !== undefined) throw notSupported("a JWK of RSA with more than two primes");
    for (let i = 2; i < 5; i++) numbers[i] = keys.fromBase64Url(jwk[PARTS[i]], PARTS[i]);
    return native("rsa.from-private-parts", numbers);
  }

  return {
    __proto__: null,
    usages: signUsages,
    generate({ hash, modulusLength, publicExponent }, extractable, usages) {
      keys.checkUsages(usages, signUsages, name);
      const answer = native("rsa.generate", [modulusLength, publicExponent]);
      const { 0: data, 1: modulus, 2: exponent, 3: publicData } = answer;
      return makePair(describe(hash, modulus, exponent), extractable, usages, data, undefined, publicData);
    },
    import(format, data, { hash }, extractable, usages) {
      let answer;
      const isPrivate = format === "pkcs8" || format === "jwk" && data.d !== undefined;
      if (format === "jwk") answer = fromJwk(data, hash, extractable, usages);
      else if (format === "raw") throw noFormat(name, format);
      else answer = native(`rsa.from-${format}`, [data]);
      keys.checkUsages(usages, [isPrivate ? "sign" : "verify"], `a ${isPrivate ? "private" : "public"} key`);
      const { 0: document, 1: modulus, 2: exponent } = answer;
      const type = isPrivate ? "private" : "public";
      return makeKey(type, describe(hash, modulus, exponent), extractable, usages, document);
    },
    export(format, key) {
      const { algorithm, data, type } = inner(key);
      if (format === "jwk") {
        const jwk = keys.startJwk("RSA", key);
        put(jwk, "alg", alg(algorithm.hash));
        const numbers = native(`rsa.${type}-parts`, [data]);
        for (let i = 0; i < numbers.length; i++) put(jwk, PARTS[i], keys.toBase64Url(numbers[i]));
        return jwk;
      }
      if (format === "raw") throw noFormat(name, format);
      requireType(key, format === "pkcs8" ? "private" : "public", format);
      return keys.toBuffer(data);
    },
    sign({ saltLength = 0 }, key, data) {
      const { algorithm, data: document } = inner(key);
      return native("rsa.sign", [scheme, algorithm.hash, document, data, saltLength]);
    },
    verify({ saltLength = 0 }, key, signature, data) {
      const { algorithm, data: document } = inner(key);
      return native("rsa.verify", [scheme, algorithm.hash, document, data, signature, saltLength]);
    },
  };
}

module.exports = {
  __proto__: null,
  ECDSA: ecdsa,
  Ed25519: ed25519,
  "RSA-PSS": rsa("RSA-PSS", "pss", "PS"),
  "RSASSA-PKCS1-v1_5": rsa("RSASSA-PKCS1-v1_5", "pkcs1", "RS"),
};
