/**
 * Sends a message to a webhook, signed with a secret that the receiver knows as well.
 *
 * Parameters:
 *   url      where to send it
 *   message  any JSON
 *
 * Before:  isochron secret set WEBHOOK_KEY --handlers examples/signed-webhook < key.txt
 */
const { createHmac } = require('node:crypto');

module.exports = async ({ url, message }, ctx) => {
  const key = await ctx.secrets.get('WEBHOOK_KEY');
  const body = JSON.stringify({ message, time: new Date(ctx.scheduledFor).toISOString() });

  // The receiver computes the same over the bytes that it gets, and compares.
  const signature = createHmac('sha256', key).update(body).digest('hex');
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-signature': `sha256=${signature}`,
      // The same for every attempt, so that a retry is not taken for a second message.
      'idempotency-key': ctx.idempotencyKey,
    },
    body,
    signal: ctx.signal,
  });
  // A body that is not read keeps its connection.
  const answer = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${answer.slice(0, 200)}`);
  return { success: true, status: response.status };
};
