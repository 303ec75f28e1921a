// `string_decoder`: the package of that name; a decoder that has ended starts anew.
"use strict";

const { StringDecoder: Vendored } = require("ext:isochron/vendor/string_decoder/lib/string_decoder.js");
const { coded } = require("./errors.js");

function StringDecoder(encoding) {
  if (encoding !== undefined && encoding !== null && encoding !== "" && !Buffer.isEncoding(encoding)) {
    throw coded(TypeError, "ERR_UNKNOWN_ENCODING", `no encoding is called ${encoding}`);
  }
  const isUrl = `${encoding}`.toLowerCase() === "base64url";
  const decoder = new Vendored(isUrl ? "base64" : encoding);
  const toUrl = (text) =>
    isUrl ? text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "") : text;
  let inner = decoder;
  this.encoding = isUrl ? "base64url" : decoder.encoding;
  this.write = (chunk) =>
    typeof chunk === "string" ? chunk : toUrl(inner.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  this.end = (chunk) => {
    const text = (chunk === undefined ? "" : this.write(chunk)) + toUrl(inner.end());
    inner = new Vendored(isUrl ? "base64" : encoding);
    return text;
  };
}

module.exports = { StringDecoder };
