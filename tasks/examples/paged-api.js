/**
 * Reads all pages of an API with a secret token, and waits while the API is busy.
 *
 * Parameters:
 *   url    the first page; a page is JSON like { "items": [ … ], "next": "/orders?page=2" }
 *   tries  requests per page before the run fails (5)
 *
 * Before:  isochron secret set ORDERS_TOKEN --handlers examples/paged-api < token.txt
 */
const BUSY = [429, 503];

module.exports = async ({ url, tries = 5 }, ctx) => {
  // The value never appears in output, errors or results: it is replaced by [secret ORDERS_TOKEN].
  const token = await ctx.secrets.get('ORDERS_TOKEN');
  const items = [];
  let pages = 0;
  for (let next = url; next; pages += 1) {
    const page = await read(next, token, tries, ctx);
    items.push(...page.items);
    next = page.next ? new URL(page.next, next).href : null;
  }
  const total = items.reduce((sum, item) => sum + item.amount, 0);
  console.log('%d pages, %d items', pages, items.length);
  return { pages, items: items.length, total };
};

async function read(url, token, tries, ctx) {
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal: ctx.signal });
    if (response.ok) return response.json();
    if (!BUSY.includes(response.status) || attempt === tries) {
      throw new Error(`${url} answered ${response.status} ${await response.text()}`);
    }
    // The API says how long to wait, or the wait doubles: 1 s, 2 s, 4 s, …
    const seconds = Number(response.headers.get('retry-after') ?? 2 ** (attempt - 1));
    console.warn('%s is busy: waiting %d s', url, seconds);
    await new Promise((go) => setTimeout(go, seconds * 1000));
  }
}
