// Errors as Node's built-ins throw them: with a `code` by which programs tell them apart.
"use strict";

function coded(Type, code, message) {
  const error = new Type(message);
  error.code = code;
  return error;
}

/** `name must be …, not …` with the code ERR_INVALID_ARG_TYPE. */
function invalidType(name, expected, value) {
  const kind = value === null ? "null" : typeof value;
  return coded(TypeError, "ERR_INVALID_ARG_TYPE", `${name} must be ${expected}, not ${kind}`);
}

function checkFunction(value, name) {
  if (typeof value !== "function") throw invalidType(name, "a function", value);
}

/** An `AbortError` as Node's promise APIs reject with it. */
function abortError(signal) {
  const error = new Error("The operation was aborted", { cause: signal?.reason });
  error.name = "AbortError";
  error.code = "ABORT_ERR";
  return error;
}

module.exports = { abortError, checkFunction, coded, invalidType };
