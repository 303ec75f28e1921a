// ES modules: V8 compiles, links and evaluates them. This script decides which are loaded, what their
// requests mean and what their import.meta holds, and makes ES modules of CommonJS modules.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    Error,
    MapPrototypeClear,
    MapPrototypeDelete,
    MapPrototypeGet,
    MapPrototypeSet,
    ObjectHasOwn,
    ObjectKeys,
    PromisePrototypeThen,
    SafeMap,
    SafeSet,
    SetPrototypeAdd,
    SetPrototypeHas,
    StringPrototypeIndexOf,
    StringPrototypeReplaceAll,
    StringPrototypeSlice,
    StringPrototypeStartsWith,
    TypeError,
    encodeURI,
  } = primordials;
  const {
    op_isochron_es_compile,
    op_isochron_es_evaluate,
    op_isochron_es_instantiate,
    op_isochron_es_link,
    op_isochron_es_namespace,
    op_isochron_es_synthetic,
    op_isochron_names,
  } = core.ops;
  const shared = global.__isochron;
  const {
    directoryOf,
    find,
    findBuiltin,
    isBuiltin,
    isFunction,
    loaded,
    makeError,
    requireFile,
    retry,
    throwFailure,
  } = shared.commonJs;

  // Kinds of files, and flags of `op_isochron_module`, as in `ops/modules.rs`.
  const UNMARKED = 1;
  const MODULE = 2;
  const JSON_FILE = 3;
  const IMPORT = 1;
  const RESOLVE = 4;

  const records = new SafeMap(); // by file and query
  const recordsById = new SafeMap();
  let mainId = -1; // of the handler's own file

  /** Makes the record of an ES module, and of all that it leads to, unless it is there. */
  function loadRecord(found, query, type) {
    const added = [];
    const waiting = [];
    try {
      const record = addRecord(found, query, type, added, waiting);
      for (let i = 0; i < waiting.length; i++) linkRecord(waiting[i], added, waiting);
      return record;
    } catch (error) {
      // Nothing half-linked stays.
      for (let i = 0; i < added.length; i++) {
        MapPrototypeDelete(records, added[i].key);
        if (added[i].isModule) retry(added[i].file);
      }
      throw error;
    }
  }

  function linkRecord(record, added, waiting) {
    const { requests } = record;
    const targets = [];
    for (let i = 1; i < requests.length; i += 2) {
      const specifier = requests[i];
      const type = requests[i + 1];
      const target = findRecord(record.file, specifier, type, added, waiting);
      shared.put(targets, targets.length, [specifier, type, target.id]);
    }
    op_isochron_es_link(record.id, targets);
    record.requests = undefined;
  }

  function findRecord(from, specifier, type, added, waiting) {
    const builtin = findBuiltin(specifier);
    if (builtin !== undefined) return builtinRecord(specifier, builtin);
    return addRecord(find(from, specifier, IMPORT), queryOf(specifier), type, added, waiting);
  }

  const queryOf = (specifier) => {
    const mark = StringPrototypeIndexOf(specifier, "?");
    if (mark > 0) return StringPrototypeSlice(specifier, mark);
    const hash = StringPrototypeIndexOf(specifier, "#");
    return hash > 0 ? StringPrototypeSlice(specifier, hash) : "";
  };

  function checkType(found, type) {
    const { file, kind } = found;
    if (kind === JSON_FILE && type === "") {
      throw makeError(
        `${file} is JSON: import it with { type: 'json' } behind its name`,
        "ERR_IMPORT_ATTRIBUTE_MISSING",
        TypeError,
      );
    }
    if (type !== "" && type !== "json") {
      throw makeError(
        `the import attribute type '${type}' is not known: only 'json' is`,
        "ERR_IMPORT_ATTRIBUTE_UNSUPPORTED",
        TypeError,
      );
    }
    if (kind !== JSON_FILE && type === "json") {
      throw makeError(`${file} is not JSON`, "ERR_IMPORT_ATTRIBUTE_TYPE_INCOMPATIBLE", TypeError);
    }
  }

  function addRecord(found, query, type, added, waiting) {
    checkType(found, type);
    const key = `${found.file}${query}`;
    const known = MapPrototypeGet(records, key);
    if (known !== undefined) return known;
    const record = isCommonJs(found) ? commonJsRecord(found, key) : moduleRecord(found, key, query);
    MapPrototypeSet(records, key, record);
    MapPrototypeSet(recordsById, record.id, record);
    shared.put(added, added.length, record);
    if (record.isModule) shared.put(waiting, waiting.length, record);
    return record;
  }

  /** Whether a file is JSON or CommonJS. */
  function isCommonJs({ index, file, kind }) {
    return kind !== MODULE && (kind !== UNMARKED || isFunction(index, file));
  }

  function moduleRecord(found, key, query) {
    const requests = op_isochron_es_compile(found.index);
    if (requests.length === 0) throw new Error(`${found.file} cannot be loaded`);
    if (requests[0] === undefined) throwFailure(requests);
    return { __proto__: null, key, id: requests[0], file: found.file, query, isModule: true, requests, isLinked: false };
  }

  /** An ES module that exports what a CommonJS module or a JSON file has exported when it has run. */
  function commonJsRecord(found, key) {
    const { index, file, kind } = found;
    const names = kind === JSON_FILE ? [] : op_isochron_names(index);
    const known = loaded(file);
    if (known !== undefined && known.loaded) addKeys(names, known.exports);
    return syntheticRecord(key, file, names, () => requireFile(found, null));
  }

  function builtinRecord(specifier, exports) {
    const key = StringPrototypeStartsWith(specifier, "node:") ? StringPrototypeSlice(specifier, 5) : specifier;
    const known = MapPrototypeGet(records, `node:${key}`);
    if (known !== undefined) return known;
    const names = [];
    addKeys(names, exports);
    const record = syntheticRecord(`node:${key}`, "", names, () => exports);
    MapPrototypeSet(records, record.key, record);
    MapPrototypeSet(recordsById, record.id, record);
    return record;
  }

  function addKeys(names, exports) {
    if (typeof exports !== "object" && typeof exports !== "function" || exports === null) return;
    const keys = ObjectKeys(exports);
    for (let i = 0; i < keys.length && i < 4096; i++) shared.put(names, names.length, keys[i]);
  }

  function syntheticRecord(key, file, names, load) {
    const seen = new SafeSet();
    const exported = ["default"];
    SetPrototypeAdd(seen, "default");
    for (let i = 0; i < names.length; i++) {
      if (SetPrototypeHas(seen, names[i])) continue;
      SetPrototypeAdd(seen, names[i]);
      shared.put(exported, exported.length, names[i]);
    }
    const id = op_isochron_es_synthetic(exported);
    return { __proto__: null, key, id, file, query: "", isModule: false, exported, load, isLinked: false };
  }

  /** The values of a synthetic module's exports, in the order of their names. */
  function evaluateSynthetic(id) {
    const { exported, load } = MapPrototypeGet(recordsById, id);
    const exports = load();
    const isObject = typeof exports === "object" && exports !== null || typeof exports === "function";
    const values = [exports];
    for (let i = 1; i < exported.length; i++) {
      let value;
      try {
        if (isObject) value = exports[exported[i]];
      } catch {
        // A getter that throws exports nothing.
      }
      shared.put(values, i, value);
    }
    return values;
  }

  function link(record) {
    if (record.isLinked) return;
    const result = op_isochron_es_instantiate(record.id);
    if (result.length > 1) throwFailure(result);
    record.isLinked = true;
  }

  const ignore = () => {};

  /** Starts a module, or joins it: its promise; `undefined` while it is being evaluated. */
  function start(record) {
    const promise = op_isochron_es_evaluate(record.id)[0];
    // The error is thrown where it belongs, so it is never unhandled.
    if (promise !== undefined) PromisePrototypeThen(promise, undefined, ignore);
    return promise;
  }

  /** The settled value of a module's promise; `undefined` while it is pending. */
  function settle(promise) {
    const { 0: state, 1: value } = core.getPromiseDetails(promise);
    if (state === 2) throw value; // rejected
    return state === 1;
  }

  /** `require` of an ES module: its namespace, as in Node 22. */
  function requireModule(found) {
    const { file } = found;
    const record = loadRecord(found, "", "");
    link(record);
    const { 0: namespace, 1: isAsync } = op_isochron_es_namespace(record.id);
    if (isAsync) {
      throw makeError(
        `require cannot load ${file}, which has a top-level await or imports a file that has: use import()`,
        "ERR_REQUIRE_ASYNC_MODULE",
      );
    }
    const promise = start(record);
    if (promise === undefined) {
      throw makeError(`${file} is required while it loads: there is a cycle`, "ERR_REQUIRE_CYCLE_MODULE");
    }
    settle(promise);
    return ObjectHasOwn(namespace, "module.exports") ? namespace["module.exports"] : namespace;
  }

  /** `import()` */
  async function importDynamically(from, specifier, type) {
    const builtin = findBuiltin(specifier);
    const record = builtin === undefined
      ? loadRecord(find(from, specifier, IMPORT), queryOf(specifier), type)
      : builtinRecord(specifier, builtin);
    link(record);
    let promise = start(record);
    if (promise === undefined) {
      // It is being evaluated, which ends before any promise goes on.
      await undefined;
      promise = start(record);
    }
    await promise;
    return op_isochron_es_namespace(record.id)[0];
  }

  const urlOf = (file, query) =>
    `file:///${StringPrototypeReplaceAll(StringPrototypeReplaceAll(encodeURI(file), "?", "%3F"), "#", "%23")}${query}`;

  function describeModule(id, meta) {
    const { file, query } = MapPrototypeGet(recordsById, id);
    const filename = `/${file}`;
    const { put } = shared;
    put(meta, "dirname", directoryOf(filename));
    put(meta, "filename", filename);
    put(meta, "main", id === mainId);
    put(meta, "resolve", (specifier) => {
      const name = `${specifier}`;
      if (isBuiltin(name)) return StringPrototypeIndexOf(name, ":") > 0 ? name : `node:${name}`;
      return urlOf(find(file, name, IMPORT | RESOLVE).file, queryOf(name));
    });
    put(meta, "url", urlOf(file, query));
  }

  // Codes as in `modules/hook.rs`.
  shared.moduleHook = (code, first, second, third) => {
    if (code === 0) return evaluateSynthetic(first);
    if (code === 1) return importDynamically(first, second, third);
    return describeModule(first, second);
  };

  function loadEntry(found) {
    const record = loadRecord(found, "", "");
    mainId = record.id;
    link(record);
    const promise = start(record);
    const pending = settle(promise) ? undefined : promise;
    return { __proto__: null, exports: op_isochron_es_namespace(record.id)[0], pending, isModule: true };
  }

  function forget() {
    MapPrototypeClear(records);
    MapPrototypeClear(recordsById);
    mainId = -1;
  }

  shared.esModules = {
    __proto__: null,
    forget,
    has: (file) => MapPrototypeGet(records, file)?.isModule === true,
    loadEntry,
    require: requireModule,
  };
})(globalThis);
