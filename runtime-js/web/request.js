// Request of deno_fetch, with the standard's rules for streams and for URLs with a password.
"use strict";

const { primordials } = __bootstrap;
const {
  ObjectDefineProperty,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  StringPrototypeIncludes,
  TypeError,
} = primordials;
const { load } = __isochron;
const webidl = load("ext:deno_webidl/00_webidl.js");
const { isStream } = load("ext:deno_fetch/22_body.js");
const { Request, RequestPrototype, toInnerRequest } = load("ext:deno_fetch/23_request.js");

const { URL } = load("ext:deno_web/00_url.js");
const getterOf = (name) => ReflectGetOwnPropertyDescriptor(URL.prototype, name).get;
const userOf = getterOf("username");
const passwordOf = getterOf("password");

const readInput = webidl.converters.RequestInfo_DOMString;
webidl.converters.RequestInfo_DOMString = (value, prefix, context, options) => {
  const input = readInput(value, prefix, context, options);
  if (typeof input === "string" && StringPrototypeIncludes(input, "@")) {
    const url = new URL(input);
    if (ReflectApply(userOf, url, []) !== "" || ReflectApply(passwordOf, url, []) !== "") {
      throw new TypeError(`${prefix}: the URL has a user name or a password: send an authorization header`);
    }
  }
  return input;
};

const readInit = webidl.converters.RequestInit;
webidl.converters.RequestInit = (value, prefix, context, options) => {
  const init = readInit(value, prefix, context, options);
  const { body } = init;
  const streams = typeof body === "object" && body !== null &&
    (isStream(body) || body[webidl.AsyncSequence] === webidl.AsyncSequence);
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
