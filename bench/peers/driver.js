'use strict';
// Puts one piece of work to one peer: `node driver.js <peer> <options as JSON>`.
//
// Says "ready" once everything is set up, waits for a line, works, and says "result" with what came of
// it. It then stays until standard input closes, so that its CPU time can be read between the lines.
//
// A peer exports open(options), which resolves to some of:
//   run(lane)             runs the handler now; resolves to its result, rejects when it fails
//   plan(dues, started, begun)   plans one run for each moment; calls started(index, start) for every run,
//                         and begun(index, attempt) when the handler calls ctx.progress
//   every(ms, started)    runs `stamp` every ms; calls started(due, start)
//   close()

const path = require('node:path');
const readline = require('node:readline');

const now = () => performance.timeOrigin + performance.now();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (word, value) => process.stdout.write(`${word} ${JSON.stringify(value ?? null)}\n`);

const works = {
  /** `runs` runs, `lanes` at a time, each lane starting its next when the last has ended. */
  async closed(peer, { runs, lanes }) {
    // What is started once and used again is to be there.
    const lane = (number) => peer.run(number).then(() => peer.run(number));
    await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
    const ms = [];
    let left = runs;
    return {
      async go() {
        const lane = async (number) => {
          while (left-- > 0) {
            const from = now();
            await peer.run(number);
            ms.push(now() - from);
          }
        };
        await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
        return { runs, ms };
      },
    };
  },

  /** As many runs as fit into `seconds`, with a neighbour that wants to run every second. */
  async saturate(peer, { seconds, lanes }) {
    const alone = [];
    for (let i = 0; i < 10; i++) alone.push((await peer.run(0)).ms);
    const late = [];
    await peer.every(1000, (due, start) => late.push(start - due));
    return {
      async go() {
        late.length = 0;
        let runs = 0;
        const until = now() + seconds * 1000;
        const lane = async (number) => {
          while (now() < until) {
            await peer.run(number);
            runs++;
          }
        };
        await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
        return { runs, alone, late };
      },
    };
  },

  /** Every lane one run, all at once. */
  async together(peer, { lanes }) {
    return {
      async go() {
        const runs = Array.from({ length: lanes }, (_, number) => peer.run(number).catch(() => null));
        return { results: await Promise.all(runs) };
      },
    };
  },

  /** One run for each of `offsets`, milliseconds after a moment that is `lead` away. */
  async due(peer, { offsets, lead }) {
    const zero = Math.ceil(now()) + lead;
    const dues = offsets.map((offset) => zero + offset);
    const starts = dues.map(() => []);
    let seen = 0;
    await peer.plan(dues, (index, start) => {
      if (starts[index].push(start) === 1) seen++;
    });
    const planned = now();
    return {
      async go() {
        const last = Math.max(...dues);
        for (let before = -1, idle = 0; seen < dues.length && idle < 40; idle = seen === before ? idle + 1 : 0) {
          before = seen;
          await sleep(Math.max(250, last - now()));
        }
        await sleep(250);
        return { dues, starts, planned };
      },
    };
  },

  /** Runs what is due beside other processes; tells of each run as it happens, so that a kill hides none. */
  async share(peer) {
    const started = (index, start) => say('start', [index, start]);
    const begun = (index, attempt) => say('begun', [index, attempt, now()]);
    await peer.plan([], started, begun);
    return {
      async go({ offsets, lead }) {
        const zero = Math.ceil(now()) + lead;
        const dues = offsets.map((offset) => zero + offset);
        await peer.plan(dues, started, begun);
        return { dues, planned: now() };
      },
    };
  },
};

async function main() {
  const [name, json] = process.argv.slice(2);
  const options = JSON.parse(json);
  const lines = readline.createInterface({ input: process.stdin });
  const told = new Promise((resolve) => lines.once('line', resolve));
  const over = new Promise((resolve) => lines.once('close', resolve));
  const handlers = path.join(__dirname, '..', 'handlers');
  const peer = await require(`./${name}.js`).open({ ...options, handlers });
  const work = await works[options.work](peer, options);
  say('ready');
  say('result', await work.go(JSON.parse(await told)));
  await over;
  await peer.close?.();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
