/**
 * Watches a web page and tells when it has changed.
 *
 * Parameters:
 *   url    the page
 *   match  a regular expression; only the text that it finds is compared (the whole page)
 *
 * Try it:  isochron run examples/page-watch --params '{"url": "https://example.com"}'
 */
const { createHash } = require('node:crypto');

module.exports = async ({ url, match }, ctx) => {
  const seen = (await ctx.kv.get(url)) ?? {};

  // A server that knows ETags answers 304 without a body when nothing has changed.
  const headers = new Headers(seen.etag ? { 'if-none-match': seen.etag } : undefined);
  const response = await fetch(url, { headers, signal: ctx.signal });
  if (response.status === 304) return { changed: false, since: seen.since };
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);

  const page = await response.text();
  const text = match ? page.match(new RegExp(match, 's'))?.[0] : page;
  if (text === undefined) throw new Error(`nothing on ${url} matches ${match}`);
  const hash = createHash('sha256').update(text).digest('hex');
  const changed = seen.hash !== undefined && seen.hash !== hash;
  const since = seen.hash === hash ? seen.since : new Date().toISOString();
  await ctx.kv.set(url, { hash, since, etag: response.headers.get('etag') });

  if (changed) console.log('%s has changed', url);
  return { changed, since };
};
