/** Does next to nothing. */
module.exports = (params) => ({ n: params.n + 1 });
