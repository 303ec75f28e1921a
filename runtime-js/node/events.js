// `events`: the package of that name, and the parts of Node's module that it lacks.
"use strict";

const Vendored = require("ext:isochron/vendor/events/events.js");
const native = require("ext:isochron/native/node.js");
const { abortError, checkFunction, coded, invalidType } = require("./errors.js");

const CAPTURES = Symbol("captures rejections");
const REJECTION = Symbol.for("nodejs.rejection");
let capturesByDefault = false;

const checkSwitch = (value, name) => {
  if (typeof value !== "boolean") throw invalidType(name, "a boolean", value);
  return value;
};
const setCaptures = (emitter, value) =>
  Object.defineProperty(emitter, CAPTURES, { value, writable: true, configurable: true });

/** The vendored class, with the option `captureRejections`. */
function EventEmitter(options) {
  Vendored.init.call(this);
  const captures = options?.captureRejections;
  if (captures !== undefined) setCaptures(this, checkSwitch(captures, "options.captureRejections"));
  else if (capturesByDefault) setCaptures(this, true);
}
const { prototype, length, name, ...statics } = Object.getOwnPropertyDescriptors(Vendored);
Object.defineProperties(EventEmitter, statics);
EventEmitter.prototype = Vendored.prototype;
Object.defineProperty(EventEmitter.prototype, "constructor", { value: EventEmitter, writable: true, configurable: true });

const errorMonitor = Symbol("events.errorMonitor");

const vendoredEmit = EventEmitter.prototype.emit;
EventEmitter.prototype.emit = function emit(type) {
  if (type === "error" && this._events?.[errorMonitor] !== undefined) {
    const args = Array.prototype.slice.call(arguments);
    args[0] = errorMonitor;
    Reflect.apply(vendoredEmit, this, args);
  }
  if (type === "error" && !(arguments[1] instanceof Error) && this.listenerCount("error") === 0) {
    const { inspect } = require("./format.js");
    const error = coded(Error, "ERR_UNHANDLED_ERROR", `no listener for the event error: ${inspect(arguments[1])}`);
    error.context = arguments[1];
    throw error;
  }
  if (this[CAPTURES] === true) {
    const listeners = this.rawListeners(type);
    if (listeners.length > 0) {
      callAll(this, listeners, type, Array.prototype.slice.call(arguments, 1));
      return true;
    }
  }
  return Reflect.apply(vendoredEmit, this, arguments);
};

/** Calls listeners; a promise of theirs that rejects is an error of the emitter. */
function callAll(emitter, listeners, type, args) {
  for (const listener of listeners) {
    const result = Reflect.apply(listener, emitter, args);
    if (result === null || typeof result !== "object" || typeof result.then !== "function") continue;
    result.then(undefined, (error) => native.nextTick(reject, emitter, error, type, args));
  }
}
function reject(emitter, error, type, args) {
  if (typeof emitter[REJECTION] === "function") {
    emitter[REJECTION](error, type, ...args);
    return;
  }
  // A listener of `error` that rejects as well ends the run, as an error without a listener does.
  setCaptures(emitter, false);
  try {
    emitter.emit("error", error);
  } finally {
    setCaptures(emitter, true);
  }
}

for (
  const name of ["addListener", "once", "prependListener", "prependOnceListener", "removeListener"]
) {
  const original = EventEmitter.prototype[name];
  EventEmitter.prototype[name] = {
    [name](type, listener) {
      checkFunction(listener, "the listener");
      return original.call(this, type, listener);
    },
  }[name];
}
EventEmitter.prototype.on = EventEmitter.prototype.addListener;
EventEmitter.prototype.off = EventEmitter.prototype.removeListener;

