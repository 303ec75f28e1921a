'use strict';
// A queue in PostgreSQL that is polled, here as often as it allows; handlers run in this process.
const path = require('node:path');
const { PgBoss } = require('pg-boss');

exports.open = async ({ handlers, handler, params, url }) => {
  const call = require(path.join(handlers, `${handler}.js`));
  const boss = new PgBoss(url);
  boss.on('error', console.error);
  await boss.start();
  await boss.createQueue('work');
  return {
    async plan(dues, started) {
      await boss.work('work', { pollingIntervalSeconds: 0.5, batchSize: 50 }, async (jobs) => {
        for (const job of jobs) started(job.data.index, (await call(params)).start);
      });
      for (const [index, due] of dues.entries()) {
        await boss.send('work', { index }, { startAfter: new Date(due) });
      }
    },
    close: () => boss.stop({ graceful: false }),
  };
};
