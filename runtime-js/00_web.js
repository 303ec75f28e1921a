// The web APIs of a handler, taken from deno_web. Nothing else of Deno is visible.
//
// Runs once, while the startup snapshot is built. This script and the later ones use only
// primordials, so a handler that patches built-ins does not change them.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    ArrayBuffer: NativeArrayBuffer,
    ArrayBufferPrototypeGetDetached,
    ArrayPrototypeIndexOf,
    Error,
    ObjectAssign,
    ObjectDefineProperty,
    ObjectFreeze,
    ObjectHasOwn,
    PromisePrototypeThen,
    PromiseResolve,
    ObjectPrototypeIsPrototypeOf,
    RangeError,
    ReflectApply,
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

  // State that the scripts share; `boot` removes it from the global object.
  const shared = {
    __proto__: null,
    uncaught: undefined,
    seal: undefined,
    library: undefined,
    environment: undefined, // variables granted to the handler
    unreadable: undefined, // errors of those that cannot be read
    entryFile: "",
    flushOutput: undefined,
  };

  // Longest delay of deno_core's timers in milliseconds: a longer one would fire at once. No
  // run takes that long, so a timer with this delay never fires.
  const LONGEST_DELAY = 2 ** 31 - 1;
  const clampDelay = (milliseconds) => milliseconds > LONGEST_DELAY ? LONGEST_DELAY : milliseconds;

  // deno_web's scripts get a changed `core`: an exception in a listener goes to `uncaught`
  // instead of ending the process, and after the snapshot a script comes from the library
  // (deno_core's own loader panics if the run is stopped meanwhile).
  let sealed = false;
  const loaded = {
    __proto__: null,
    // Nothing here has messages between ports, a location, or a client of Deno's own.
    "ext:deno_web/12_location.js": { getLocationHref: () => undefined },
    "ext:deno_web/13_message_port.js": { markNotSerializable: () => {} },
    "ext:deno_fetch/22_http_client.js": { HttpClientPrototype: {} },
  };
  const load = (name) => {
    if (name in loaded) return loaded[name];
    return sealed ? shared.loadLate(name) : (loaded[name] = core.loadExtScript(name));
  };
  shared.seal = () => {
    sealed = true;
  };
  const webCore = ObjectAssign({ __proto__: null }, core, {
    loadExtScript: load,
    createSystemTimer: (callback, after, isRefed) =>
      core.createSystemTimer(callback, clampDelay(after), isRefed),
    reportUnhandledException: (error) => shared.uncaught(error),
    destructureError: () => ({
      __proto__: null,
      exceptionMessage: "",
      frames: [{ __proto__: null, fileName: "", lineNumber: 0, columnNumber: 0 }],
    }),
  });
  webCore.ops = ObjectAssign({ __proto__: null }, core.ops);
  shared.bootstrap = {
    __proto__: null,
    primordials,
    core: webCore,
    internals: global.__bootstrap.internals,
  };
  core.ops.op_set_captured_bootstrap(shared.bootstrap);
  shared.load = load;

  const webidl = load("ext:deno_webidl/00_webidl.js");
  const url = load("ext:deno_web/00_url.js");
  load("ext:deno_web/00_infra.js");
  load("ext:deno_web/01_console.js");
  const { DOMException } = load("ext:deno_web/01_dom_exception.js");
  const event = load("ext:deno_web/02_event.js");
  const timers = load("ext:deno_web/02_timers.js");
  const abort = load("ext:deno_web/03_abort_signal.js");
  const base64 = load("ext:deno_web/05_base64.js");
  const encoding = load("ext:deno_web/08_text_encoding.js");
  shared.AbortController = abort.AbortController;
  shared.DOMException = DOMException;

  // `structuredClone` refuses objects that have the brand, also by their prototypes.
  ObjectDefineProperty(event.Event.prototype, webidl.brand, { __proto__: null, value: webidl.brand });

  // `reportException` of 02_event.js calls this before it reports.
  event.saveGlobalThisReference({ __proto__: null, dispatchEvent: () => true });

  // deno_core makes an op's error from the name of its class and throws `undefined` for an
  // unknown name. Of the ops in use only this class is unknown.
  core.registerErrorBuilder(
    "DOMExceptionInvalidCharacterError",
    (message) => new DOMException(message, "InvalidCharacterError"),
  );

  // --- timers ---

  /** A timer function that takes a delay of any length. */
  const timer = (name, start) => ({
    [name](callback, timeout) {
      const args = arguments;
      if (args.length > 1) args[1] = clampDelay(+timeout);
      // As in Node, not as a browser: a program may keep the function in an object of its own.
      return ReflectApply(start, undefined, args);
    },
  })[name];

  const canceller = (name, clear) => ({
    [name](id) {
      clear(id);
    },
  })[name];

  // --- structuredClone ---

  const PREFIX = "Failed to execute 'structuredClone'";
  const toOptions = webidl.createDictionaryConverter("StructuredSerializeOptions", [
    {
      key: "transfer",
      converter: webidl.converters["sequence<object>"],
      get defaultValue() {
        return [];
      },
    },
  ]);
  const uncloneable = (text) => new DOMException(text, "DataCloneError");
  const isDOMException = (value) =>
    ObjectPrototypeIsPrototypeOf(DOMException.prototype, value) && core.isNativeError(value);

  // Functions that copy an object of their own class, or return `undefined`; scripts of the
  // library add theirs.
  shared.cloners = [];

  /** Copies an object of the web APIs; throws for one that the standard does not clone. */
  function copyWebObject(object) {
    if (!isDOMException(object)) {
      for (let i = 0; i < shared.cloners.length && ObjectHasOwn(object, webidl.brand); i++) {
        const copy = shared.cloners[i](object);
        if (copy !== undefined) return copy;
      }
      const kind = object[SymbolToStringTag];
      throw uncloneable(`#<${typeof kind === "string" ? kind : "Object"}> could not be cloned.`);
    }
    const copy = new DOMException(object.message, object.name);
    const own = ReflectGetOwnPropertyDescriptor(object, "stack");
    if (own !== undefined) {
      ObjectDefineProperty(copy, "stack", {
        __proto__: null,
        value: `${object.stack}`,
        writable: true,
        enumerable: false,
        configurable: true,
      });
    }
    return copy;
  }

  function checkTransfer(list) {
    for (let i = 0; i < list.length; i++) {
      const buffer = list[i];
      if (!core.isArrayBuffer(buffer)) {
        throw uncloneable("only ArrayBuffers can be transferred");
      }
      if (ArrayBufferPrototypeGetDetached(buffer)) {
        throw uncloneable("an ArrayBuffer in transfer has been transferred before");
      }
      if (ArrayPrototypeIndexOf(list, buffer) !== i) {
        throw uncloneable("an ArrayBuffer is in transfer twice");
      }
    }
  }

  function structuredClone(value, options) {
    webidl.requiredArguments(arguments.length, 1, PREFIX);
    let transfer = [];
    if (options !== undefined && options !== null) {
      ({ transfer } = toOptions(options, PREFIX, "Argument 2"));
      checkTransfer(transfer);
    }
    const result = op_isochron_clone(value, transfer, webidl.brand, copyWebObject);
    if (result.length === 2) throw uncloneable(result[1]);
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
        shared.uncaught(error);
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

  shared.crypto = crypto;

  // V8 gives a resizable buffer memory that the counting allocator does not see.
  function ArrayBuffer(length, options) {
    if (new.target === undefined) {
      throw new TypeError("Constructor ArrayBuffer requires 'new'");
    }
    if (typeof options === "object" && options !== null && options.maxByteLength !== undefined) {
      throw new RangeError(
        "an ArrayBuffer cannot be resizable here: leave out maxByteLength, and use " +
          "buffer.transfer(size) to get one of another size",
      );
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
    CloseEvent: event.CloseEvent,
    CustomEvent: event.CustomEvent,
    DOMException,
    ErrorEvent: event.ErrorEvent,
    Event: event.Event,
    EventTarget: event.EventTarget,
    MessageEvent: event.MessageEvent,
    ProgressEvent: event.ProgressEvent,
    PromiseRejectionEvent: event.PromiseRejectionEvent,
    TextDecoder: encoding.TextDecoder,
    TextDecoderStream: encoding.TextDecoderStream,
    TextEncoder: encoding.TextEncoder,
    TextEncoderStream: encoding.TextEncoderStream,
    URL: url.URL,
    URLSearchParams: url.URLSearchParams,
    atob: base64.atob,
    btoa: base64.btoa,
    clearInterval: canceller("clearInterval", timers.clearInterval),
    clearTimeout: canceller("clearTimeout", timers.clearTimeout),
    crypto,
    global,
    performance,
    queueMicrotask,
    self: global,
    setInterval: timer("setInterval", timers.setInterval),
    setTimeout: timer("setTimeout", timers.setTimeout),
    structuredClone,
  };
  shared.define = (name, value) => {
    ObjectDefineProperty(global, name, {
      __proto__: null,
      value,
      writable: true,
      enumerable: false,
      configurable: true,
    });
  };
  for (const name in globals) shared.define(name, globals[name]);

  ObjectDefineProperty(global, "__isochron", {
    __proto__: null,
    value: shared,
    configurable: true,
  });
  ObjectFreeze(globals);
})(globalThis);
