// `util`. Values are inspected by the engine's formatter, as in the console.
"use strict";

const native = require("ext:isochron/native/node.js");
const { checkFunction, coded, invalidType } = require("./errors.js");
const { format, formatWithOptions, inspect } = require("./format.js");

const CUSTOM = Symbol.for("nodejs.util.promisify.custom");

function promisify(original) {
  checkFunction(original, "the first argument of promisify");
  if (original === setTimeout) return require("timers/promises").setTimeout;
  if (original[CUSTOM] !== undefined) {
    checkFunction(original[CUSTOM], "util.promisify.custom");
    return original[CUSTOM];
  }
  function promisified(...args) {
    return new Promise((resolve, reject) => {
      Reflect.apply(original, this, [...args, (error, value) => error ? reject(error) : resolve(value)]);
    });
  }
  Object.setPrototypeOf(promisified, Object.getPrototypeOf(original));
  const own = Object.getOwnPropertyDescriptors(original);
  const result = Object.defineProperties(promisified, own);
  return Object.defineProperty(result, CUSTOM, { value: result, configurable: true });
}
promisify.custom = CUSTOM;

function callbackify(original) {
  checkFunction(original, "the first argument of callbackify");
  function callbackified(...args) {
    const callback = args.pop();
    checkFunction(callback, "the last argument");
    Reflect.apply(original, this, args).then(
      (value) => native.nextTick(callback, null, value),
      (reason) => native.nextTick(callback, reason || rejectedWith(reason)),
    );
  }
  Object.defineProperty(callbackified, "length", { value: original.length + 1, configurable: true });
  Object.defineProperty(callbackified, "name", { value: `${original.name}Callbackified`, configurable: true });
  return callbackified;
}
function rejectedWith(reason) {
  const error = coded(Error, "ERR_FALSY_VALUE_REJECTION", "a promise was rejected with a falsy value");
  error.reason = reason;
  return error;
}

function inherits(constructor, parent) {
  checkFunction(constructor, "the constructor");
  checkFunction(parent, "the parent's constructor");
  if (parent.prototype === undefined) throw invalidType("the parent's prototype", "an object", undefined);
  Object.defineProperty(constructor, "super_", { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(constructor.prototype, parent.prototype);
}

const warned = new Set();
function deprecate(original, message, code) {
  checkFunction(original, "the first argument of deprecate");
  let done = false;
  function deprecated(...args) {
    if (!done && !(code !== undefined && warned.has(code))) {
      if (code !== undefined) warned.add(code);
      process.emitWarning(message, "DeprecationWarning", code);
    }
    done = true;
    return new.target ? Reflect.construct(original, args, new.target) : Reflect.apply(original, this, args);
  }
  Object.setPrototypeOf(deprecated, original);
  if (original.prototype) deprecated.prototype = original.prototype;
  return deprecated;
}

/** Debugging output is off: no variable of the machine is seen here. */
function debuglog() {
  const log = () => {};
  Object.defineProperty(log, "enabled", { value: false });
  return log;
}

function styleText(style, text, options) {
  if (typeof text !== "string") throw invalidType("the text", "a string", text);
  const names = Array.isArray(style) ? style : [style];
  let [before, after] = ["", ""];
  for (const name of names) {
    const codes = inspect.colors[name];
    if (codes === undefined) {
      throw coded(TypeError, "ERR_INVALID_ARG_VALUE", `styleText knows no style '${name}'`);
    }
    before += `\x1b[${codes[0]}m`;
    after = `\x1b[${codes[1]}m${after}`;
  }
  // The output is no terminal: colours only for a caller who insists.
  return options?.validateStream === false ? `${before}${text}${after}` : text;
}

// Escape sequences of terminals: CSI, OSC with its end, and single-character ones.
const ESCAPES = /[\x1b\x9b](?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[[\]()#;?]*(?:\d{1,4}(?:[;:]\d{0,4})*)?[\dA-PR-TZcf-nq-uy=><~])/g;
const stripVTControlCharacters = (text) => {
  if (typeof text !== "string") throw invalidType("the text", "a string", text);
  return text.replace(ESCAPES, "");
};

function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

const tagOf = (value) => Object.prototype.toString.call(value);
const arrayKind = (name) => (value) =>
  ArrayBuffer.isView(value) && value[Symbol.toStringTag] === name;
const types = Object.assign({}, native.types, {
  isExternal: () => false,
  isCryptoKey: (value) => tagOf(value) === "[object CryptoKey]",
  isKeyObject: () => false,
});
for (
  const name of [
    "Uint8Array", "Uint8ClampedArray", "Uint16Array", "Uint32Array", "Int8Array", "Int16Array",
    "Int32Array", "Float16Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array",
  ]
) types[`is${name}`] = arrayKind(name);

module.exports = {
  TextDecoder,
  TextEncoder,
  _extend: (target, source) =>
    source === null || typeof source !== "object" ? target : Object.assign(target, source),
  aborted,
  callbackify,
  debug: debuglog,
  debuglog,
  deprecate,
  format,
  formatWithOptions,
  inherits,
  inspect,
  isDeepStrictEqual: (a, b) =>
    require("ext:isochron/vendor/assert/build/internal/util/comparisons.js").isDeepStrictEqual(a, b),
  log: (...args) => console.log(format(...args)),
  parseArgs: (config) => require("./parse_args.js").parseArgs(config),
  promisify,
  stripVTControlCharacters,
  styleText,
  toUSVString: (text) => `${text}`.toWellFormed(),
  types,
  // Kept for old packages.
  isArray: Array.isArray,
  isBoolean: (value) => typeof value === "boolean",
  isBuffer: (value) => Buffer.isBuffer(value),
  isDate: types.isDate,
  isError: (value) => types.isNativeError(value) || value instanceof Error,
  isFunction: (value) => typeof value === "function",
  isNull: (value) => value === null,
  isNullOrUndefined: (value) => value === null || value === undefined,
  isNumber: (value) => typeof value === "number",
  isObject: (value) => value !== null && typeof value === "object",
  isPrimitive: (value) => value === null || (typeof value !== "object" && typeof value !== "function"),
  isRegExp: types.isRegExp,
  isString: (value) => typeof value === "string",
  isSymbol: (value) => typeof value === "symbol",
  isUndefined: (value) => value === undefined,
};
