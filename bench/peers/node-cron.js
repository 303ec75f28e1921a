'use strict';
// Timers in this process; nothing is kept.
const path = require('node:path');
const cron = require('node-cron');

exports.open = async ({ handlers, handler, params }) => {
  const call = require(path.join(handlers, `${handler}.js`));
  const stamp = require(path.join(handlers, 'stamp.js'));
  const tasks = [];
  return {
    run: () => new Promise((resolve) => setImmediate(() => resolve(call(params)))),
    async every(ms, started) {
      // Whole seconds are all it knows.
      const task = cron.schedule('* * * * * *', () => {
        const { start } = stamp();
        started(Math.floor(start / 1000) * 1000, start);
      });
      tasks.push(task);
    },
    close: () => Promise.all(tasks.map((task) => task.destroy())),
  };
};
