/** Tells a diary of its start, every tenth of a second that it goes on, and its end. */
module.exports = async ({ url, ms }, ctx) => {
  const tell = (what) => fetch(`${url}${what}/${ctx.taskName}/${ctx.scheduledFor}/${ctx.attempt}`);
  await tell('start');
  for (let left = ms; left > 0; left -= 100) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, 100)));
    await tell('goes');
  }
  await tell('end');
};
