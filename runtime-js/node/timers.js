// `timers`: the globals.
"use strict";

const native = require("ext:isochron/native/node.js");

module.exports = {
  clearImmediate: native.clearImmediate,
  clearInterval,
  clearTimeout,
  get promises() {
    return require("timers/promises");
  },
  setImmediate: native.setImmediate,
  setInterval,
  setTimeout,
};