const isTarget = (emitter) => typeof emitter?.addEventListener === "function";
function listen(emitter, name, listener) {
  if (typeof emitter?.on === "function") emitter.on(name, listener);
  else if (isTarget(emitter)) emitter.addEventListener(name, listener);
  else throw invalidType("the emitter", "an EventEmitter or EventTarget", emitter);
}
function unlisten(emitter, name, listener) {
  if (typeof emitter.removeListener === "function") emitter.removeListener(name, listener);
  else emitter.removeEventListener(name, listener);
}

/** The arguments of the next `name`; rejects at the next `error` and when the signal is aborted. */
async function once(emitter, name, options) {
  const signal = options?.signal;
  if (signal?.aborted) throw abortError(signal);
  return await new Promise((resolve, reject) => {
    const watchesErrors = name !== "error" && !isTarget(emitter);
    const stop = () => {
      unlisten(emitter, name, onEvent);
      if (watchesErrors) unlisten(emitter, "error", onError);
      signal?.removeEventListener("abort", onAbort);
    };
    const onEvent = (...args) => {
      stop();
      resolve(args);
    };
    const onError = (error) => {
      stop();
      reject(error);
    };
    const onAbort = () => {
      stop();
      reject(abortError(signal));
    };
    listen(emitter, name, onEvent);
    if (watchesErrors) emitter.on("error", onError);
    signal?.addEventListener("abort", onAbort);
  });
}

/** An asynchronous iterator over the arguments of each `name`. */
function on(emitter, name, options = {}) {
  const { signal } = options;
  if (signal?.aborted) throw abortError(signal);
  const values = [];
  const waiting = [];
  let failure;
  let done = false;
  const push = (...args) => {
    if (waiting.length > 0) waiting.shift().resolve({ value: args, done: false });
    else values.push(args);
  };
  const fail = (error) => {
    if (waiting.length > 0) waiting.shift().reject(error);
    else failure = { error };
    finish();
  };
  const onAbort = () => fail(abortError(signal));
  const finish = () => {
    done = true;
    unlisten(emitter, name, push);
    if (name !== "error" && !isTarget(emitter)) unlisten(emitter, "error", fail);
    for (const close of options.close ?? []) unlisten(emitter, close, finish);
    signal?.removeEventListener("abort", onAbort);
    for (const { resolve } of waiting.splice(0)) resolve({ value: undefined, done: true });
    return { value: undefined, done: true };
  };
  listen(emitter, name, push);
  if (name !== "error" && !isTarget(emitter)) emitter.on("error", fail);
  for (const close of options.close ?? []) listen(emitter, close, finish);
  signal?.addEventListener("abort", onAbort);
  return {
    async next() {
      if (values.length > 0) return { value: values.shift(), done: false };
      if (failure !== undefined) {
        const { error } = failure;
        failure = undefined;
        throw error;
      }
      if (done) return { value: undefined, done: true };
      return await new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    return: async () => finish(),
    async throw(error) {
      fail(error);
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function addAbortListener(signal, listener) {
  if (signal.aborted) queueMicrotask(() => listener());
  else signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}

module.exports = Object.assign(EventEmitter, {
  EventEmitter,
  addAbortListener,
  captureRejectionSymbol: REJECTION,
  errorMonitor,
  getEventListeners: (emitter, name) => typeof emitter?.listeners === "function" ? emitter.listeners(name) : [],
  getMaxListeners: (emitter) =>
    typeof emitter?.getMaxListeners === "function" ? emitter.getMaxListeners() : EventEmitter.defaultMaxListeners,
  on,
  once,
  setMaxListeners(count = EventEmitter.defaultMaxListeners, ...emitters) {
    if (emitters.length === 0) EventEmitter.defaultMaxListeners = count;
    for (const emitter of emitters) emitter.setMaxListeners?.(count);
  },
  usingDomains: false,
});
Object.defineProperty(EventEmitter, "captureRejections", {
  get: () => capturesByDefault,
  set(value) {
    capturesByDefault = checkSwitch(value, "EventEmitter.captureRejections");
  },
  enumerable: true,
  configurable: true,
});
