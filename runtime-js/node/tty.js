// `tty`: nothing is a terminal here. Packages ask before they colour their output.
"use strict";

module.exports = { isatty: () => false };
