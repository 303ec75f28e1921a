'use strict';
// A worker thread for every run. Bree allows one run of a job at a time, so every lane is a job.
const path = require('node:path');
const Bree = require('bree');

exports.open = async ({ handlers, handler, params, lanes = 0 }) => {
  const started = new Map();
  const waiting = new Map();
  const results = new Map();
  const job = (name, handler, params, more) => ({
    name,
    path: path.join(__dirname, 'bree-worker.js'),
    worker: { workerData: { file: path.join(handlers, `${handler}.js`), params } },
    ...more,
  });
  const bree = new Bree({
    root: false,
    logger: false,
    errorHandler: (error, { name }) => waiting.get(name)?.reject(error),
    workerMessageHandler: ({ name, message }) => {
      results.set(name, message);
      started.get(name)?.(message.start);
    },
    jobs: Array.from({ length: lanes }, (_, lane) => job(`lane${lane}`, handler, params)),
  });
  bree.on('worker deleted', (name) => waiting.get(name)?.resolve(results.get(name)));
  await bree.init();
  return {
    run: (lane) =>
      new Promise((resolve, reject) => {
        waiting.set(`lane${lane}`, { resolve, reject });
        bree.run(`lane${lane}`).catch(reject);
      }),
    async plan(dues, seen) {
      await bree.add(dues.map((due, i) => job(`due${i}`, handler, params, { date: new Date(due) })));
      dues.forEach((_, i) => started.set(`due${i}`, (start) => seen(i, start)));
      await Promise.all(dues.map((_, i) => bree.start(`due${i}`)));
    },
    async every(ms, seen) {
      await bree.add([job('every', 'stamp', {}, { interval: ms })]);
      let due = performance.timeOrigin + performance.now() + ms;
      started.set('every', (start) => {
        seen(due, start);
        due += ms;
      });
      await bree.start('every');
    },
    close: () => bree.stop(),
  };
};
