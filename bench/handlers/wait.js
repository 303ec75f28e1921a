/** Waits on a timer. */
module.exports = async ({ ms }) => {
  const start = performance.timeOrigin + performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return { start, ms: performance.timeOrigin + performance.now() - start };
};
