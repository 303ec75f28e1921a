// `buffer`: the package of that name, with the engine's own conversions of text in place of its
// loops, and the encoding base64url.
"use strict";

const vendored = require("ext:isochron/vendor/buffer/index.js");
const { Buffer, SlowBuffer } = vendored;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const vendoredFrom = Buffer.from;
const vendoredToString = Buffer.prototype.toString;
const vendoredWrite = Buffer.prototype.write;
const vendoredByteLength = Buffer.byteLength;

const asBuffer = (bytes) => Object.setPrototypeOf(bytes, Buffer.prototype);

/** `utf8`, `base64`, `base64url` or `hex`; any other name in lower case. */
function nameOf(encoding) {
  if (encoding === undefined || encoding === null || encoding === "") return "utf8";
  const name = `${encoding}`.toLowerCase();
  return name === "utf-8" ? "utf8" : name;
}

/** Lenient, as in Node: both alphabets, and characters of neither are skipped. */
function fromBase64(text) {
  let clean = text.includes("=") ? text.slice(0, text.indexOf("=")) : text;
  if (/[^A-Za-z0-9+/]/.test(clean)) {
    clean = clean.replaceAll("-", "+").replaceAll("_", "/").replace(/[^A-Za-z0-9+/]/g, "");
  }
  if (clean.length % 4 === 1) clean = clean.slice(0, -1);
  return Uint8Array.fromBase64(clean);
}

/** Up to the first pair of characters that is no byte. */
function fromHex(text) {
  const good = /^(?:[0-9a-f]{2})*/i.exec(text)[0];
  return Uint8Array.fromHex(good);
}

/** The bytes of a text, or `undefined` if the package is to make them. */
function encode(text, name) {
  switch (name) {
    case "utf8":
      return encoder.encode(text);
    case "base64":
    case "base64url":
      return fromBase64(text);
    case "hex":
      return fromHex(text);
    default:
      return undefined;
  }
}

Buffer.from = function from(value, encodingOrOffset, length) {
  if (typeof value === "string") {
    const bytes = encode(value, typeof encodingOrOffset === "string" ? nameOf(encodingOrOffset) : "utf8");
    if (bytes !== undefined) return asBuffer(bytes);
  }
  return vendoredFrom(value, encodingOrOffset, length);
};

Buffer.prototype.toString = function toString(encoding, start, end) {
  const name = nameOf(encoding);
  if (name !== "utf8" && name !== "base64" && name !== "base64url" && name !== "hex") {
    return vendoredToString.call(this, encoding, start, end);
  }
  const from = Math.max(0, Math.trunc(start) || 0);
  const to = end === undefined ? this.length : Math.min(this.length, Math.trunc(end) || 0);
  if (to <= from) return "";
  const bytes = new Uint8Array(this.buffer, this.byteOffset + from, to - from);
  switch (name) {
    case "utf8":
      return decoder.decode(bytes);
    case "hex":
      return bytes.toHex();
    case "base64":
      return bytes.toBase64();
    default:
      return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  }
};
Buffer.prototype.toLocaleString = Buffer.prototype.toString;

/** As many bytes as fit; never a part of a character. */
function put(buffer, text, offset, room, name) {
  const target = new Uint8Array(buffer.buffer, buffer.byteOffset + offset, room);
  if (name === "utf8") return encoder.encodeInto(text, target).written;
  const bytes = encode(text, name);
  const count = Math.min(bytes.length, room);
  target.set(bytes.subarray(0, count));
  return count;
}

Buffer.prototype.write = function write(text, offset, length, encoding) {
  if (typeof offset === "string") {
    encoding = offset;
    offset = length = undefined;
  } else if (typeof length === "string") {
    encoding = length;
    length = undefined;
  }
  const name = nameOf(encoding);
  if (typeof text !== "string" || (name !== "utf8" && name !== "base64" && name !== "base64url" && name !== "hex")) {
    return vendoredWrite.call(this, text, offset ?? 0, length ?? this.length - (offset ?? 0), encoding);
  }
  const at = offset === undefined ? 0 : Math.trunc(offset);
  if (!(at >= 0 && at <= this.length)) {
    throw outOfRange(`the offset ${offset} is outside the buffer, which has ${this.length} bytes`);
  }
  const room = this.length - at;
  return put(this, text, at, length === undefined ? room : Math.min(room, Math.max(0, Math.trunc(length))), name);
};

function outOfRange(message) {
  const error = new RangeError(message);
  error.code = "ERR_OUT_OF_RANGE";
  return error;
}

Buffer.byteLength = function byteLength(value, encoding) {
  if (typeof value === "string") {
    const name = nameOf(encoding);
    if (name === "base64url") return Math.floor(value.replace(/=+$/, "").length * 3 / 4);
    if (name === "utf8") return utf8Length(value);
  }
  return vendoredByteLength(value, encoding);
};

function utf8Length(text) {
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i);
    if (code > 0xffff) i++; // a pair
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}

const vendoredIsEncoding = Buffer.isEncoding;
Buffer.isEncoding = function isEncoding(encoding) {
  return typeof encoding === "string" &&
    (encoding.toLowerCase() === "base64url" || vendoredIsEncoding(encoding));
};

Buffer.copyBytesFrom = function copyBytesFrom(view, offset = 0, length = view.length - offset) {
  const part = view.subarray(offset, offset + length);
  return vendoredFrom(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
};

const isValid = (bytes, options) => {
  try {
    new TextDecoder("utf-8", options).decode(bytes);
    return true;
  } catch {
    return false;
  }
};

function transcode(source, from, to) {
  return Buffer.from(asBuffer(new Uint8Array(source)).toString(from), to);
}

module.exports = {
  Buffer,
  SlowBuffer,
  INSPECT_MAX_BYTES: vendored.INSPECT_MAX_BYTES,
  kMaxLength: vendored.kMaxLength,
  kStringMaxLength: 536870888,
  constants: { MAX_LENGTH: vendored.kMaxLength, MAX_STRING_LENGTH: 536870888 },
  atob,
  btoa,
  isAscii: (bytes) => new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength).every((byte) => byte < 128),
  isUtf8: (bytes) => isValid(bytes, { fatal: true }),
  transcode,
  get Blob() {
    return globalThis.Blob;
  },
  get File() {
    return globalThis.File;
  },
};
