/** Holds its first attempt for so many milliseconds; a later one says when its first statement ran. */
module.exports = async ({ ms }, ctx) => {
  const start = performance.timeOrigin + performance.now();
  ctx.progress(0);
  if (ctx.attempt === 1) await new Promise((resolve) => setTimeout(resolve, ms));
  return { start };
};
