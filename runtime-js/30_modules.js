// require(): CommonJS as in Node, with the server in place of the file system.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    Error,
    JSONParse,
    JSONStringify,
    MapPrototypeClear,
    MapPrototypeDelete,
    MapPrototypeGet,
    MapPrototypeSet,
    ObjectDefineProperty,
    ObjectFreeze,
    ReflectApply,
    SafeMap,
    StringPrototypeLastIndexOf,
    StringPrototypeSlice,
    StringPrototypeStartsWith,
    SyntaxError,
    TypeError,
  } = primordials;
  const {
    op_isochron_compile,
    op_isochron_module,
    op_isochron_call,
    op_isochron_text,
  } = core.ops;
  const shared = global.__isochron;

  const SYSTEM = "isochron:system";
  const LONGEST = 1024; // characters of a specifier

  const modules = new SafeMap(); // by file
  const resolved = new SafeMap(); // file by requiring file and specifier
  let systemAllowed = false;

  function compile(index) {
    const result = op_isochron_compile(index);
    if (result.length === 1) return result[0];
    const { 1: error, 2: text, 3: position } = result;
    if (error === undefined || error === null) throw new Error(text);
    if (text !== undefined) shared.explain(error, text);
    // V8 leaves the position out of the message, which a handler may catch and log.
    if (core.isNativeError(error) && position !== undefined) {
      ObjectDefineProperty(error, "message", {
        __proto__: null,
        value: `${error.message} (${position})`,
        writable: true,
        enumerable: false,
        configurable: true,
      });
    }
    throw error;
  }

  function parse(index, file) {
    try {
      return JSONParse(op_isochron_text(index));
    } catch (error) {
      throw new SyntaxError(`${file}: ${error.message}`);
    }
  }

  function evaluate(index, file, json) {
    const module = { id: file, filename: file, loaded: false, exports: {} };
    MapPrototypeSet(modules, file, module);
    let done = false;
    try {
      if (json) {
        module.exports = parse(index, file);
      } else {
        const { exports } = module;
        const slash = StringPrototypeLastIndexOf(file, "/");
        const directory = slash === -1 ? "." : StringPrototypeSlice(file, 0, slash || 1);
        const body = compile(index);
        ReflectApply(body, exports, [exports, requireFrom(file), module, file, directory]);
      }
      module.loaded = true;
      done = true;
    } finally {
      // As in Node, a module that threw is loaded anew by the next require.
      if (!done) MapPrototypeDelete(modules, file);
    }
    return module;
  }

  const isPath = (specifier) =>
    specifier === "." || specifier === ".." ||
    StringPrototypeStartsWith(specifier, "./") ||
    StringPrototypeStartsWith(specifier, "../") ||
    StringPrototypeStartsWith(specifier, "/");

  /** An error with Node's code, by which programs recognise that an optional file is missing. */
  function notFoundError(message) {
    const error = new Error(message);
    shared.put(error, "code", "MODULE_NOT_FOUND");
    return error;
  }

  function requireFrom(from) {
    const require = (specifier) => {
      if (typeof specifier !== "string") {
        throw new TypeError(`require needs a string, not ${typeof specifier}`);
      }
      if (specifier === SYSTEM) {
        if (systemAllowed) return system;
        throw new Error(
          `require('${SYSTEM}') is only for handlers named in the server's systemHandlers setting`,
        );
      }
      if (!isPath(specifier)) {
        const builtIn = shared.builtIn(specifier);
        if (builtIn !== undefined) return builtIn;
        const shown = StringPrototypeSlice(specifier, 0, LONGEST);
        throw notFoundError(
          `Cannot find module '${shown}': a handler can require './file' and '../file' inside ` +
            `tasks/, JavaScript or JSON` + (systemAllowed ? `, and '${SYSTEM}'` : ""),
        );
      }
      if (specifier.length > LONGEST) {
        throw new Error(
          `require: the name has ${specifier.length} characters; the most is ${LONGEST}`,
        );
      }
      const key = `${from}\n${specifier}`;
      const known = MapPrototypeGet(modules, MapPrototypeGet(resolved, key));
      if (known !== undefined) return known.exports;
      const { index, file, json, error } = op_isochron_module(from, specifier);
      if (typeof error === "string") {
        throw StringPrototypeStartsWith(error, "Cannot find module") ? notFoundError(error) : new Error(error);
      }
      MapPrototypeSet(resolved, key, file);
      const loaded = MapPrototypeGet(modules, file);
      return (loaded ?? evaluate(index, file, json)).exports;
    };
    return require;
  }

  /** Calls a function of the server, such as `system.get`. */
  async function call(name, argument) {
    const { 0: done, 1: answer } = await op_isochron_call(name, JSONStringify(argument));
    if (!done) throw new Error(answer);
    return JSONParse(answer);
  }
  const checkOptions = (value) => {
    if (value === undefined) return {};
    if (typeof value !== "object" || value === null) {
      throw new TypeError("options must be an object");
    }
    return value;
  };
  const checkKey = (key) => {
    if (typeof key !== "string") throw new TypeError(`a key must be a string, not ${typeof key}`);
    return key;
  };
  const system = ObjectFreeze({
    removeHistory: async (value) => await call("system.removeHistory", checkOptions(value)),
    statistics: async (value) => await call("system.statistics", checkOptions(value)),
    get: async (key) => await call("system.get", { key: checkKey(key) }),
    put: async (key, value) => await call("system.put", { key: checkKey(key), value: value ?? null }),
  });

  shared.call = call;
  shared.forgetModules = () => {
    MapPrototypeClear(modules);
    MapPrototypeClear(resolved);
  };

  /** The exports of the handler's own file. */
  shared.loadEntry = (file, allowed) => {
    systemAllowed = allowed;
    return evaluate(0, file, false).exports;
  };
})(globalThis);
