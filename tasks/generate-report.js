/**
 * Makes a small monthly report: a sample to start your own handlers from.
 *
 * Parameters:
 *   reportType  what the report is about, such as "sales" ("summary")
 *   month       1 to 12 (the current month)
 *   year        four digits (the current year)
 *   format      "json" or "text" ("json")
 *
 * Returns { success, reportType, period, format, days, weekdays, report }.
 */
module.exports = async (params, ctx) => {
  const today = new Date();
  const {
    reportType = 'summary',
    month = today.getUTCMonth() + 1,
    year = today.getUTCFullYear(),
    format = 'json',
  } = params;
  if (!Number.isInteger(month) || month < 1 || month > 12) {
    return { success: false, error: `month must be a whole number from 1 to 12, not ${month}` };
  }
  if (!Number.isInteger(year) || year < 1000 || year > 9999) {
    return { success: false, error: `year must have four digits, not ${year}` };
  }
  if (!['json', 'text'].includes(format)) {
    return { success: false, error: `format must be "json" or "text", not ${format}` };
  }

  const name = new Intl.DateTimeFormat('en', { month: 'long', timeZone: 'UTC' })
    .format(Date.UTC(year, month - 1));
  console.log(`Generating the ${reportType} report for ${name} ${year} (attempt ${ctx.attempt})`);

  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  let weekdays = 0;
  for (let day = 1; day <= days; day += 1) {
    const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
    if (weekday > 0 && weekday < 6) weekdays += 1;
  }
  console.log('%d days, %d of them weekdays', days, weekdays);

  const period = `${year}-${String(month).padStart(2, '0')}`;
  const report = format === 'text'
    ? `${reportType} ${period}: ${days} days, ${weekdays} weekdays`
    : { title: `${reportType} ${period}`, days, weekdays };
  console.info('Report ready');
  return { success: true, reportType, period, format, days, weekdays, report };
};
