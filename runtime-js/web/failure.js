// The errors of `fetch`: a refusal of the server becomes a network error of the standard.
"use strict";

const { primordials } = __bootstrap;
const { Error, ObjectDefineProperty, ObjectHasOwn, TypeError } = primordials;

/** A network error of the standard. */
function failed(message, cause) {
  const error = new TypeError(`fetch failed: ${message}`);
  ObjectDefineProperty(error, "cause", {
    __proto__: null,
    value: cause ?? new Error(message),
    writable: true,
    enumerable: false,
    configurable: true,
  });
  return error;
}

/** The error that the handler gets: a refusal of the server becomes a network error. */
function failureOf(error) {
  if (typeof error !== "object" || error === null || !ObjectHasOwn(error, "refusal")) return error;
  const { code, message } = error.refusal;
  const cause = new Error(message);
  if (code !== null && code !== undefined) {
    ObjectDefineProperty(cause, "code", {
      __proto__: null,
      value: code,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return failed(message, cause);
}

module.exports = { __proto__: null, failed, failureOf };
