// `perf_hooks`: the clock.
"use strict";

module.exports = { performance };
