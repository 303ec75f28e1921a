// `buffer`: the package of that name, with the engine's own conversions of text in place of its
// loops, and the encoding base64url.
"use strict";

const vendored = require("ext:isochron/vendor/buffer/index.js");
const { coded, invalidType } = require("./errors.js");
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
  if (typeof text !== "string") throw invalidType("the text", "a string", text);
  const name = nameOf(encoding);
  if (name !== "utf8" && name !== "base64" && name !== "base64url" && name !== "hex") {
    return vendoredWrite.call(this, text, offset ?? 0, length ?? this.length - (offset ?? 0), encoding);
  }
  const at = offset === undefined ? 0 : Math.trunc(offset);
  if (!(at >= 0 && at <= this.length)) {
    throw coded(
      RangeError,
      "ERR_OUT_OF_RANGE",
      `the offset ${offset} is outside the buffer, which has ${this.length} bytes`,
    );
  }
  const room = this.length - at;
  return put(this, text, at, length === undefined ? room : Math.min(room, Math.max(0, Math.trunc(length))), name);
};

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

Buffer.prototype.equals = function equals(other) {
  if (!(other instanceof Uint8Array)) throw invalidType("the other value", "a Buffer or Uint8Array", other);
  return this.length === other.length && Buffer.compare(this, other) === 0;
};

const vendoredIndexOf = Buffer.prototype.indexOf;
Buffer.prototype.indexOf = function indexOf(value, offset, encoding) {
  if (typeof value === "string" ? value === "" : value?.byteLength === 0) {
    const at = typeof offset === "number" && !Number.isNaN(offset) ? Math.trunc(offset) : 0;
    return Math.min(Math.max(at < 0 ? at + this.length : at, 0), this.length);
  }
  return vendoredIndexOf.call(this, value, offset, encoding);
};

// --- the codes of Node's errors, which the package leaves out ---

function codeOf(error, name, self, args) {
  if (/encoding/i.test(error.message)) return "ERR_UNKNOWN_ENCODING";
  if (name.startsWith("swap")) return "ERR_INVALID_BUFFER_SIZE";
  if (!(error instanceof RangeError)) return "ERR_INVALID_ARG_TYPE";
  const isShort = name.startsWith("read") && !args[0] && /beyond/.test(error.message);
  return isShort ? "ERR_BUFFER_OUT_OF_BOUNDS" : "ERR_OUT_OF_RANGE";
}

/** Replaces a function by one whose errors have a code. */
function addCodes(holder, name) {
  const original = holder[name];
  holder[name] = {
    [name](a, b, c, d) {
      try {
        switch (arguments.length) {
          case 0:
            return original.call(this);
          case 1:
            return original.call(this, a);
          case 2:
            return original.call(this, a, b);
          default:
            return original.call(this, a, b, c, d);
        }
      } catch (error) {
        if (typeof error === "object" && error !== null && error.code === undefined) {
          error.code = codeOf(error, name, this, arguments);
        }
        throw error;
      }
    },
  }[name];
}
for (const name of ["alloc", "allocUnsafe", "allocUnsafeSlow", "byteLength", "compare", "concat", "from"]) {
  addCodes(Buffer, name);
}
for (const name of Object.keys(Buffer.prototype)) {
  if (/^(?:read|write.|swap|fill|compare|copy|toString)/.test(name)) addCodes(Buffer.prototype, name);
}

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
