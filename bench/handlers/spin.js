/** A fixed amount of arithmetic, so that the time it takes is the machine's business alone. */
module.exports = ({ rounds }) => {
  const start = performance.timeOrigin + performance.now();
  let x = 88172645;
  for (let i = 0; i < rounds; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  return { start, ms: performance.timeOrigin + performance.now() - start, x };
};
