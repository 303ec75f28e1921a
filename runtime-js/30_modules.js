// CommonJS: require() as in Node, with the server in place of the file system.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    Error,
    JSONParse,
    MapPrototypeClear,
    MapPrototypeDelete,
    MapPrototypeGet,
    MapPrototypeSet,
    ObjectDefineProperty,
    ReflectApply,
    SafeMap,
    SafeSet,
    SetPrototypeAdd,
    SetPrototypeClear,
    SetPrototypeDelete,
    SetPrototypeHas,
    StringPrototypeLastIndexOf,
    StringPrototypeSlice,
    StringPrototypeStartsWith,
    SyntaxError,
    TypeError,
    decodeURIComponent,
  } = primordials;
  const { op_isochron_compile, op_isochron_json_error, op_isochron_module, op_isochron_text } = core.ops;
  const shared = global.__isochron;

  const SYSTEM = "isochron:system";
  const LONGEST = 1024; // characters of a specifier

  // Kinds of files, and flags of `op_isochron_module`, as in `ops/modules.rs`.
  const MODULE = 2;
  const JSON_FILE = 3;
  const REQUIRE = 0;
  const AGAIN = 2;
  const RESOLVE = 4;

  const modules = new SafeMap(); // CommonJS modules and JSON files, by file
  const resolved = new SafeMap(); // file by requiring file and specifier
  const bodies = new SafeMap(); // compiled functions that have not run, by file
  const failed = new SafeSet(); // files whose text must be asked for again
  let systemAllowed = false;
  let main; // the module of the handler's own file

  function makeError(message, code, Class = Error) {
    const error = new Class(message);
    if (typeof code === "string") shared.put(error, "code", code);
    return error;
  }

  /** Throws the error of a step of V8's: `[undefined, error, text, position]`. */
  function throwFailure(result) {
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

  // --- files ---

  /** The file that a specifier means: `{ index, file, kind }`. */
  function find(from, specifier, way) {
    if (specifier.length > LONGEST) {
      throw new Error(
        `the name of a module has ${specifier.length} characters; the most is ${LONGEST}`,
      );
    }
    let found = op_isochron_module(from, specifier, way);
    if (SetPrototypeHas(failed, found.file)) {
      SetPrototypeDelete(failed, found.file);
      found = op_isochron_module(from, specifier, way | AGAIN);
    }
    if (typeof found.error === "string") throw makeError(found.error, found.code);
    return found;
  }

  /** The exports of a module that is no file; `undefined` if the name is that of none. */
  function findBuiltin(specifier) {
    if (specifier === SYSTEM) {
      if (systemAllowed) return shared.system;
      throw new Error(
        `require('${SYSTEM}') is only for handlers named in the server's systemHandlers setting`,
      );
    }
    return shared.builtIn(specifier);
  }

  const isBuiltin = (specifier) => specifier === SYSTEM || shared.isBuiltIn(specifier);

  /** A function, or `undefined` for a file that only an ES module may be. */
  function compile(index) {
    const result = op_isochron_compile(index);
    if (result.length > 1) throwFailure(result);
    return result[0];
  }

  function parse(index, file) {
    const text = op_isochron_text(index);
    try {
      return JSONParse(text);
    } catch (error) {
      throw new SyntaxError(`${file}:${op_isochron_json_error(text)}: ${error.message}`);
    }
  }

  const directoryOf = (filename) =>
    StringPrototypeSlice(filename, 0, StringPrototypeLastIndexOf(filename, "/") || 1);

  // --- CommonJS ---

  // What modules have in common. A module's `require` is made for each.
  const ModulePrototype = {
    __proto__: {},
    get paths() {
      const paths = [];
      let directory = this.path;
      while (typeof directory === "string" && directory !== "/" && directory !== "") {
        shared.put(paths, paths.length, `${directory}/node_modules`);
        directory = directoryOf(directory);
      }
      return paths;
    },
    get parent() {
      return undefined;
    },
  };

  function makeModule(file, parent) {
    const filename = `/${file}`;
    const module = {
      __proto__: ModulePrototype,
      id: parent === undefined ? "." : filename,
      path: directoryOf(filename),
      exports: {},
      filename,
      loaded: false,
      children: [],
    };
    if (parent !== undefined && parent !== null) {
      shared.put(parent.children, parent.children.length, module);
      ObjectDefineProperty(module, "parent", {
        __proto__: null,
        value: parent,
        writable: true,
        enumerable: false,
        configurable: true,
      });
    }
    return module;
  }

  /** Runs a CommonJS module or parses a JSON file. */
  function evaluate(index, file, body, parent) {
    const module = makeModule(file, parent);
    if (parent === undefined) main = module;
    MapPrototypeSet(modules, file, module);
    let done = false;
    try {
      if (body === undefined) {
        module.exports = parse(index, file);
      } else {
        const { exports, filename, path } = module;
        ReflectApply(body, exports, [exports, requireFrom(file, module), module, filename, path]);
      }
      module.loaded = true;
      done = true;
    } finally {
      // As in Node, a module that threw is loaded anew by the next require.
      if (!done) {
        MapPrototypeDelete(modules, file);
        SetPrototypeAdd(failed, file);
      }
    }
    return module;
  }

  /** The exports of a file that is required. */
  function requireFile(found, parent) {
    const { index, file, kind } = found;
    const known = MapPrototypeGet(modules, file);
    if (known !== undefined) return known.exports;
    if (kind === JSON_FILE) return evaluate(index, file, undefined, parent).exports;
    if (kind !== MODULE && !shared.esModules.has(file)) {
      const body = takeBody(index, file);
      if (body !== undefined) return evaluate(index, file, body, parent).exports;
    }
    return shared.esModules.require(found);
  }

  function takeBody(index, file) {
    const body = MapPrototypeGet(bodies, file);
    if (body === undefined) return compile(index);
    MapPrototypeDelete(bodies, file);
    return body;
  }

  function load(from, specifier, parent) {
    const key = `${from}\n${specifier}`;
    const known = MapPrototypeGet(modules, MapPrototypeGet(resolved, key));
    if (known !== undefined) return known.exports;
    const builtin = findBuiltin(specifier);
    if (builtin !== undefined) return builtin;
    const found = find(from, specifier, REQUIRE);
    MapPrototypeSet(resolved, key, found.file);
    return requireFile(found, parent);
  }

  const cache = { __proto__: null };

  function requireFrom(from, module) {
    const check = (specifier, what) => {
      if (typeof specifier === "string") return;
      throw makeError(`${what} needs a string, not ${typeof specifier}`, "ERR_INVALID_ARG_TYPE", TypeError);
    };
    const require = (specifier) => {
      check(specifier, "require");
      return load(from, specifier, module);
    };
    const resolve = (specifier) => {
      check(specifier, "require.resolve");
      if (isBuiltin(specifier)) return specifier;
      return `/${find(from, specifier, REQUIRE | RESOLVE).file}`;
    };
    const { put } = shared;
    put(require, "resolve", resolve);
    put(require, "main", main);
    put(require, "cache", cache);
    return require;
  }

  /** A `require` for the file of a path or of a `file:` URL. */
  shared.createRequire = (place) => {
    let path = typeof place === "string" ? place : `${place?.href}`;
    if (StringPrototypeStartsWith(path, "file://")) path = decodeURIComponent(StringPrototypeSlice(path, 7));
    if (!StringPrototypeStartsWith(path, "/tasks/")) {
      throw makeError(
        "createRequire needs the path or the file: URL of a file in /tasks/, such as import.meta.url",
        "ERR_INVALID_ARG_VALUE",
        TypeError,
      );
    }
    return requireFrom(StringPrototypeSlice(path, 1), null);
  };

  /** Whether a file is CommonJS. One that does not say is compiled to find out. */
  function isFunction(index, file) {
    if (MapPrototypeGet(modules, file) !== undefined) return true;
    if (MapPrototypeGet(bodies, file) !== undefined) return true;
    const body = compile(index);
    if (body === undefined) return false;
    MapPrototypeSet(bodies, file, body);
    return true;
  }

  // For the next script.
  shared.commonJs = {
    __proto__: null,
    directoryOf,
    find,
    findBuiltin,
    isBuiltin,
    isFunction,
    loaded: (file) => MapPrototypeGet(modules, file),
    makeError,
    requireFile,
    retry: (file) => SetPrototypeAdd(failed, file),
    throwFailure,
  };

  shared.forgetModules = () => {
    MapPrototypeClear(modules);
    MapPrototypeClear(resolved);
    MapPrototypeClear(bodies);
    SetPrototypeClear(failed);
    main = undefined;
    shared.esModules.forget();
  };

  /**
   * Loads the handler's own file: `{ exports, pending }`. `pending` is the promise of an ES module
   * whose top-level `await` has not ended; `exports` must not be read before it has.
   */
  shared.loadEntry = (file, isModule, allowed) => {
    systemAllowed = allowed;
    if (!isModule) {
      const body = compile(0);
      if (body !== undefined) {
        return { __proto__: null, exports: evaluate(0, file, body).exports, pending: undefined, isModule };
      }
    }
    return shared.esModules.loadEntry({ __proto__: null, index: 0, file, kind: MODULE });
  };
})(globalThis);
