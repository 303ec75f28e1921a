// Calls to the server, and isochron:system: the store, for the handlers that the setting
// systemHandlers names.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const { Error, JSONParse, JSONStringify, ObjectFreeze, TypeError } = primordials;
  const { op_isochron_call } = core.ops;
  const shared = global.__isochron;

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
  shared.call = call;
  shared.system = ObjectFreeze({
    removeHistory: async (value) => await call("system.removeHistory", checkOptions(value)),
    statistics: async (value) => await call("system.statistics", checkOptions(value)),
    get: async (key) => await call("system.get", { key: checkKey(key) }),
    put: async (key, value) => await call("system.put", { key: checkKey(key), value: value ?? null }),
  });
})(globalThis);
