/**
 * Deletes expired sessions from a database that speaks SQL over HTTP (libSQL and Turso do, as here).
 *
 * Parameters:
 *   url   the database, such as https://shop-acme.turso.io
 *   days  sessions that expired longer ago are deleted (30)
 *
 * Before:  isochron secret set DATABASE_TOKEN --handlers examples/sql-over-http < token.txt
 */
module.exports = async ({ url, days = 30 }, ctx) => {
  const before = new Date(ctx.scheduledFor - days * 86_400_000).toISOString();
  // Values go as arguments, never into the text of the statement.
  const deleted = await execute(url, ctx, 'DELETE FROM sessions WHERE expires_at < ?', [before]);
  const left = await execute(url, ctx, 'SELECT count(*) FROM sessions', []);
  return { deleted: deleted.affected_row_count, left: Number(left.rows[0][0].value) };
};

async function execute(url, ctx, sql, values) {
  const token = await ctx.secrets.get('DATABASE_TOKEN');
  const args = values.map((value) => ({ type: 'text', value }));
  const response = await fetch(new URL('/v2/pipeline', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ requests: [{ type: 'execute', stmt: { sql, args } }, { type: 'close' }] }),
    signal: ctx.signal,
  });
  if (!response.ok) throw new Error(`the database answered ${response.status}: ${await response.text()}`);
  const [answer] = (await response.json()).results;
  if (answer.type === 'error') throw new Error(`${answer.error.message} in ${sql}`);
  return answer.response.result;
}
