/**
 * Removes execution history and audit records that are older than a number of days.
 *
 * Parameters:
 *   olderThan  days (30); executions and audit records from before that are removed
 *   dryRun     true counts what would be removed and removes nothing (false)
 *
 * An execution in progress is never removed.
 * Returns { success, executions, audit, totalRemoved, dryRun }; totalRemoved is 0 in a dry run.
 */
const system = require('isochron:system');

module.exports = async ({ olderThan = 30, dryRun = false, ...others } = {}) => {
  // A slip such as dryrun must not remove anything.
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    return { success: false, error: `${unknown} is no parameter; there are olderThan and dryRun` };
  }
  if (typeof olderThan !== 'number' || !(olderThan >= 0)) {
    return { success: false, error: `olderThan must be a number of days, 0 or more, not ${olderThan}` };
  }
  if (typeof dryRun !== 'boolean') {
    return { success: false, error: `dryRun must be true or false, not ${dryRun}` };
  }
  console.log(`Looking for records older than ${olderThan} days${dryRun ? ' (dry run)' : ''}`);
  const { executions, audit } = await system.removeHistory({ olderThan, dryRun });
  const verb = dryRun ? 'would be removed' : 'removed';
  console.log(`executions: ${executions} ${verb}`);
  console.log(`audit records: ${audit} ${verb}`);
  return { success: true, executions, audit, totalRemoved: dryRun ? 0 : executions + audit, dryRun };
};
