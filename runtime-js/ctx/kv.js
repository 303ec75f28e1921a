// ctx.kv: entries under keys, the task's own and those that all tasks share.
"use strict";

const { primordials } = __bootstrap;
const {
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  JSONStringify,
  NumberIsInteger,
  ObjectFreeze,
  ObjectKeys,
  RangeError,
  StringPrototypeIsWellFormed,
  TypeError,
} = primordials;
const { call, shown, textOf } = require("./call.js");

function checkKey(key) {
  if (typeof key !== "string") throw new TypeError(`a key is a string, not ${shown(key)}`);
  if (!StringPrototypeIsWellFormed(key)) throw new TypeError("a key has half of a surrogate pair");
  return JSONStringify(key);
}

/** The options of a call, which has no others than `known`. */
function checkOptions(options, known) {
  if (options === undefined || options === null) return { __proto__: null };
  if (typeof options !== "object") throw new TypeError(`the options are an object, not ${shown(options)}`);
  const names = ObjectKeys(options);
  for (let i = 0; i < names.length; i++) {
    if (ArrayPrototypeIncludes(known, names[i])) continue;
    throw new TypeError(`${shown(names[i])} is no option here; there ${
      known.length === 1 ? "is" : "are"
    } ${ArrayPrototypeJoin(known, ", ")}`);
  }
  return options;
}

function checkTtl(options) {
  const { ttl } = checkOptions(options, ["ttl"]);
  if (ttl === undefined || ttl === null) return "";
  if (!NumberIsInteger(ttl) || ttl < 1) {
    throw new RangeError(`ttl is a whole number of milliseconds from 1 on, not ${shown(ttl)}`);
  }
  return `,"ttl":${JSONStringify(ttl)}`;
}

function checkNumber(name, value, least, most) {
  if (!NumberIsInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} is a whole number from ${least} to ${most}, not ${shown(value)}`);
  }
  return JSONStringify(value);
}

function makeEntries(scope) {
  const ask = (name, fields) => call(`kv.${name}`, `{"shared":${scope}${fields}}`);
  return {
    async get(key) {
      const found = await ask("entry", `,"key":${checkKey(key)}`);
      return found === null ? undefined : found.value;
    },
    async entry(key) {
      const found = await ask("entry", `,"key":${checkKey(key)}`);
      return found === null ? undefined : found;
    },
    async set(key, value, options) {
      const text = textOf(value, `the value for ${checkKey(key)}`);
      return await ask("set", `,"key":${checkKey(key)},"value":${text}${checkTtl(options)}`);
    },
    async delete(key) {
      return await ask("delete", `,"key":${checkKey(key)}`);
    },
    async list(options) {
      const { prefix, limit, cursor } = checkOptions(options, ["prefix", "limit", "cursor"]);
      let fields = "";
      if (prefix !== undefined && prefix !== "") fields += `,"prefix":${checkKey(prefix)}`;
      if (limit !== undefined) fields += `,"limit":${checkNumber("limit", limit, 1, 1000)}`;
      if (cursor !== undefined && cursor !== null) fields += `,"cursor":${checkKey(cursor)}`;
      const { entries, cursor: next } = await ask("list", fields);
      return { entries, cursor: next === null ? undefined : next };
    },
    async compareAndSet(key, version, value, options) {
      const expected = version === undefined || version === null
        ? "null"
        : checkNumber("version", version, 1, 9007199254740991);
      const text = textOf(value, `the value for ${checkKey(key)}`);
      const fields = `,"key":${checkKey(key)},"version":${expected},"value":${text}${checkTtl(options)}`;
      return await ask("compareAndSet", fields);
    },
    async increment(key, by = 1) {
      if (typeof by !== "number" || by !== by || by === Infinity || by === -Infinity) {
        throw new TypeError(`increment adds a number, not ${shown(by)}`);
      }
      return await ask("increment", `,"key":${checkKey(key)},"by":${JSONStringify(by)}`);
    },
  };
}

const shared = ObjectFreeze(makeEntries("true"));
module.exports = { kv: ObjectFreeze({ ...makeEntries("false"), shared }) };
