// The native half of Node's built-ins. Everything exported here may reach a handler.
"use strict";

const { core, primordials } = __bootstrap;
const shared = __isochron;
const {
  ObjectFreeze,
  ReflectApply,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  SymbolDispose,
  TypeError,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetSymbolToStringTag,
} = primordials;
const {
  op_isochron_hash,
  op_isochron_heap,
  op_isochron_hmac,
  op_isochron_now,
  op_isochron_pbkdf2,
  op_isochron_write,
} = core.ops;

// As `Level` in the protocol.
const LOG = 1;
const WARN = 3;
const ERROR = 4;

const codedError = (Type, code, message) => {
  const error = new Type(message);
  shared.put(error, "code", code);
  return error;
};
const checkCallback = (callback, name) => {
  if (typeof callback !== "function") {
    throw codedError(TypeError, "ERR_INVALID_ARG_TYPE", `${name} needs a function, not ${typeof callback}`);
  }
};

// --- the queue of ticks and immediates ---

/** Calls `callback` after the running code and before reactions of promises. */
function nextTick(callback, ...args) {
  checkCallback(callback, "process.nextTick");
  core.queueNextTick({
    __proto__: null,
    callback,
    args: args.length === 0 ? undefined : args,
    snapshot: core.getAsyncContext(),
  });
}

class Immediate {
  #queued;

  constructor(callback, args = []) {
    checkCallback(callback, "setImmediate");
    const context = core.getAsyncContext();
    this.#queued = {
      __proto__: null,
      _idleNext: null,
      _idlePrev: null,
      _argv: null,
      _destroyed: false,
      [core.kRefed]: true,
      _onImmediate() {
        const before = core.getAsyncContext();
        core.setAsyncContext(context);
        try {
          ReflectApply(callback, undefined, args);
        } catch (error) {
          shared.uncaught(error);
        } finally {
          core.setAsyncContext(before);
        }
      },
    };
    core.immediateRefCount(true);
    core.queueImmediate(this.#queued);
  }

  static clear(immediate) {
    if (typeof immediate === "object" && immediate !== null && #queued in immediate) {
      core.clearImmediate(immediate.#queued);
    }
  }

  ref() {
    this.#setRef(true);
    return this;
  }
  unref() {
    this.#setRef(false);
    return this;
  }
  hasRef() {
    return this.#queued[core.kRefed] === true;
  }
  [SymbolDispose]() {
    Immediate.clear(this);
  }
  #setRef(ref) {
    const queued = this.#queued;
    if (queued._destroyed || queued[core.kRefed] === ref) return;
    queued[core.kRefed] = ref;
    core.immediateRefCount(ref);
  }
}

function setImmediate(callback, ...args) {
  return new Immediate(callback, args);
}
function clearImmediate(immediate) {
  Immediate.clear(immediate);
}

// --- output ---

/** A function that writes text: each line is a line of the console, the rest waits. */
function makeWriter(level) {
  let rest = "";
  const flush = () => {
    if (rest !== "") op_isochron_write(level, rest);
    rest = "";
  };
  const write = (text) => {
    rest += `${text}`;
    const end = StringPrototypeLastIndexOf(rest, "\n");
    if (end === -1) return;
    op_isochron_write(level, StringPrototypeSlice(rest, 0, end));
    rest = StringPrototypeSlice(rest, end + 1);
  };
  return { write, flush };
}
const out = makeWriter(LOG);
const err = makeWriter(ERROR);
shared.flushOutput = () => {
  out.flush();
  err.flush();
};

// --- hashes ---

const asBytes = (value) => {
  if (TypedArrayPrototypeGetSymbolToStringTag(value) !== "Uint8Array") {
    throw new TypeError("bytes must be a Uint8Array");
  }
  return value;
};
/** The result, or `undefined` if it is empty: no hash has the name, or there is too much to do. */
const orNothing = (bytes) => TypedArrayPrototypeGetByteLength(bytes) === 0 ? undefined : bytes;
const hash = (name, data) => orNothing(op_isochron_hash(`${name}`, asBytes(data)));
const hmac = (name, key, data) => orNothing(op_isochron_hmac(`${name}`, asBytes(key), asBytes(data)));
const pbkdf2 = (name, password, salt, iterations, length) =>
  orNothing(op_isochron_pbkdf2(`${name}`, asBytes(password), asBytes(salt), +iterations, +length));

// --- asynchronous context ---

/** A value that follows the asynchronous calls made while it is set. */
class AsyncVariable {
  #inner = new core.AsyncVariable();

  get() {
    return this.#inner.get();
  }
  enter(value) {
    this.#inner.enter(value);
  }
  run(value, callback, args) {
    const before = this.#inner.enter(value);
    try {
      return ReflectApply(callback, undefined, args);
    } finally {
      core.setAsyncContext(before);
    }
  }
}

/** A function that calls others in the asynchronous context of now. */
function snapshot() {
  const context = core.getAsyncContext();
  return (callback, self, args) => {
    const before = core.getAsyncContext();
    core.setAsyncContext(context);
    try {
      return ReflectApply(callback, self, args);
    } finally {
      core.setAsyncContext(before);
    }
  };
}

const types = { __proto__: null };
const KINDS = [
  "AnyArrayBuffer", "ArgumentsObject", "ArrayBuffer", "ArrayBufferView", "AsyncFunction",
  "BigIntObject", "BooleanObject", "BoxedPrimitive", "DataView", "Date", "GeneratorFunction",
  "GeneratorObject", "Map", "MapIterator", "ModuleNamespaceObject", "NativeError", "NumberObject",
  "Promise", "Proxy", "RegExp", "Set", "SetIterator", "SharedArrayBuffer", "StringObject",
  "SymbolObject", "TypedArray", "WeakMap", "WeakSet",
];
for (let i = 0; i < KINDS.length; i++) types[`is${KINDS[i]}`] = core[`is${KINDS[i]}`];

module.exports = ObjectFreeze({
  __proto__: null,
  AsyncVariable,
  builtInNames: () => shared.builtInNames(),
  clearImmediate,
  createRequire: (place) => shared.createRequire(place),
  environment: () => shared.environment,
  unreadable: () => shared.unreadable,
  file: () => shared.entryFile,
  hash,
  heap: () => op_isochron_heap(),
  hmac,
  Immediate,
  inspect: shared.inspect,
  isBuiltIn: (specifier) => shared.isBuiltIn(specifier),
  nextTick,
  now: () => op_isochron_now(),
  pbkdf2,
  setImmediate,
  snapshot,
  types,
  warn: (message) => shared.warn(`${message}`),
  writeError: err.write,
  writeOut: out.write,
});
