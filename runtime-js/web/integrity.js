// Subresource Integrity (https://w3c.github.io/webappsec-subresource-integrity/): the hashes that the body of
// a response must have one of.
"use strict";

const { core, primordials } = __bootstrap;
const {
  ArrayPrototypePush,
  RegExpPrototypeExec,
  SafeRegExp,
  StringPrototypeReplaceAll,
  StringPrototypeSplit,
  TypedArrayPrototypeGetByteLength,
} = primordials;
const { op_isochron_hash } = core.ops;
const { load } = __isochron;
const { forgivingBase64Encode } = load("ext:deno_web/00_infra.js");
const { InnerBody } = load("ext:deno_fetch/22_body.js");
const { failed } = require("./failure.js");

const HASH = new SafeRegExp("^(sha256|sha384|sha512)-([A-Za-z0-9+/_-]+={0,2})(?:\\?.*)?$");
const SPACES = new SafeRegExp("[\\t\\n\\f\\r ]+");
const STRONGEST = ["sha512", "sha384", "sha256"];

/** The hashes of the strongest algorithm in `integrity`; none if there is none that is known. */
function hashesOf(integrity) {
  const found = { __proto__: null, sha256: [], sha384: [], sha512: [] };
  const parts = StringPrototypeSplit(integrity, SPACES);
  for (let i = 0; i < parts.length; i++) {
    const match = RegExpPrototypeExec(HASH, parts[i]);
    if (match !== null) ArrayPrototypePush(found[match[1]], plain(match[2]));
  }
  for (let i = 0; i < STRONGEST.length; i++) {
    const algorithm = STRONGEST[i];
    if (found[algorithm].length > 0) return { __proto__: null, algorithm, values: found[algorithm] };
  }
  return undefined;
}

/** Base64 in the one alphabet, without its padding. */
function plain(text) {
  const standard = StringPrototypeReplaceAll(StringPrototypeReplaceAll(text, "-", "+"), "_", "/");
  return StringPrototypeReplaceAll(standard, "=", "");
}

/** The body once all of it has come and has one of the hashes; a network error if it has none. */
async function verify(body, integrity) {
  const wanted = hashesOf(integrity);
  if (wanted === undefined) return body;
  if (body === null) throw failed(`a response without a body has not the integrity ${integrity}`);
  const bytes = await body.consume();
  const hash = plain(forgivingBase64Encode(op_isochron_hash(wanted.algorithm, bytes)));
  for (let i = 0; i < wanted.values.length; i++) {
    if (wanted.values[i] !== hash) continue;
    const verified = new InnerBody({ body: bytes, consumed: false });
    verified.source = bytes;
    verified.length = TypedArrayPrototypeGetByteLength(bytes);
    return verified;
  }
  throw failed(`the body has not the integrity ${integrity}: its hash is ${wanted.algorithm}-${hash}`);
}

module.exports = { __proto__: null, verify };
