// Exports: the function that a handler's file exports, or a description of what it exports instead.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    ArrayIsArray,
    ArrayPrototypeJoin,
    ArrayPrototypeSlice,
    FunctionPrototypeToString,
    ObjectKeys,
    ReflectGetOwnPropertyDescriptor,
    ReflectGetPrototypeOf,
    StringPrototypeEndsWith,
    StringPrototypeStartsWith,
  } = primordials;
  const shared = global.__isochron;

  const NATIVE = "{ [native code] }";

  function describeExports(exports) {
    if (exports === null) return "null";
    if (typeof exports === "function") return kindOfUncallable(exports);
    if (typeof exports !== "object") return `a ${typeof exports}`;
    if (ArrayIsArray(exports)) return "an array";
    if (core.isPromise(exports)) return "a promise";
    const keys = ObjectKeys(exports);
    if (keys.length === 0) return "an empty object";
    const own = ReflectGetOwnPropertyDescriptor(exports, "default");
    if (own !== undefined) return `an object whose default is ${describeExports(own.value)}`;
    const shown = ArrayPrototypeJoin(ArrayPrototypeSlice(keys, 0, 5), ", ");
    return `an object with ${shown}${keys.length > 5 ? ", \u2026" : ""}`;
  }

  const GeneratorPrototype = ReflectGetPrototypeOf(function* () {});

  // Proxies around proxies that are looked through.
  const DEEPEST = 8;

  /** The kind of a function whose call does not run its body; `undefined` for any other. */
  function kindOfUncallable(exported) {
    let inner = exported;
    // A proxy without `apply` calls its target.
    for (let depth = 0; core.isProxy(inner) && depth < DEEPEST; depth++) {
      const { 0: target, 1: traps } = core.getProxyDetails(inner);
      if (typeof target !== "function" || traps?.apply !== undefined) return undefined;
      inner = target;
    }
    if (core.isGeneratorFunction(inner)) {
      return ReflectGetPrototypeOf(inner) === GeneratorPrototype
        ? "a generator function"
        : "an async generator function";
    }
    // `prototype` is read-only only in classes, the language's own included, and in frozen
    // functions.
    const prototype = ReflectGetOwnPropertyDescriptor(inner, "prototype");
    if (prototype === undefined || prototype.writable !== false) return undefined;
    const text = FunctionPrototypeToString(inner);
    return StringPrototypeStartsWith(text, "class") || StringPrototypeEndsWith(text, NATIVE)
      ? "a class"
      : undefined;
  }

  /** Whether a function is bound, or native: V8 does not tell what it calls. */
  const isOpaque = (exported) => StringPrototypeEndsWith(FunctionPrototypeToString(exported), NATIVE);

  /** Whether an error is V8's for the call of a class. */
  shared.isClassCall = (error) => {
    try {
      return core.isNativeError(error) && StringPrototypeStartsWith(`${error.message}`, "Class constructor ");
    } catch {
      return false;
    }
  };

  const isHandler = (exported) =>
    typeof exported === "function" && kindOfUncallable(exported) === undefined;

  /**
   * The handler in the exports of a file: `{ handler, isOpaque }`, or `{ description }`. Reads the
   * property `default`, which may throw.
   */
  shared.handlerOf = (exports) => {
    if (isHandler(exports)) return { __proto__: null, handler: exports, isOpaque: isOpaque(exports) };
    if (typeof exports === "object" && exports !== null) {
      const byDefault = exports.default;
      if (isHandler(byDefault)) return { __proto__: null, handler: byDefault, isOpaque: isOpaque(byDefault) };
    }
    let description = "something that cannot be inspected";
    try {
      description = describeExports(exports);
    } catch {
      // A proxy that throws.
    }
    return { __proto__: null, handler: undefined, description };
  };
})(globalThis);
