'use strict';
const { parentPort, workerData } = require('node:worker_threads');

(async () => {
  parentPort.postMessage(await require(workerData.file)(workerData.params));
})();
