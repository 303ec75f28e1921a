// The body of a request on its way to the server.
"use strict";

const { core, primordials } = __bootstrap;
const {
  PromisePrototypeThen,
  ReflectApply,
  TypeError,
  TypedArrayPrototypeGetSymbolToStringTag,
} = primordials;
const { load } = __isochron;
const { isStream } = load("ext:deno_fetch/22_body.js");

/** `{ bytes }` of a body that is known, `{ stream }` of one that is not, `{}` of none. */
async function prepareBody(body) {
  if (body === null) return { __proto__: null };
  if (isStream(body.streamOrStatic) && body.source === null) return { __proto__: null, stream: body.stream };
  const bytes = await body.consume();
  return { __proto__: null, bytes: typeof bytes === "string" ? core.encode(bytes) : bytes };
}

/**
 * Sends a stream; the promise is for its end, or for the error that its reading or its sending met.
 * `stop(reason)` of the returned object ends both.
 */
function sendStream(stream, write) {
  const streams = load("ext:deno_web/06_streams.js");
  const { read } = streams.ReadableStreamDefaultReader.prototype;
  const reader = streams.acquireReadableStreamDefaultReader(stream);
  let stopped = false;
  const stop = (reason) => {
    if (stopped) return;
    stopped = true;
    PromisePrototypeThen(streams.readableStreamCancel(stream, reason), undefined, () => {});
  };
  const run = async () => {
    for (;;) {
      const { value: part, done } = await ReflectApply(read, reader, []);
      if (stopped) return;
      if (done) {
        await write(null);
        return;
      }
      if (TypedArrayPrototypeGetSymbolToStringTag(part) !== "Uint8Array") {
        const error = new TypeError("the stream of a body gives something that is no Uint8Array");
        stop(error);
        throw error;
      }
      // The other side has closed: nobody wants the rest.
      if (!(await write(part))) {
        stop(undefined);
        return;
      }
    }
  };
  return { __proto__: null, stop, done: run() };
}

module.exports = { __proto__: null, prepareBody, sendStream };
