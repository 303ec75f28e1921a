// A run: load the handler, call it, look at what came of it. Rust calls `start`, keeps
// the event loop going while the returned promise is pending, then calls `settled` or
// `failed`; each run ends with exactly one `op_isochron_end` that counts, the first.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    ArrayIsArray,
    ArrayPrototypeJoin,
    ArrayPrototypeSlice,
    Error,
    ErrorPrototype,
    FunctionPrototypeToString,
    JSONParse,
    JSONStringify,
    MapPrototypeGet,
    MapPrototypeSet,
    Number,
    NumberPrototypeToString,
    ObjectDefineProperty,
    ObjectFreeze,
    ObjectHasOwn,
    ObjectKeys,
    PromiseResolve,
    ReflectApply,
    ReflectDefineProperty,
    ReflectDeleteProperty,
    ReflectGetOwnPropertyDescriptor,
    ReflectGetPrototypeOf,
    SafeMap,
    StringPrototypeCharCodeAt,
    StringPrototypeEndsWith,
    StringPrototypeIncludes,
    StringPrototypeSlice,
    StringPrototypeStartsWith,
  } = primordials;
  const { op_isochron_end, op_isochron_invocation, op_isochron_signal } = core.ops;
  const ours = global.__isochron;

  // Ends, as `op_isochron_end` knows them.
  const RETURNED = 0;
  const LOADED = 1;
  const EXCEPTION = 2;
  const RETURNED_FAILURE = 3;
  const BAD_RESULT = 4;
  const LOAD_ERROR = 5;
  // Why the signal is aborted, as in `watch.rs`.
  const NEAR_TIMEOUT = 1;

  let resultLimit = 0;
  let waitedFor; // the handler's promise

  const end = (code, error, stack, result) =>
    op_isochron_end(code, error ?? "", stack ?? "", result ?? "");

  /** Runs what promises still have to do, and reports the rejections nobody handles. */
  const flush = () => core.processTicksAndRejections();

  function exception(thrown) {
    end(EXCEPTION, ours.describe(thrown), ours.stackOf(thrown));
  }

  // An exception outside any promise, as in a timer: nobody else can learn of it.
  ours.uncaught = exception;
  core.setReportExceptionCallback(exception);
  core.setUnhandledPromiseRejectionHandler((promise, reason) => {
    if (promise !== waitedFor) {
      const stack = ours.stackOf(reason);
      const where = stack === "" ? "" : `\n${stack}`;
      ours.warn(`Unhandled promise rejection: ${ours.describe(reason)}${where}`);
    }
    return true;
  });

  // --- ctx ---

  let controller;
  let abortedWith = 0;
  const abortReason = (why) =>
    why === NEAR_TIMEOUT
      ? new ours.DOMException("the run's timeout is near", "TimeoutError")
      : new ours.DOMException("the run is cancelled", "AbortError");
  function signal() {
    if (controller === undefined) {
      controller = new ours.AbortController();
      const why = abortedWith || op_isochron_signal();
      if (why !== 0) controller.abort(abortReason(why));
    }
    return controller.signal;
  }
  function abort(why) {
    abortedWith = why;
    controller?.abort(abortReason(why));
  }

  function makeContext(given) {
    const context = {
      taskId: given.taskId,
      taskName: given.taskName,
      executionId: given.executionId,
      attempt: given.attempt,
      maxAttempts: given.maxAttempts,
      trigger: given.trigger,
      scheduledFor: given.scheduledFor,
    };
    // Made when first looked at: most handlers never do, and then nobody need wait
    // for them to react to it.
    ObjectDefineProperty(context, "signal", {
      __proto__: null,
      get: signal,
      enumerable: true,
      configurable: false,
    });
    return ObjectFreeze(context);
  }

  // --- loading ---

  function found(exports) {
    if (exports === null) return "null";
    if (typeof exports === "function") return notCallable(exports);
    if (typeof exports !== "object") return `a ${typeof exports}`;
    if (ArrayIsArray(exports)) return "an array";
    if (core.isPromise(exports)) return "a promise";
    const keys = ObjectKeys(exports);
    if (keys.length === 0) return "an empty object";
    const own = ReflectGetOwnPropertyDescriptor(exports, "default");
    if (own !== undefined) return `an object whose default is ${found(own.value)}`;
    const shown = ArrayPrototypeJoin(ArrayPrototypeSlice(keys, 0, 5), ", ");
    return `an object with ${shown}${keys.length > 5 ? ", \u2026" : ""}`;
  }

  const GeneratorPrototype = ReflectGetPrototypeOf(function* () {});

  /** Why calling a function would not run it: its kind. Nothing if it would. */
  function notCallable(exported) {
    if (core.isGeneratorFunction(exported)) {
      return ReflectGetPrototypeOf(exported) === GeneratorPrototype
        ? "a generator function"
        : "an async generator function";
    }
    // Only of classes, the language's own among them, can `prototype` not be written;
    // and of functions that somebody froze.
    const prototype = ReflectGetOwnPropertyDescriptor(exported, "prototype");
    if (prototype === undefined || prototype.writable !== false) return undefined;
    const text = FunctionPrototypeToString(exported);
    return StringPrototypeStartsWith(text, "class") || StringPrototypeEndsWith(text, "{ [native code] }")
      ? "a class"
      : undefined;
  }

  const isHandler = (exported) =>
    typeof exported === "function" && notCallable(exported) === undefined;

  function load(invocation) {
    const { file } = invocation;
    let exports;
    try {
      exports = ours.loadEntry(file, invocation.system);
      if (isHandler(exports)) return exports;
      if (typeof exports === "object" && exports !== null) {
        const byDefault = exports.default;
        if (isHandler(byDefault)) return byDefault;
      }
    } catch (error) {
      let text = ours.describe(error);
      const stack = ours.stackOf(error);
      if (!ours.isExplained(error)) {
        const frame = ours.firstFrame(stack);
        text += frame === "" ? ` (while loading ${file})` : `, ${frame}`;
      }
      flush();
      end(LOAD_ERROR, text, stack);
      return undefined;
    }
    let what = "something that cannot be looked at";
    try {
      what = found(exports);
    } catch {
      // A proxy that throws.
    }
    flush();
    end(
      LOAD_ERROR,
      `${file} exports ${what}; a handler exports a function: ` +
        "module.exports = async (params, ctx) => { \u2026 }",
    );
    return undefined;
  }

  function start() {
    const invocation = op_isochron_invocation();
    resultLimit = invocation.resultLimit;
    const handler = load(invocation);
    if (handler === undefined) return undefined;
    if (!invocation.call) {
      flush();
      end(LOADED);
      return undefined;
    }
    let value;
    try {
      const params = JSONParse(invocation.params);
      value = ReflectApply(handler, undefined, [params, makeContext(invocation.context)]);
    } catch (error) {
      failed(error);
      return undefined;
    }
    if (typeof value === "object" && value !== null || typeof value === "function") {
      // As `await` does it: a plain promise is itself, of anything else `then` is called.
      try {
        return (waitedFor = PromiseResolve(value));
      } catch (error) {
        failed(error);
        return undefined;
      }
    }
    settled(value);
    return undefined;
  }

  // --- the end ---

  function failed(error) {
    flush();
    exception(error);
  }

  function settled(value) {
    flush();
    let failure;
    try {
      failure = reportedFailure(value);
    } catch (error) {
      badResult(error);
      return;
    }
    let result;
    try {
      result = resultText(value);
    } catch (error) {
      if (failure === undefined) {
        badResult(error, value);
        return;
      }
    }
    if (failure === undefined) end(RETURNED, "", "", result);
    else end(RETURNED_FAILURE, failure.error, failure.stack, result);
  }

  function badResult(error, value) {
    const place = value === undefined ? "" : placeOf(value, (inner) => typeof inner === "bigint");
    const at = place === "" ? "" : ` at ${place}`;
    end(BAD_RESULT, `the result is not JSON${at}: ${ours.describe(error)}`, ours.stackOf(error));
  }

  function reportedFailure(value) {
    if (typeof value !== "object" || value === null) return undefined;
    if (ours.isError(value)) return { error: ours.describe(value), stack: ours.stackOf(value) };
    const own = ReflectGetOwnPropertyDescriptor(value, "success");
    if (own === undefined || value.success !== false) return undefined;
    const error = value.error;
    if (error === undefined || error === null || error === "") {
      return { error: "the handler returned success: false" };
    }
    if (typeof error === "string") return { error: ours.short(error) };
    if (ours.isError(error)) {
      const { message } = error;
      const plain = typeof message === "string" && message !== "";
      return {
        error: plain ? ours.short(message) : ours.describe(error),
        stack: ours.stackOf(error),
      };
    }
    return { error: ours.short(ours.inspect(error, { __proto__: null, depth: 2 })) };
  }

  function resultText(value) {
    if (value === undefined) return "null";
    if (typeof value === "function" || typeof value === "symbol") {
      throw new Error(`it is a ${typeof value}`);
    }
    if (core.isGeneratorObject(value)) {
      throw new Error("it is a generator: nothing of it has run");
    }
    const text = typeof value === "object" ? stringify(value) : JSONStringify(value);
    if (text === undefined) throw new Error("it has no JSON form");
    if (text.length > resultLimit) return shortened(value, text);
    if (StringPrototypeIncludes(text, "{}")) warnOfEmpty(value);
    return text;
  }

  /** Warns of the first thing in a result that JSON keeps as `{}` though it may hold much. */
  function warnOfEmpty(value) {
    let advice = "";
    const place = placeOf(value, (inner) => {
      if (core.isPromise(inner)) advice = "a promise, which JSON keeps as {}: await it first";
      else if (core.isMap(inner)) advice = "a Map, which JSON keeps as {}: use Object.fromEntries(map)";
      else if (core.isSet(inner)) advice = "a Set, which JSON keeps as {}: use Array.from(set)";
      return advice !== "";
    });
    if (advice !== "") ours.warn(`${place} is ${advice}`);
  }

  /** JSON in which an Error keeps its name and message, unless it has a `toJSON`. */
  function stringify(value) {
    const added = !ObjectHasOwn(ErrorPrototype, "toJSON") &&
      ReflectDefineProperty(ErrorPrototype, "toJSON", {
        __proto__: null,
        value: errorAsJson,
        writable: true,
        enumerable: false,
        configurable: true,
      });
    try {
      return JSONStringify(value);
    } finally {
      if (added) ReflectDeleteProperty(ErrorPrototype, "toJSON");
    }
  }
  function errorAsJson() {
    return { name: `${this.name}`, message: `${this.message}`, ...this };
  }

  function shortened(value, text) {
    let size = 1000;
    const last = StringPrototypeCharCodeAt(text, size - 1);
    if (last >= 0xd800 && last < 0xdc00) size--; // not half a character
    const preview = StringPrototypeSlice(text, 0, size);
    const summary = `${kindOf(value)}, ${counted(text.length, "character")} as JSON`;
    return JSONStringify({ truncated: true, summary, preview });
  }

  function kindOf(value) {
    try {
      if (ArrayIsArray(value)) return `an array of ${counted(value.length, "item")}`;
      if (typeof value === "object" && value !== null) {
        return `an object with ${counted(ObjectKeys(value).length, "key")}`;
      }
      if (typeof value === "string") {
        return `a string of ${counted(value.length, "character")}`;
      }
    } catch {
      // A proxy that throws.
    }
    return `a ${typeof value}`;
  }

  const counted = (number, what) => `${grouped(number)} ${what}${number === 1 ? "" : "s"}`;

  /** 1234567 as 1,234,567 */
  function grouped(number) {
    let rest = NumberPrototypeToString(Number(number), 10);
    let text = "";
    while (rest.length > 3) {
      text = `,${StringPrototypeSlice(rest, -3)}${text}`;
      rest = StringPrototypeSlice(rest, 0, -3);
    }
    return rest + text;
  }

  /** Where in a result the first wanted value stands: `result.items[3].id`; empty if unknown. */
  function placeOf(value, isWanted) {
    const paths = new SafeMap();
    let place = "";
    try {
      JSONStringify(value, function (key, inner) {
        const path = MapPrototypeGet(paths, this) ?? "result";
        const here = key === "" && place === ""
          ? "result"
          : ArrayIsArray(this)
          ? `${path}[${key}]`
          : `${path}.${key}`;
        place = here;
        if (isWanted(inner)) throw new Error("here");
        place = "?";
        if (typeof inner === "object" && inner !== null) MapPrototypeSet(paths, inner, here);
        return inner;
      });
    } catch {
      return place === "?" ? "" : ours.short(place);
    }
    return "";
  }

  /** After a warm-up: as if nothing had run. */
  function forget() {
    ours.forgetModules();
    ours.forgetConsole();
    waitedFor = undefined;
    controller = undefined;
    abortedWith = 0;
    resultLimit = 0;
  }

  // --- once per isolate, before the handler is known ---

  function boot(webAssembly) {
    ours.seal();
    ours.bootErrors();
    delete global.Deno;
    delete global.__bootstrap;
    delete global.__isochron;
    const { Atomics, SharedArrayBuffer, WebAssembly } = global;
    delete global.SharedArrayBuffer;
    // A shared memory of WebAssembly has this prototype: without these it leads to no
    // buffer that the limits do not know.
    delete SharedArrayBuffer.prototype.constructor;
    delete SharedArrayBuffer.prototype.grow;
    // deno_core panics when a stream comes that nobody told it how to read.
    delete WebAssembly.compileStreaming;
    delete WebAssembly.instantiateStreaming;
    if (!webAssembly) delete global.WebAssembly;
    delete Atomics.wait;
    delete Atomics.waitAsync;
    delete Atomics.notify;
  }

  ours.start = start;
  ours.settled = settled;
  ours.failed = failed;
  ours.abort = abort;
  ours.forget = forget;
  ours.boot = boot;
})(globalThis);
