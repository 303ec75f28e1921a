// `querystring`.
"use strict";

const escape = (text) => encodeURIComponent(text);

function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // Bytes that are not UTF-8: each byte that can be decoded is.
    const bytes = [];
    for (let i = 0; i < text.length; i++) {
      const hex = text[i] === "%" ? text.slice(i + 1, i + 3) : "";
      if (/^[0-9a-f]{2}$/i.test(hex)) {
        bytes.push(Number.parseInt(hex, 16));
        i += 2;
      } else {
        bytes.push(...Buffer.from(text[i]));
      }
    }
    return Buffer.from(bytes).toString();
  }
}

function textOf(value) {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return Number.isFinite(value) ? `${value}` : "";
    case "bigint":
    case "boolean":
      return `${value}`;
    default:
      return "";
  }
}

function stringify(object, separator, equals, options) {
  if (object === null || typeof object !== "object") return "";
  const encode = typeof options?.encodeURIComponent === "function"
    ? options.encodeURIComponent
    : querystring.escape;
  const pairs = [];
  for (const key of Object.keys(object)) {
    const value = object[key];
    const name = encode(key) + (equals || "=");
    for (const item of Array.isArray(value) ? value : [value]) pairs.push(name + encode(textOf(item)));
  }
  return pairs.join(separator || "&");
}

function parse(text, separator, equals, options) {
  const result = Object.create(null);
  if (typeof text !== "string" || text === "") return result;
  const most = options?.maxKeys ?? 1000;
  const own = typeof options?.decodeURIComponent === "function";
  const decode = (part) => {
    const spaced = part.replaceAll("+", " ");
    if (!own) return spaced.includes("%") ? querystring.unescape(spaced) : spaced;
    try {
      return options.decodeURIComponent(spaced);
    } catch {
      return unescape(spaced);
    }
  };
  const sign = equals || "=";
  let pairs = text.split(separator || "&").filter((pair) => pair !== "");
  if (most > 0) pairs = pairs.slice(0, most);
  for (const pair of pairs) {
    const at = pair.indexOf(sign);
    const key = decode(at === -1 ? pair : pair.slice(0, at));
    const value = at === -1 ? "" : decode(pair.slice(at + sign.length));
    const known = result[key];
    if (!(key in result)) result[key] = value;
    else if (Array.isArray(known)) known.push(value);
    else result[key] = [known, value];
  }
  return result;
}

const querystring = { decode: parse, encode: stringify, escape, parse, stringify, unescape };
module.exports = querystring;
