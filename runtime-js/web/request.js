// Request of deno_fetch, with the standard's rule for a body that is a stream.
"use strict";

const { primordials } = __bootstrap;
const { ObjectDefineProperty, ObjectPrototypeIsPrototypeOf, TypeError } = primordials;
const { load } = __isochron;
const webidl = load("ext:deno_webidl/00_webidl.js");
const { ReadableStreamPrototype } = load("ext:deno_web/06_streams.js");
const { Request, RequestPrototype, toInnerRequest } = load("ext:deno_fetch/23_request.js");

const readInit = webidl.converters.RequestInit;
webidl.converters.RequestInit = (value, prefix, context, options) => {
  const init = readInit(value, prefix, context, options);
  const { body } = init;
  const streams = typeof body === "object" && body !== null &&
    (ObjectPrototypeIsPrototypeOf(ReadableStreamPrototype, body) ||
      body[webidl.AsyncSequence] === webidl.AsyncSequence);
  if (streams && value.duplex !== "half") {
    throw new TypeError(`${prefix}: a body that is a stream needs the option duplex: 'half'`);
  }
  delete init.client; // Deno's own.
  return init;
};

ObjectDefineProperty(RequestPrototype, "duplex", {
  __proto__: null,
  get() {
    webidl.assertBranded(this, RequestPrototype);
    return "half";
  },
  enumerable: true,
  configurable: true,
});

module.exports = { __proto__: null, Request, toInnerRequest };
