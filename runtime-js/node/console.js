// `console`: the global.
"use strict";

module.exports = console;
