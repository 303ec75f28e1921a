// A run: loads the handler, calls it and reports its end. Rust calls `start`, turns the
// event loop while the returned promise is pending, then calls `finish` or `fail`. The first
// `op_isochron_end` of a run counts.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    ArrayIsArray,
    Error,
    ErrorPrototype,
    JSONParse,
    JSONStringify,
    MapPrototypeGet,
    MapPrototypeSet,
    Number,
    NumberPrototypeToString,
    ObjectFreeze,
    ObjectHasOwn,
    ObjectKeys,
    PromisePrototypeThen,
    PromiseResolve,
    ReflectApply,
    ReflectDefineProperty,
    ReflectDeleteProperty,
    ReflectGetOwnPropertyDescriptor,
    SafeMap,
    StringPrototypeCharCodeAt,
    StringPrototypeIncludes,
    StringPrototypeSlice,
  } = primordials;
  const { op_isochron_end, op_isochron_invocation, op_isochron_signal } = core.ops;
  const shared = global.__isochron;

  // Codes of `op_isochron_end`.
  const RETURNED = 0;
  const LOADED = 1;
  const EXCEPTION = 2;
  const RETURNED_FAILURE = 3;
  const BAD_RESULT = 4;
  const LOAD_ERROR = 5;
  // `Abort::Timeout` of `watch.rs`.
  const NEAR_TIMEOUT = 1;

  let resultLimit = 0;
  let awaited; // the handler's promise
  let opaque; // set if the handler is bound: V8 does not tell to which kind of function

  const end = (code, error, stack, result) => {
    if (shared.flushProgress !== undefined) shared.flushProgress();
    op_isochron_end(code, error ?? "", stack ?? "", result ?? "");
  };

  /** Runs the pending reactions of promises and reports unhandled rejections. */
  const flush = () => {
    core.processTicksAndRejections();
    if (shared.flushOutput !== undefined) shared.flushOutput();
  };

  function endWithException(thrown) {
    end(EXCEPTION, shared.describe(thrown), shared.stackOf(thrown));
  }

  // An exception outside any promise, as in a timer, ends the run.
  shared.uncaught = endWithException;
  core.setReportExceptionCallback(endWithException);
  core.setUnhandledPromiseRejectionHandler((promise, reason) => {
    if (promise !== awaited) {
      const stack = shared.stackOf(reason);
      const where = stack === "" ? "" : `\n${stack}`;
      shared.warn(`Unhandled promise rejection: ${shared.describe(reason)}${where}`);
    }
    return true;
  });

  // --- ctx ---

  let controller;
  let abortedWith = 0;
  const abortReason = (why) =>
    why === NEAR_TIMEOUT
      ? new shared.DOMException("the run's timeout is near", "TimeoutError")
      : new shared.DOMException("the run is cancelled", "AbortError");
  function signal() {
    if (controller === undefined) {
      controller = new shared.AbortController();
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
    // The getters make their values at the first use. Most handlers never use `signal`, and then a
    // cancelled run is stopped without waiting.
    const context = {
      taskId: given.taskId,
      taskName: given.taskName,
      executionId: given.executionId,
      attempt: given.attempt,
      maxAttempts: given.maxAttempts,
      trigger: given.trigger,
      scheduledFor: given.scheduledFor,
      after: given.after === null || given.after === undefined ? null : JSONParse(given.after),
      idempotencyKey: `${given.taskId}/${given.scheduledFor}`,
      traceparent: given.traceparent ?? null,
      get signal() {
        return signal();
      },
      get kv() {
        return shared.library("ext:isochron/ctx/kv.js").kv;
      },
      get secrets() {
        return shared.library("ext:isochron/ctx/secrets.js").secrets;
      },
      get step() {
        return shared.library("ext:isochron/ctx/steps.js").step;
      },
      get progress() {
        return shared.library("ext:isochron/ctx/progress.js").progress;
      },
    };
    return ObjectFreeze(context);
  }

  // --- loading ---

  function load(invocation) {
    const { file } = invocation;
    try {
      const entry = shared.loadEntry(file, invocation.module, invocation.system);
      if (entry.pending === undefined) return handlerOf(file, entry);
      // A top-level `await` of the handler's own file has not ended.
      awaited = PromisePrototypeThen(
        entry.pending,
        () => begin(invocation, handlerOf(file, entry)),
        (error) => endLoading(file, error),
      );
    } catch (error) {
      endLoading(file, error);
    }
    return undefined;
  }

  function endLoading(file, error) {
    let text = shared.describe(error);
    const stack = shared.stackOf(error);
    if (!shared.hasExplanation(error)) {
      const frame = shared.firstFrame(stack);
      text += frame === "" ? ` (while loading ${file})` : `, ${frame}`;
    }
    flush();
    end(LOAD_ERROR, text, stack);
  }

  /** The function that a loaded file exports; ends the run and returns `undefined` if there is none. */
  function handlerOf(file, { exports, isModule }) {
    let found;
    try {
      found = shared.handlerOf(exports);
    } catch (error) {
      endLoading(file, error);
      return undefined;
    }
    if (found.handler === undefined) endWithoutHandler(file, isModule, found.description);
    else if (found.isOpaque) opaque = { file, isModule };
    return found.handler;
  }

  function endWithoutHandler(file, isModule, description) {
    flush();
    end(
      LOAD_ERROR,
      `${file} exports ${description}; a handler exports a function: ` +
        `${isModule ? "export default" : "module.exports ="} async (params, ctx) => { \u2026 }`,
    );
  }

  /** Calls the handler, or ends a load check. */
  function begin(invocation, handler) {
    if (handler === undefined) return undefined;
    if (!invocation.call) {
      flush();
      end(LOADED);
      return undefined;
    }
    const params = JSONParse(invocation.params);
    return ReflectApply(handler, undefined, [params, makeContext(invocation.context)]);
  }

  function start() {
    const invocation = op_isochron_invocation();
    resultLimit = invocation.resultLimit;
    shared.entryFile = invocation.file;
    shared.environment = invocation.environment;
    shared.unreadable = invocation.unreadable;
    const handler = load(invocation);
    if (handler === undefined) return awaited;
    if (!invocation.call) return begin(invocation, handler);
    let value;
    try {
      value = begin(invocation, handler);
    } catch (error) {
      if (opaque !== undefined && shared.isClassCall(error)) {
        endWithoutHandler(opaque.file, opaque.isModule, "a class");
      }
      fail(error);
      return undefined;
    }
    if (typeof value === "object" && value !== null || typeof value === "function") {
      // As `await` does: a plain promise is taken as it is, any other value's `then` is called.
      try {
        return (awaited = PromiseResolve(value));
      } catch (error) {
        fail(error);
        return undefined;
      }
    }
    finish(value);
    return undefined;
  }

  // --- the end ---

  function fail(error) {
    flush();
    endWithException(error);
  }

  function finish(value) {
    flush();
    if (opaque !== undefined && core.isGeneratorObject(value)) {
      endWithoutHandler(opaque.file, opaque.isModule, "a generator function");
    }
    let failure;
    try {
      failure = failureOf(value);
    } catch (error) {
      endWithBadResult(error);
      return;
    }
    let result;
    try {
      result = resultText(value);
    } catch (error) {
      if (failure === undefined) {
        endWithBadResult(error, value);
        return;
      }
    }
    if (failure === undefined) end(RETURNED, "", "", result);
    else end(RETURNED_FAILURE, failure.error, failure.stack, result);
  }

  function endWithBadResult(error, value) {
    const path = value === undefined ? "" : pathOf(value, (inner) => typeof inner === "bigint");
    const at = path === "" ? "" : ` at ${path}`;
    end(BAD_RESULT, `the result is not JSON${at}: ${shared.describe(error)}`, shared.stackOf(error));
  }

  function failureOf(value) {
    if (typeof value !== "object" || value === null) return undefined;
    if (shared.isError(value)) return { error: shared.describe(value), stack: shared.stackOf(value) };
    const own = ReflectGetOwnPropertyDescriptor(value, "success");
    if (own === undefined || value.success !== false) return undefined;
    const error = value.error;
    if (error === undefined || error === null || error === "") {
      return { error: "the handler returned success: false" };
    }
    if (typeof error === "string") return { error: shared.short(error) };
    if (shared.isError(error)) {
      const { message } = error;
      const plain = typeof message === "string" && message !== "";
      return {
        error: plain ? shared.short(message) : shared.describe(error),
        stack: shared.stackOf(error),
      };
    }
    return { error: shared.short(shared.inspect(error, { __proto__: null, depth: 2 })) };
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
    if (text.length > resultLimit) return shorten(value, text);
    if (StringPrototypeIncludes(text, "{}")) warnOfEmpty(value);
    return text;
  }

  // Warnings of one result.
  const MOST_WARNINGS = 10;

  function adviceOn(value) {
    if (core.isPromise(value)) return "a promise, which JSON keeps as {}: await it first";
    if (core.isMap(value)) return "a Map, which JSON keeps as {}: use Object.fromEntries(map)";
    if (core.isSet(value)) return "a Set, which JSON keeps as {}: use Array.from(set)";
    return undefined;
  }

  /** Warns of the promises, Maps and Sets in a result: JSON keeps them as `{}`. */
  function warnOfEmpty(value) {
    let found = 0;
    pathOf(value, (inner, path) => {
      const advice = adviceOn(inner);
      if (advice === undefined) return false;
      found++;
      if (found <= MOST_WARNINGS) shared.warn(`${path} is ${advice}`);
      return false;
    });
    const more = found - MOST_WARNINGS;
    if (more > 0) shared.warn(`and ${count(more, "more value")} of the result, which JSON keeps as {}`);
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

  function shorten(value, text) {
    let size = 1000;
    const last = StringPrototypeCharCodeAt(text, size - 1);
    if (last >= 0xd800 && last < 0xdc00) size--; // not half a character
    const preview = StringPrototypeSlice(text, 0, size);
    const summary = `${kindOf(value)}, ${count(text.length, "character")} as JSON`;
    return JSONStringify({ truncated: true, summary, preview });
  }

  function kindOf(value) {
    try {
      if (ArrayIsArray(value)) return `an array of ${count(value.length, "item")}`;
      if (typeof value === "object" && value !== null) {
        return `an object with ${count(ObjectKeys(value).length, "key")}`;
      }
      if (typeof value === "string") {
        return `a string of ${count(value.length, "character")}`;
      }
    } catch {
      // A proxy that throws.
    }
    return `a ${typeof value}`;
  }

  const count = (number, noun) => `${groupDigits(number)} ${noun}${number === 1 ? "" : "s"}`;

  /** 1234567 as 1,234,567 */
  function groupDigits(number) {
    let rest = NumberPrototypeToString(Number(number), 10);
    let text = "";
    while (rest.length > 3) {
      text = `,${StringPrototypeSlice(rest, -3)}${text}`;
      rest = StringPrototypeSlice(rest, 0, -3);
    }
    return rest + text;
  }

  /**
   * The path of the first wanted value in a result: `result.items[3].id`; empty if unknown. `isWanted` is
   * given each value and its path.
   */
  function pathOf(value, isWanted) {
    const paths = new SafeMap();
    let last = "";
    try {
      JSONStringify(value, function (key, inner) {
        const parent = MapPrototypeGet(paths, this) ?? "result";
        const path = key === "" && last === ""
          ? "result"
          : ArrayIsArray(this)
          ? `${parent}[${key}]`
          : `${parent}.${key}`;
        last = path;
        if (isWanted(inner, shared.short(path))) throw new Error("found");
        last = "?";
        if (typeof inner === "object" && inner !== null) MapPrototypeSet(paths, inner, path);
        return inner;
      });
    } catch {
      return last === "?" ? "" : shared.short(last);
    }
    return "";
  }

  /** Clears all state after the warm-up. */
  function forget() {
    shared.forgetModules();
    shared.forgetLibrary();
    shared.forgetConsole();
    awaited = undefined;
    opaque = undefined;
    controller = undefined;
    abortedWith = 0;
    resultLimit = 0;
    shared.entryFile = "";
    shared.flushOutput = undefined;
    shared.flushProgress = undefined;
  }

  // --- once per isolate, before the handler is known ---

  function boot(webAssembly) {
    shared.seal();
    shared.bootErrors();
    delete global.Deno;
    delete global.__bootstrap;
    delete global.__isochron;
    const { Atomics, SharedArrayBuffer, WebAssembly } = global;
    delete global.SharedArrayBuffer;
    // A shared memory of WebAssembly has this prototype; its constructor and `grow` would
    // make buffers outside the limits.
    delete SharedArrayBuffer.prototype.constructor;
    delete SharedArrayBuffer.prototype.grow;
    // deno_core panics on a stream for which no reader is registered.
    delete WebAssembly.compileStreaming;
    delete WebAssembly.instantiateStreaming;
    if (!webAssembly) delete global.WebAssembly;
    delete Atomics.wait;
    delete Atomics.waitAsync;
    delete Atomics.notify;
  }

  shared.start = start;
  shared.finish = finish;
  shared.fail = fail;
  shared.abort = abort;
  shared.forget = forget;
  shared.boot = boot;
})(globalThis);
