// Web streams of deno_web. Its script is the largest of all, so `inner_body.js` and others ask
// `__isochron.streams` whether there can be a stream at all.
"use strict";

module.exports = __isochron.streams = __isochron.library("ext:deno_web/06_streams.js");
