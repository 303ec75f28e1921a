'use strict';
// Node itself: the handler is called in the process that loops, and nothing is isolated or kept.
const path = require('node:path');

exports.open = async ({ handlers, handler, params }) => {
  const run = require(path.join(handlers, `${handler}.js`));
  return { run: () => run(params) };
};
