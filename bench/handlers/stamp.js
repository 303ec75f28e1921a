/** Says when its first statement ran, in epoch milliseconds. */
module.exports = () => {
  const start = performance.timeOrigin + performance.now();
  return { start };
};
