'use strict';
// A pool of worker threads that are used again and again.
const path = require('node:path');
const { Piscina } = require('piscina');

exports.open = async ({ handlers, handler, params, lanes }) => {
  const pool = new Piscina({
    filename: path.join(handlers, `${handler}.js`),
    minThreads: lanes,
    maxThreads: lanes,
  });
  return { run: () => pool.run(params), close: () => pool.destroy() };
};
