// The web APIs a handler sees, taken from deno_web, and nothing else of Deno.
//
// Runs once, while the startup snapshot is built. Everything here and in the files
// that follow uses primordials: a handler may patch any built-in without reaching us.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    ArrayBuffer: NativeArrayBuffer,
    Error,
    ObjectAssign,
    ObjectDefineProperty,
    ObjectFreeze,
    PromisePrototypeThen,
    PromiseResolve,
    ReflectConstruct,
    ReflectGetOwnPropertyDescriptor,
    ReflectOwnKeys,
    SymbolToStringTag,
    TypeError,
    TypedArrayPrototypeGetBuffer,
    TypedArrayPrototypeGetByteLength,
    TypedArrayPrototypeGetByteOffset,
    TypedArrayPrototypeGetSymbolToStringTag,
    Uint8Array,
  } = primordials;
  const { op_isochron_clone, op_isochron_now, op_isochron_origin, op_isochron_random, op_isochron_uuid } = core.ops;

  // What the later files share; `boot` takes it off the global object.
  const ours = { __proto__: null, uncaught: undefined, seal: undefined };

  // deno_web's scripts get a `core` of ours: an exception that a listener throws comes
  // to `uncaught` instead of ending the process, and after the snapshot no script loads
  // (loading would show the handler our internals).
  let sealed = false;
  const loaded = { __proto__: null };
  const load = (name) => {
    if (name in loaded) return loaded[name];
    if (sealed) throw new Error(`${name} is not available`);
    return (loaded[name] = core.loadExtScript(name));
  };
  ours.seal = () => {
    sealed = true;
  };
  const webCore = ObjectAssign({ __proto__: null }, core, {
    loadExtScript: load,
    reportUnhandledException: (error) => ours.uncaught(error),
    destructureError: () => ({
      __proto__: null,
      exceptionMessage: "",
      frames: [{ __proto__: null, fileName: "", lineNumber: 0, columnNumber: 0 }],
    }),
  });
  webCore.ops = ObjectAssign({ __proto__: null }, core.ops);
  core.ops.op_set_captured_bootstrap({
    __proto__: null,
    primordials,
    core: webCore,
    internals: global.__bootstrap.internals,
  });
  ours.load = load;

  load("ext:deno_webidl/00_webidl.js");
  const url = load("ext:deno_web/00_url.js");
  load("ext:deno_web/00_infra.js");
  load("ext:deno_web/01_console.js");
  const { DOMException } = load("ext:deno_web/01_dom_exception.js");
  const event = load("ext:deno_web/02_event.js");
  const timers = load("ext:deno_web/02_timers.js");
  const abort = load("ext:deno_web/03_abort_signal.js");
  const base64 = load("ext:deno_web/05_base64.js");
  const encoding = load("ext:deno_web/08_text_encoding.js");
  ours.AbortController = abort.AbortController;
  ours.DOMException = DOMException;

  // `reportException` of 02_event.js asks this before it reports.
  event.saveGlobalThisReference({ __proto__: null, dispatchEvent: () => true });

  function structuredClone(value, options) {
    if (options?.transfer !== undefined) {
      throw new DOMException("transfer is not supported", "DataCloneError");
    }
    const result = op_isochron_clone(value);
    if (result.length === 2) throw new DOMException(result[1], "DataCloneError");
    return result[0];
  }

  const ready = PromiseResolve(undefined);
  function queueMicrotask(callback) {
    if (typeof callback !== "function") {
      throw new TypeError("queueMicrotask needs a function");
    }
    PromisePrototypeThen(ready, () => {
      try {
        callback();
      } catch (error) {
        ours.uncaught(error);
      }
    });
  }

  const performance = {
    now() {
      return op_isochron_now();
    },
    get timeOrigin() {
      return op_isochron_origin();
    },
  };
  ObjectDefineProperty(performance, SymbolToStringTag, {
    __proto__: null,
    value: "Performance",
    configurable: true,
  });

  const crypto = {
    randomUUID() {
      const uuid = op_isochron_uuid();
      if (uuid === "") throw new Error("the system has no source of randomness");
      return uuid;
    },
    getRandomValues(array) {
      switch (TypedArrayPrototypeGetSymbolToStringTag(array)) {
        case "Int8Array":
        case "Uint8Array":
        case "Uint8ClampedArray":
        case "Int16Array":
        case "Uint16Array":
        case "Int32Array":
        case "Uint32Array":
        case "BigInt64Array":
        case "BigUint64Array":
          break;
        default:
          throw new DOMException(
            "getRandomValues needs an array of integers",
            "TypeMismatchError",
          );
      }
      const length = TypedArrayPrototypeGetByteLength(array);
      if (length > 65536) {
        throw new DOMException(
          `getRandomValues fills at most 65536 bytes, not ${length}`,
          "QuotaExceededError",
        );
      }
      const bytes = new Uint8Array(
        TypedArrayPrototypeGetBuffer(array),
        TypedArrayPrototypeGetByteOffset(array),
        length,
      );
      if (!op_isochron_random(bytes)) {
        throw new Error("the system has no source of randomness");
      }
      return array;
    },
  };
  ObjectDefineProperty(crypto, SymbolToStringTag, {
    __proto__: null,
    value: "Crypto",
    configurable: true,
  });

  // A resizable buffer takes its memory past the counting allocator, so there are
  // none: the options are not looked at.
  function ArrayBuffer(length) {
    if (new.target === undefined) {
      throw new TypeError("Constructor ArrayBuffer requires 'new'");
    }
    return ReflectConstruct(NativeArrayBuffer, [length], new.target);
  }
  const keys = ReflectOwnKeys(NativeArrayBuffer);
  for (let i = 0; i < keys.length; i++) {
    const descriptor = ReflectGetOwnPropertyDescriptor(NativeArrayBuffer, keys[i]);
    ObjectDefineProperty(ArrayBuffer, keys[i], { __proto__: null, ...descriptor });
  }
  ObjectDefineProperty(NativeArrayBuffer.prototype, "constructor", {
    __proto__: null,
    value: ArrayBuffer,
    writable: true,
    enumerable: false,
    configurable: true,
  });

  const globals = {
    __proto__: null,
    AbortController: abort.AbortController,
    AbortSignal: abort.AbortSignal,
    ArrayBuffer,
    CustomEvent: event.CustomEvent,
    DOMException,
    Event: event.Event,
    EventTarget: event.EventTarget,
    TextDecoder: encoding.TextDecoder,
    TextEncoder: encoding.TextEncoder,
    URL: url.URL,
    URLSearchParams: url.URLSearchParams,
    atob: base64.atob,
    btoa: base64.btoa,
    clearInterval: timers.clearInterval,
    clearTimeout: timers.clearTimeout,
    crypto,
    performance,
    queueMicrotask,
    setInterval: timers.setInterval,
    setTimeout: timers.setTimeout,
    structuredClone,
  };
  ours.define = (name, value) => {
    ObjectDefineProperty(global, name, {
      __proto__: null,
      value,
      writable: true,
      enumerable: false,
      configurable: true,
    });
  };
  for (const name in globals) ours.define(name, globals[name]);

  ObjectDefineProperty(global, "__isochron", {
    __proto__: null,
    value: ours,
    configurable: true,
  });
  ObjectFreeze(globals);
})(globalThis);
