// The library: scripts that are no part of the snapshot. Each is compiled in the isolate that
// asks for it, at its first use, as the body of a function of five names.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    ArrayIteratorPrototype,
    ArrayPrototype,
    Error,
    MapPrototypeClear,
    MapPrototypeDelete,
    MapPrototypeGet,
    MapPrototypeSet,
    ObjectDefineProperty,
    ObjectKeys,
    ObjectSetPrototypeOf,
    ReflectApply,
    ReflectDefineProperty,
    ReflectDeleteProperty,
    ReflectGetOwnPropertyDescriptor,
    SafeMap,
    StringPrototypeEndsWith,
    StringPrototypeLastIndexOf,
    StringPrototypeSlice,
    StringPrototypeStartsWith,
    SymbolIterator,
  } = primordials;
  const { op_isochron_library } = core.ops;
  const shared = global.__isochron;

  const OURS = "ext:isochron/";
  // Scripts that get nothing but what a handler may have: a handler that patches built-ins
  // sees the calls that they make.
  const PLAIN = ["ext:isochron/node/", "ext:isochron/vendor/"];

  // Node's built-ins, and where each is made.
  const NODE = "ext:isochron/node/";
  const VENDOR = "ext:isochron/vendor/";
  const BUILT_INS = {
    __proto__: null,
    assert: `${NODE}assert.js`,
    "assert/strict": `${NODE}assert_strict.js`,
    async_hooks: `${NODE}async_hooks.js`,
    buffer: `${NODE}buffer.js`,
    console: `${NODE}console.js`,
    crypto: `${NODE}crypto.js`,
    diagnostics_channel: `${NODE}diagnostics_channel.js`,
    events: `${NODE}events.js`,
    module: `${NODE}module.js`,
    os: `${NODE}os.js`,
    path: `${NODE}path.js`,
    "path/posix": `${NODE}path.js`,
    perf_hooks: `${NODE}perf_hooks.js`,
    process: `${NODE}process.js`,
    punycode: `${VENDOR}punycode/punycode.js`,
    querystring: `${NODE}querystring.js`,
    stream: `${NODE}stream.js`,
    "stream/consumers": `${NODE}stream_consumers.js`,
    "stream/promises": `${VENDOR}readable-stream/lib/stream/promises.js`,
    "stream/web": `${NODE}stream_web.js`,
    string_decoder: `${NODE}string_decoder.js`,
    timers: `${NODE}timers.js`,
    "timers/promises": `${NODE}timers_promises.js`,
    tty: `${NODE}tty.js`,
    url: `${NODE}url.js`,
    util: `${NODE}util.js`,
    "util/types": `${NODE}util_types.js`,
  };
  // The names by which vendored packages require others.
  const VENDORED = {
    __proto__: null,
    "base64-js": `${VENDOR}base64-js/index.js`,
    ieee754: `${VENDOR}ieee754/index.js`,
    "process/": BUILT_INS.process,
    "punycode/": BUILT_INS.punycode,
    "safe-buffer": BUILT_INS.buffer,
    "string_decoder/": BUILT_INS.string_decoder,
    "util/": BUILT_INS.util,
  };

  const modules = new SafeMap(); // by name

  // The iteration of arrays, which our scripts use while they are loaded, as in `new SafeSet([...])`.
  const ITERATION = [[ArrayPrototype, SymbolIterator], [ArrayIteratorPrototype, "next"]];
  const ORIGINALS = [];
  for (let i = 0; i < ITERATION.length; i++) {
    ORIGINALS[i] = ReflectGetOwnPropertyDescriptor(ITERATION[i][0], ITERATION[i][1]).value;
  }

  // Functions that give an array of theirs to a class of the web, which iterates it as a handler's.
  const GUARDED = { __proto__: null, "ext:deno_fetch/21_formdata.js": "formDataToBlob" };

  /** Defines a property as a descriptor has it, past every property of `Object.prototype`. */
  const defineAs = (object, key, own) =>
    ReflectDefineProperty(object, key, ObjectSetPrototypeOf(own, null));

  /** Calls `work` with the iteration of arrays as it was before any handler could patch it. */
  function withOriginalIteration(work) {
    const patched = [];
    for (let i = 0; i < ITERATION.length; i++) {
      const { 0: object, 1: key } = ITERATION[i];
      const own = ReflectGetOwnPropertyDescriptor(object, key);
      if (own !== undefined && own.value === ORIGINALS[i]) continue;
      shared.put(patched, patched.length, { __proto__: null, object, key, own });
      const value = ORIGINALS[i];
      ReflectDefineProperty(object, key, {
        __proto__: null,
        value,
        writable: true,
        enumerable: false,
        configurable: true,
      });
    }
    try {
      return work();
    } finally {
      for (let i = 0; i < patched.length; i++) {
        const { object, key, own } = patched[i];
        if (own === undefined) ReflectDeleteProperty(object, key);
        else defineAs(object, key, own);
      }
    }
  }

  function isPlain(name) {
    for (let i = 0; i < PLAIN.length; i++) {
      if (StringPrototypeStartsWith(name, PLAIN[i])) return true;
    }
    return false;
  }

  /**
   * The exports of a script: `ext:isochron/web/x.js`, `ext:deno_web/06_streams.js`. The first call
   * decides which `__bootstrap` the script gets.
   */
  function library(name, bootstrap = shared.bootstrap) {
    const known = MapPrototypeGet(modules, name);
    if (known !== undefined) return known.exports;
    const compiled = op_isochron_library(name);
    if (compiled.length !== 1) throw compiled[1] ?? new Error(`this server lacks the script ${name}`);
    const module = { id: name, exports: {} };
    MapPrototypeSet(modules, name, module);
    let done = false;
    try {
      const { exports } = module;
      const plain = isPlain(name);
      const internals = plain ? undefined : shared;
      const evaluate = () =>
        ReflectApply(compiled[0], exports, [
          exports, requireFrom(name), module, plain ? undefined : bootstrap, internals,
        ]);
      const result = plain ? evaluate() : withOriginalIteration(evaluate);
      // A script of Deno returns its exports.
      if (!StringPrototypeStartsWith(name, OURS)) module.exports = result;
      const guarded = GUARDED[name];
      if (guarded !== undefined) {
        const inner = result[guarded];
        result[guarded] = (argument) => withOriginalIteration(() => inner(argument));
      }
      done = true;
    } finally {
      // A script that was stopped halfway, as at the end of the stack, starts again.
      if (!done) MapPrototypeDelete(modules, name);
    }
    return module.exports;
  }

  /** `require` for the scripts of the library. */
  const requireFrom = (name) => (specifier) => {
    if (StringPrototypeStartsWith(specifier, "ext:")) return library(specifier);
    if (StringPrototypeStartsWith(specifier, ".")) return library(resolve(name, specifier));
    const script = VENDORED[specifier] ?? BUILT_INS[specifier];
    return script === undefined ? library(`${NODE}shims.js`)[specifier] : library(script);
  };

  function resolve(from, specifier) {
    let folder = StringPrototypeSlice(from, 0, StringPrototypeLastIndexOf(from, "/"));
    let rest = specifier;
    for (;;) {
      if (StringPrototypeStartsWith(rest, "./")) {
        rest = StringPrototypeSlice(rest, 2);
      } else if (StringPrototypeStartsWith(rest, "../")) {
        rest = StringPrototypeSlice(rest, 3);
        folder = StringPrototypeSlice(folder, 0, StringPrototypeLastIndexOf(folder, "/"));
      } else {
        break;
      }
    }
    const path = `${folder}/${rest}`;
    return StringPrototypeEndsWith(path, ".js") ? path : `${path}.js`;
  }

  /** A global that `make` makes when it is first read; assigning to it replaces it. */
  function defineLazily(name, make) {
    // No use in a global object that the handler has frozen: the accessor stays then.
    const replace = (value) =>
      ReflectDefineProperty(global, name, {
        __proto__: null,
        value,
        writable: true,
        enumerable: false,
        configurable: true,
      });
    ObjectDefineProperty(global, name, {
      __proto__: null,
      get() {
        const value = make();
        replace(value);
        return value;
      },
      set(value) {
        replace(value);
      },
      enumerable: false,
      configurable: true,
    });
  }

  const nameOf = (specifier) =>
    StringPrototypeStartsWith(specifier, "node:") ? StringPrototypeSlice(specifier, 5) : specifier;

  /** Whether a handler can require or import this as a built-in of Node. */
  shared.isBuiltIn = (specifier) => BUILT_INS[nameOf(specifier)] !== undefined;
  /** The exports of a built-in of Node, with or without `node:`; `undefined` for any other name. */
  shared.builtIn = (specifier) => {
    const script = BUILT_INS[nameOf(specifier)];
    return script === undefined ? undefined : library(script);
  };
  shared.builtInNames = () => ObjectKeys(BUILT_INS);
  shared.library = library;
  shared.defineLazily = defineLazily;
  defineLazily("Buffer", () => library(BUILT_INS.buffer).Buffer);
  defineLazily("process", () => library(BUILT_INS.process));
  defineLazily("setImmediate", () => library(BUILT_INS.timers).setImmediate);
  defineLazily("clearImmediate", () => library(BUILT_INS.timers).clearImmediate);
  shared.forgetLibrary = () => MapPrototypeClear(modules);
})(globalThis);
