// `assert`: the package of that name.
"use strict";

module.exports = require("ext:isochron/vendor/assert/build/assert.js");
