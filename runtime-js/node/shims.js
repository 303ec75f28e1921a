// Small things that the vendored packages require from packages of their own.
"use strict";

/** The method `Array.prototype.push` as a function of the array and the values. */
function callBound(name) {
  const parts = name.replace(/^%|%$/g, "").split(".");
  let [value] = [globalThis];
  for (const part of parts) value = value[part];
  return (self, ...args) => Reflect.apply(value, self, args);
}

const polyfill = (value) => () => value;

module.exports = {
  "abort-controller": { AbortController, AbortSignal },
  "call-bind/callBound": callBound,
  "is-nan": Number.isNaN,
  "object-is": Object.is,
  "object-is/polyfill": polyfill(Object.is),
  "object.assign/polyfill": polyfill(Object.assign),
  get qs() {
    const { parse, stringify } = require("querystring");
    return { parse: (text) => parse(text), stringify: (query) => stringify(query) };
  },
};
