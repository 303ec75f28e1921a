/**
 * Fetches exchange rates and tells which ones have moved since the last run.
 *
 * Parameters:
 *   url      answers JSON like { "rates": { "USD": 1.08, "GBP": 0.86 } }
 *   percent  smaller moves are not told (1)
 *
 * Try it:  isochron run examples/exchange-rates
 *          (in memory: every such run is a first run; a task keeps its state)
 */
const ECB = 'https://api.frankfurter.dev/v1/latest?base=EUR';

module.exports = async ({ url = ECB, percent = 1 }, ctx) => {
  const response = await fetch(url, { signal: ctx.signal });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const { rates } = await response.json();

  // ctx.kv is private to the task and survives restarts.
  const before = await ctx.kv.get('rates');
  const moved = [];
  for (const [currency, rate] of Object.entries(before ? rates : {})) {
    const change = (rate / before[currency] - 1) * 100;
    if (Math.abs(change) < percent) continue;
    moved.push({ currency, before: before[currency], now: rate, change: Number(change.toFixed(2)) });
  }
  console.table(moved);

  // Last of all: an attempt that fails before this line compares with the same rates again.
  await ctx.kv.set('rates', rates);
  return { first: before === undefined, moved };
};
