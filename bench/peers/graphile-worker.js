'use strict';
// A queue in PostgreSQL; handlers run in this process.
const path = require('node:path');
const { Logger, makeWorkerUtils, run } = require('graphile-worker');

exports.open = async ({ handlers, handler, params, lanes, url }) => {
  const call = require(path.join(handlers, `${handler}.js`));
  const waiting = new Map();
  let seen = () => {};
  let begun = () => {};
  const logger = new Logger(() => () => {});
  const runner = await run({
    connectionString: url,
    concurrency: lanes,
    noHandleSignals: true,
    logger,
    taskList: {
      async work({ id, index }, { job: { attempts: attempt } }) {
        const result = await call(params, { attempt, progress: () => begun(index, attempt) });
        if (index !== undefined) seen(index, result.start);
        else waiting.get(id).result = result;
      },
    },
  });
  // Told after the database has been.
  runner.events.on('job:complete', ({ job, error }) => {
    const run = waiting.get(job.payload.id);
    waiting.delete(job.payload.id);
    if (error) run?.reject(error);
    else run?.resolve(run.result);
  });
  let number = 0;
  return {
    run: () =>
      new Promise((resolve, reject) => {
        const id = number++;
        waiting.set(id, { resolve, reject });
        runner.addJob('work', { id }).catch(reject);
      }),
    async plan(dues, started, told) {
      seen = started;
      begun = told;
      const utils = await makeWorkerUtils({ connectionString: url, logger });
      const jobs = dues.map((due, index) => ({ identifier: 'work', payload: { index }, runAt: new Date(due) }));
      for (let from = 0; from < jobs.length; from += 500) await utils.addJobs(jobs.slice(from, from + 500));
      await utils.release();
    },
    close: () => runner.stop(),
  };
};
