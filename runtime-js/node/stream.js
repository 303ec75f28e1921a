// `stream`: the package `readable-stream`.
"use strict";

module.exports = require("ext:isochron/vendor/readable-stream/lib/stream.js");
