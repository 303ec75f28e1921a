module.exports = async ({ url }) => {
  const response = await fetch(url);
  const { n } = await response.json();
  return n;
};
