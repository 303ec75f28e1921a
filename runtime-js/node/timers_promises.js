// `timers/promises`.
"use strict";

const native = require("ext:isochron/native/node.js");
const { abortError } = require("./errors.js");

/** Resolves with `value` after `start(resolve)` calls back; rejects when the signal is aborted. */
function wait(start, stop, value, options) {
  const signal = options?.signal;
  if (signal?.aborted) return Promise.reject(abortError(signal));
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      stop(handle);
      reject(abortError(signal));
    };
    const handle = start(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve(value);
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

const after = setTimeout;
const cancel = clearTimeout;
const sleep = (delay, value, options) => wait((go) => after(go, delay), cancel, value, options);
const immediate = (value, options) => wait(native.setImmediate, native.clearImmediate, value, options);

async function* interval(delay, value, options) {
  for (;;) yield await sleep(delay, value, options);
}

module.exports = {
  scheduler: { wait: (delay, options) => sleep(delay, undefined, options), yield: () => immediate() },
  setImmediate: immediate,
  setInterval: interval,
  setTimeout: sleep,
};
