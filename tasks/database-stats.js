/**
 * Counts the records and bytes of every collection of the store and logs a summary.
 *
 * Parameters:
 *   detailed  true adds task counts per status, the oldest and newest execution and the
 *             sizes of the indexes (false)
 *
 * The figures of the last 100 runs are kept, so that growth can be followed.
 * Returns { success, collections, totalCollections, totalDocuments, totalSizeMB, ... }.
 */
const system = require('isochron:system');

const HISTORY = 'database-stats';
const KEPT = 100;
const toMB = (bytes) => Math.round((bytes / 1024 / 1024) * 1000) / 1000;

module.exports = async ({ detailed = false, ...others } = {}) => {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    return { success: false, error: `${unknown} is no parameter; there is detailed` };
  }
  if (typeof detailed !== 'boolean') {
    return { success: false, error: `detailed must be true or false, not ${detailed}` };
  }
  const { collections: found, bytesOnDisk, ...details } = await system.statistics({ detailed });
  const collections = Object.entries(found).map(([name, { count, bytes }]) => ({ name, count, bytes }));
  const totalDocuments = collections.reduce((sum, { count }) => sum + count, 0);
  const totalBytes = collections.reduce((sum, { bytes }) => sum + bytes, 0);

  const history = (await system.get(HISTORY)) ?? [];
  const last = history.at(-1);
  history.push({ time: Date.now(), totalDocuments, totalBytes, bytesOnDisk });
  await system.put(HISTORY, history.slice(-KEPT));

  console.table(collections);
  console.log(`${totalDocuments} records, ${toMB(totalBytes)} MB; ${toMB(bytesOnDisk)} MB on disk`);
  if (last) {
    console.log(`since the last run: ${totalDocuments - last.totalDocuments} records, ` +
      `${toMB(totalBytes - last.totalBytes)} MB`);
  }
  return {
    success: true,
    collections,
    totalCollections: collections.length,
    totalDocuments,
    totalSizeMB: toMB(totalBytes),
    ...(detailed ? { ...details, bytesOnDisk, history: history.slice(-10) } : {}),
  };
};
