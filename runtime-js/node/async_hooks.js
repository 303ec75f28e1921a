// `async_hooks`: values that follow asynchronous calls. The engine keeps the context; nobody is
// told of its changes, so hooks are accepted and never called.
"use strict";

const native = require("ext:isochron/native/node.js");
const { checkFunction } = require("./errors.js");

class AsyncLocalStorage {
  #variable = new native.AsyncVariable();

  static bind(callback) {
    checkFunction(callback, "the callback");
    const within = native.snapshot();
    return function (...args) {
      return within(callback, this, args);
    };
  }
  static snapshot() {
    const within = native.snapshot();
    return (callback, ...args) => within(callback, undefined, args);
  }

  getStore() {
    return this.#variable.get();
  }
  run(store, callback, ...args) {
    checkFunction(callback, "the callback");
    return this.#variable.run(store, callback, args);
  }
  exit(callback, ...args) {
    return this.run(undefined, callback, ...args);
  }
  enterWith(store) {
    this.#variable.enter(store);
  }
  disable() {
    this.#variable.enter(undefined);
  }
}

let lastId = 1;

class AsyncResource {
  #id = ++lastId;
  #within = native.snapshot();

  constructor(type) {
    this.type = type;
  }
  static bind(callback, type, self) {
    return new AsyncResource(type ?? (callback.name || "bound")).bind(callback, self);
  }

  runInAsyncScope(callback, self, ...args) {
    return this.#within(callback, self, args);
  }
  bind(callback, self) {
    checkFunction(callback, "the callback");
    const resource = this;
    return function (...args) {
      return resource.runInAsyncScope(callback, self ?? this, ...args);
    };
  }
  emitDestroy() {
    return this;
  }
  asyncId() {
    return this.#id;
  }
  triggerAsyncId() {
    return 1;
  }
}

const hook = {
  enable: () => hook,
  disable: () => hook,
};

module.exports = {
  AsyncLocalStorage,
  AsyncResource,
  createHook: () => hook,
  executionAsyncId: () => 1,
  executionAsyncResource: () => ({}),
  triggerAsyncId: () => 0,
};
