// Sets entries of `ctx.kv` for so many milliseconds, one after the other.
module.exports = async ({ ms }, ctx) => {
  const until = Date.now() + ms;
  const began = performance.now();
  let sets = 0;
  while (Date.now() < until) {
    await ctx.kv.set(`key ${sets % 100}`, { sets, text: 'a value of some length' });
    sets++;
  }
  return { sets, ms: performance.now() - began };
};
