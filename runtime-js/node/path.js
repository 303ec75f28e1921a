// `path`, the POSIX half: a run has no other file system.
"use strict";

const posix = require("ext:isochron/vendor/path-browserify/index.js");
const { coded } = require("./errors.js");

// The package's errors lack Node's code.
for (
  const name of ["basename", "dirname", "extname", "format", "isAbsolute", "join", "normalize", "parse", "relative", "resolve"]
) {
  const original = posix[name];
  posix[name] = {
    [name](...args) {
      try {
        return Reflect.apply(original, posix, args);
      } catch (error) {
        throw error instanceof TypeError ? coded(TypeError, "ERR_INVALID_ARG_TYPE", error.message) : error;
      }
    },
  }[name];
}

const withoutDot = posix.format;
posix.format = function format(parts) {
  const ext = parts?.ext;
  return withoutDot(ext && !parts.base && !ext.startsWith(".") ? { ...parts, ext: `.${ext}` } : parts);
};
posix.posix = posix;
posix.toNamespacedPath = (path) => path;
module.exports = posix;
