// Bodies of deno_fetch. Their script asks for streams when it loads, and most bodies never are
// one: here it gets functions that load them at their first call.
"use strict";

const { core, primordials } = __bootstrap;
const { ObjectPrototypeIsPrototypeOf, ReflectApply } = primordials;
const shared = __isochron;
const STREAMS = "ext:deno_web/06_streams.js";

// Stands for the prototype of ReadableStream while there is no stream.
const prototype = { __proto__: null };

const late = (name) =>
  function () {
    return ReflectApply(shared.load(STREAMS)[name], undefined, arguments);
  };
const streams = {
  __proto__: null,
  createProxy: late("createProxy"),
  createReadableStream: late("createReadableStream"),
  errorReadableStream: late("errorReadableStream"),
  isReadableStreamDisturbed: late("isReadableStreamDisturbed"),
  readableStreamClose: late("readableStreamClose"),
  readableStreamCollectIntoUint8Array: late("readableStreamCollectIntoUint8Array"),
  readableStreamDisturb: late("readableStreamDisturb"),
  ReadableStreamPrototype: prototype,
  readableStreamTee: late("readableStreamTee"),
  readableStreamThrowIfErrored: late("readableStreamThrowIfErrored"),
};

/** Whether a value is a ReadableStream. */
const isStream = (value) =>
  shared.streams !== undefined && ObjectPrototypeIsPrototypeOf(shared.streams.ReadableStreamPrototype, value);

const { extractBody, InnerBody, mixinBody, packageData } = shared.library("ext:deno_fetch/22_body.js", {
  __proto__: __bootstrap,
  core: { __proto__: core, loadExtScript: (name) => (name === STREAMS ? streams : shared.load(name)) },
  primordials: {
    __proto__: primordials,
    ObjectPrototypeIsPrototypeOf: (tested, value) =>
      tested === prototype ? isStream(value) : ObjectPrototypeIsPrototypeOf(tested, value),
  },
});

module.exports = { __proto__: null, extractBody, InnerBody, isStream, mixinBody, packageData };
