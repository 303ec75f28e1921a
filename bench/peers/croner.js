'use strict';
// Timers in this process; nothing is kept.
const path = require('node:path');
const { Cron } = require('croner');

exports.open = async ({ handlers, handler, params }) => {
  const call = require(path.join(handlers, `${handler}.js`));
  const jobs = [];
  return {
    async plan(dues, started) {
      dues.forEach((due, index) => {
        jobs.push(new Cron(new Date(due), async () => started(index, (await call(params)).start)));
      });
    },
    close: () => jobs.forEach((job) => job.stop()),
  };
};
