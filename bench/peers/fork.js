'use strict';
// A Node process for every run: what child_process offers without any library.
const { fork } = require('node:child_process');
const path = require('node:path');

exports.open = async ({ handlers, handler, params }) => ({
  run: () =>
    new Promise((resolve, reject) => {
      const child = fork(path.join(__dirname, 'fork-child.js'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      let result;
      child.on('message', (message) => (result = message));
      child.on('error', reject);
      child.on('exit', (code) => (code === 0 ? resolve(result) : reject(new Error(`exit code ${code}`))));
      child.send({ file: path.join(handlers, `${handler}.js`), params });
    }),
});
