'use strict';
// A queue in Redis. Handlers run in this process, or, sandboxed, in child processes that are used again.
const path = require('node:path');
const { Queue, Worker } = require('bullmq');

exports.open = async ({ handlers, handler, params, lanes, port, sandboxed }) => {
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
  const keep = { removeOnComplete: true, removeOnFail: true };
  const waiting = new Map();
  const queues = [];
  const workers = [];

  const open = async (name, concurrency, onResult, onError = console.error) => {
    const run = require(path.join(handlers, `${name}.js`));
    const processor = sandboxed ? path.join(__dirname, 'bullmq-child.js') : async (job) => run(job.data.params);
    const queue = new Queue(name, { connection });
    const worker = new Worker(name, processor, { connection, concurrency });
    worker.on('completed', onResult);
    worker.on('failed', onError);
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
    queues.push(queue);
    workers.push(worker);
    return queue;
  };

  const data = { file: path.join(handlers, `${handler}.js`), params };
  let number = 0;
  let seen = () => {};
  const queue = await open(
    handler,
    lanes,
    (job, result) => {
      if (job.data.index !== undefined) return seen(job.data.index, result.start);
      waiting.get(job.id)?.resolve(result);
      waiting.delete(job.id);
    },
    (job, error) => waiting.get(job?.id)?.reject(error),
  );
  return {
    run: () =>
      new Promise((resolve, reject) => {
        const jobId = `run${number++}`;
        waiting.set(jobId, { resolve, reject });
        queue.add(handler, data, { jobId, ...keep }).catch(reject);
      }),
    async plan(dues, started) {
      seen = started;
      for (let from = 0; from < dues.length; from += 500) {
        const part = dues.slice(from, from + 500).map((due, i) => ({
          name: handler,
          data: { ...data, index: from + i },
          opts: { delay: Math.max(0, due - Date.now()), ...keep },
        }));
        await queue.addBulk(part);
      }
    },
    async every(ms, started) {
      const file = path.join(handlers, 'stamp.js');
      const neighbour = await open('stamp', 1, (job, result) =>
        // A planned job's id ends in the moment it is planned for.
        started(Number(job.id.split(':').pop()), result.start),
      );
      await neighbour.upsertJobScheduler('every', { every: ms }, { name: 'stamp', data: { file, params: {} }, opts: keep });
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close(true)));
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
};
