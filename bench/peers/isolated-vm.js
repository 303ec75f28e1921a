'use strict';
// A fresh isolate with a context for every run, and nothing else: no schedule, no record, no output.
const fs = require('node:fs');
const path = require('node:path');
const ivm = require('isolated-vm');

exports.open = async ({ handlers, handler, params }) => {
  const text = fs.readFileSync(path.join(handlers, `${handler}.js`), 'utf8');
  const source = `(() => { const module = { exports: {} };\n${text}\nreturn module.exports; })()`;
  return {
    async run() {
      const isolate = new ivm.Isolate({ memoryLimit: 128 });
      try {
        const context = await isolate.createContext();
        const script = await isolate.compileScript(source);
        const main = await script.run(context, { reference: true });
        return await main.apply(undefined, [params], {
          arguments: { copy: true },
          result: { copy: true, promise: true },
        });
      } finally {
        isolate.dispose();
      }
    },
  };
};
