/**
 * Makes a small monthly report: a sample to start your own handlers from.
 *
 * Parameters:
 *   reportType  what the report is about, such as "sales", in 1 to 100 characters ("summary")
 *   month       1 to 12 (the current month)
 *   year        four digits (the current year)
 *   format      "json", "text", "html" or "pdf" ("json")
 *
 * Returns { success, reportType, period, format, days, weekdays, report }. The report is an
 * object, a text, a page of HTML, or a PDF of one page in base64:
 *   Buffer.from(result.report, 'base64') in Node, `base64 -d` in a shell.
 */
const FORMATS = {
  json: ({ title, days, weekdays }) => ({ title, days, weekdays }),
  text: ({ title, days, weekdays }) => `${title}: ${days} days, ${weekdays} weekdays`,
  html,
  pdf,
};

module.exports = async (params, ctx) => {
  const today = new Date();
  const {
    reportType = 'summary',
    month = today.getUTCMonth() + 1,
    year = today.getUTCFullYear(),
    format = 'json',
    ...others
  } = params;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    const error = `${unknown} is no parameter; there are reportType, month, year and format`;
    return { success: false, error };
  }
  if (typeof reportType !== 'string' || reportType.length < 1 || reportType.length > 100) {
    return { success: false, error: 'reportType must be a text of 1 to 100 characters' };
  }
  if (!Number.isInteger(month) || month < 1 || month > 12) {
    return { success: false, error: `month must be a whole number from 1 to 12, not ${month}` };
  }
  if (!Number.isInteger(year) || year < 1000 || year > 9999) {
    return { success: false, error: `year must have four digits, not ${year}` };
  }
  if (!Object.hasOwn(FORMATS, format)) {
    return { success: false, error: `format must be "json", "text", "html" or "pdf", not ${format}` };
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
  const report = FORMATS[format]({ title: `${reportType} ${period}`, month: `${name} ${year}`, days, weekdays });
  console.info('Report ready');
  return { success: true, reportType, period, format, days, weekdays, report };
};

/** The rows of the table in a report. */
const rows = ({ month, days, weekdays }) => [
  ['Period', month],
  ['Days', days],
  ['Weekdays', weekdays],
  ['Weekend days', days - weekdays],
];

function html(figures) {
  const escape = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const table = rows(figures).map(([label, value]) =>
    `<tr><th scope="row">${escape(label)}</th><td>${escape(value)}</td></tr>`);
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><title>${escape(figures.title)}</title></head>`,
    `<body><h1>${escape(figures.title)}</h1>`,
    `<table>${table.join('')}</table>`,
    '</body></html>',
  ].join('\n');
}

/** A PDF of one A4 page, in base64. It needs no font in the file: every reader has Helvetica. */
function pdf(figures) {
  const write = (font, size, x, y, text) => `BT /${font} ${size} Tf ${x} ${y} Td (${pdfText(text)}) Tj ET`;
  // A title of 100 characters in 10 points still fits between the margins.
  const size = figures.title.length > 40 ? 10 : 22;
  const page = [
    write('Bold', size, 56, 770, figures.title),
    '0.5 w 56 752 m 539 752 l S',
    ...rows(figures).flatMap(([label, value], index) => [
      write('Plain', 12, 56, 724 - 20 * index, label),
      write('Bold', 12, 200, 724 - 20 * index, value),
    ]),
  ].join('\n');
  const font = (name) => `<< /Type /Font /Subtype /Type1 /BaseFont /${name} /Encoding /WinAnsiEncoding >>`;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R ' +
      '/Resources << /Font << /Plain 5 0 R /Bold 6 0 R >> >> >>',
    `<< /Length ${page.length} >>\nstream\n${page}\nendstream`,
    font('Helvetica'),
    font('Helvetica-Bold'),
    `<< /Title (${pdfText(figures.title)}) >>`,
  ];
  // The comment of high bytes tells programs that the file is binary.
  let file = '%PDF-1.4\n%\xe2\xe3\xcf\xd3\n';
  const table = objects.map((object, index) => {
    const offset = String(file.length).padStart(10, '0');
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return `${offset} 00000 n \n`;
  });
  const start = file.length;
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table.join('')}`;
  file += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /Info 7 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  return btoa(file);
}

/** A text inside the parentheses of a PDF: Latin-1; any other character becomes a question mark. */
function pdfText(text) {
  return String(text).replace(/[^ -~\xa0-\xff]/gu, '?').replace(/[\\()]/g, '\\$&');
}
