'use strict';
process.once('message', async ({ file, params }) => {
  process.send(await require(file)(params), () => process.disconnect());
});
