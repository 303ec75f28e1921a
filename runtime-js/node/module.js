// `module`: `createRequire`, and which names are built-ins.
"use strict";

const native = require("ext:isochron/native/node.js");

function Module(id = "") {
  this.id = id;
  this.exports = {};
  this.loaded = false;
}

module.exports = Object.assign(Module, {
  Module,
  builtinModules: native.builtInNames(),
  createRequire: (place) => native.createRequire(place),
  isBuiltin: (specifier) => native.isBuiltIn(`${specifier}`),
});
