'use strict';
// A queue in PostgreSQL that is polled, here as often as it allows; handlers run in this process.
const path = require('node:path');
const { PgBoss } = require('pg-boss');

exports.open = async ({ handlers, handler, params, url, work, lanes, heartbeat }) => {
  const call = require(path.join(handlers, `${handler}.js`));
  // A job whose process tells of it every so often fails when it does not, which is looked for every so often.
  const boss = new PgBoss({ connectionString: url, ...(heartbeat && { superviseIntervalSeconds: 1, monitorIntervalSeconds: 1 }) });
  boss.on('error', console.error);
  await boss.start();
  await boss.createQueue('work', heartbeat && { heartbeatSeconds: heartbeat });
  let seen = () => {};
  let begun = () => {};
  const options = {
    pollingIntervalSeconds: 0.5,
    batchSize: 50,
    // A full batch means that more is due.
    burstWhenBatchFull: true,
    localConcurrency: work === 'share' ? lanes : 1,
    includeMetadata: Boolean(heartbeat),
  };
  await boss.work('work', options, async (jobs) => {
    for (const { data, retryCount } of jobs) {
      const attempt = retryCount + 1;
      const result = await call(params, { attempt, progress: () => begun(data.index, attempt) });
      seen(data.index, result.start);
    }
  });
  return {
    async plan(dues, started, told) {
      seen = started;
      begun = told;
      for (let from = 0; from < dues.length; from += 500) {
        const part = dues.slice(from, from + 500);
        await boss.insert('work', part.map((due, i) => ({ data: { index: from + i }, startAfter: new Date(due) })));
      }
    },
    close: () => boss.stop({ graceful: false }),
  };
};
