/**
 * Imports ten parts, one step each. A run that is killed goes on with the first unfinished step.
 *
 * Parameters:
 *   url    part n is at url + n and is JSON like { "rows": 120 }
 *   parts  how many parts there are (10)
 *
 * Give the task maxRetries of 1 or more: a retry, also after a crash of the server, gets the results of
 * finished steps without running them again.
 */
module.exports = async ({ url, parts = 10 }, ctx) => {
  let rows = 0;
  for (let part = 1; part <= parts; part += 1) {
    rows += await ctx.step(`part ${part}`, async () => {
      const response = await fetch(`${url}${part}`, { signal: ctx.signal });
      if (!response.ok) throw new Error(`part ${part} answered ${response.status}`);
      const imported = await response.json();
      console.log('part %d: %d rows', part, imported.rows);
      return imported.rows;
    });
    ctx.progress(part / parts, `${part} of ${parts} parts`);
  }
  return { success: true, parts, rows };
};
