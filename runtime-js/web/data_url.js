// data: URLs, as the Fetch standard has them.
// https://fetch.spec.whatwg.org/#data-urls
"use strict";

const { core, primordials } = __bootstrap;
const {
  RegExpPrototypeExec,
  SafeRegExp,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  StringPrototypeTrim,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  Uint8Array,
} = primordials;
const { load } = __isochron;
const { parseMimeType, serializeMimeType } = load("ext:deno_web/01_mimesniff.js");
const { forgivingBase64Decode } = load("ext:deno_web/00_infra.js");

const BASE64 = new SafeRegExp(/; *base64$/i);

/** `{ type, bytes }` of a serialized URL without its fragment; `undefined` if it is malformed. */
function parseDataUrl(url) {
  const rest = StringPrototypeSlice(url, 5);
  const comma = StringPrototypeIndexOf(rest, ",");
  if (comma === -1) return undefined;
  let type = StringPrototypeTrim(StringPrototypeSlice(rest, 0, comma));
  let bytes = percentDecode(core.encode(StringPrototypeSlice(rest, comma + 1)));
  const mark = RegExpPrototypeExec(BASE64, type);
  if (mark !== null) {
    type = StringPrototypeSlice(type, 0, mark.index);
    try {
      bytes = forgivingBase64Decode(core.decode(bytes));
    } catch {
      return undefined;
    }
  }
  if (StringPrototypeStartsWith(type, ";")) type = `text/plain${type}`;
  const parsed = parseMimeType(type);
  return {
    __proto__: null,
    type: parsed === null ? "text/plain;charset=US-ASCII" : serializeMimeType(parsed),
    bytes,
  };
}

function percentDecode(source) {
  const length = TypedArrayPrototypeGetByteLength(source);
  const target = new Uint8Array(length);
  let size = 0;
  for (let i = 0; i < length; i++) {
    let byte = source[i];
    if (byte === 0x25 && i + 2 < length) {
      const high = digit(source[i + 1]);
      const low = digit(source[i + 2]);
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low;
        i += 2;
      }
    }
    target[size++] = byte;
  }
  // A copy whose buffer has exactly these bytes.
  return new Uint8Array(new Uint8Array(TypedArrayPrototypeGetBuffer(target), 0, size));
}

/** The value of a hexadecimal digit; -1 if the byte is none. */
function digit(byte) {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

module.exports = { __proto__: null, parseDataUrl };
