// `path`, the POSIX half: a run has no other file system.
"use strict";

const posix = require("ext:isochron/vendor/path-browserify/index.js");
posix.posix = posix;
posix.toNamespacedPath = (path) => path;
module.exports = posix;
