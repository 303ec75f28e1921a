// `util.inspect` and `util.format`, with Node's defaults over the engine's formatter.
"use strict";

const native = require("ext:isochron/native/node.js");

const defaultOptions = {
  showHidden: false,
  depth: 2,
  colors: false,
  customInspect: true,
  showProxy: false,
  maxArrayLength: 100,
  maxStringLength: 10000,
  breakLength: 80,
  compact: 3,
  sorted: false,
  getters: false,
  numericSeparator: false,
};

const orInfinity = (value) => value === null || value === undefined ? Infinity : value;

function inspect(value, options, depth, colors) {
  let given = options;
  if (typeof options !== "object" || options === null) {
    // The older form: showHidden, depth, colors.
    given = options === undefined ? {} : { showHidden: options };
    if (depth !== undefined) given.depth = depth;
    if (colors !== undefined) given.colors = colors;
  }
  const all = { ...defaultOptions, ...given };
  all.depth = orInfinity(all.depth);
  all.maxArrayLength = orInfinity(all.maxArrayLength);
  all.maxStringLength = orInfinity(all.maxStringLength);
  all.iterableLimit = all.maxArrayLength;
  all.quotes = ["'", '"', "`"];
  all.stylize = all.colors ? stylizeWithColor : (text) => text;
  all.inspect = inspect;
  return native.inspect(value, all);
}

function stylizeWithColor(text, kind) {
  const codes = inspect.colors[inspect.styles[kind]];
  return codes === undefined ? text : `\x1b[${codes[0]}m${text}\x1b[${codes[1]}m`;
}

inspect.custom = Symbol.for("nodejs.util.inspect.custom");
inspect.defaultOptions = defaultOptions;
inspect.colors = {
  reset: [0, 0], bold: [1, 22], dim: [2, 22], italic: [3, 23], underline: [4, 24], blink: [5, 25],
  inverse: [7, 27], hidden: [8, 28], strikethrough: [9, 29], doubleunderline: [21, 24],
  black: [30, 39], red: [31, 39], green: [32, 39], yellow: [33, 39], blue: [34, 39],
  magenta: [35, 39], cyan: [36, 39], white: [37, 39], gray: [90, 39], grey: [90, 39],
  redBright: [91, 39], greenBright: [92, 39], yellowBright: [93, 39], blueBright: [94, 39],
  magentaBright: [95, 39], cyanBright: [96, 39], whiteBright: [97, 39],
  bgBlack: [40, 49], bgRed: [41, 49], bgGreen: [42, 49], bgYellow: [43, 49], bgBlue: [44, 49],
  bgMagenta: [45, 49], bgCyan: [46, 49], bgWhite: [47, 49], bgGray: [100, 49], bgGrey: [100, 49],
  bgRedBright: [101, 49], bgGreenBright: [102, 49], bgYellowBright: [103, 49],
  bgBlueBright: [104, 49], bgMagentaBright: [105, 49], bgCyanBright: [106, 49],
  bgWhiteBright: [107, 49], framed: [51, 54], overlined: [53, 55],
};
inspect.styles = {
  special: "cyan", number: "yellow", bigint: "yellow", boolean: "yellow", undefined: "grey",
  null: "bold", string: "green", symbol: "green", date: "magenta", regexp: "red", module: "underline",
};

/** Whether `%s` shows an object by its own `toString`, and not by inspecting it. */
function hasOwnText(value) {
  if (typeof value.toString !== "function" || native.types.isProxy(value)) return false;
  if (Object.hasOwn(value, "toString")) return true;
  let holder = value;
  while (holder !== null && !Object.hasOwn(holder, "toString")) holder = Object.getPrototypeOf(holder);
  const builtIn = holder === null ? undefined : Object.getOwnPropertyDescriptor(holder, "constructor")?.value;
  return typeof builtIn === "function" && globalThis[builtIn.name] !== builtIn;
}

const numberText = (value) => Object.is(value, -0) ? "-0" : `${value}`;

function textOf(value, options) {
  switch (typeof value) {
    case "number":
      return numberText(value);
    case "bigint":
      return `${value}n`;
    case "object":
      if (value !== null && !hasOwnText(value)) {
        return inspect(value, { ...options, depth: 0, colors: false, compact: 3 });
      }
  }
  return String(value);
}

function jsonOf(value) {
  try {
    return `${JSON.stringify(value)}`;
  } catch (error) {
    if (/circular/i.test(error.message)) return "[Circular]";
    throw error;
  }
}

function numberOf(value, parse) {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol") return "NaN";
  return numberText(parse(value));
}

function substitute(kind, value, options) {
  switch (kind) {
    case "s":
      return textOf(value, options);
    case "d":
      return typeof value === "object" && value !== null && !native.types.isBoxedPrimitive(value)
        ? numberText(Number(value))
        : numberOf(value, Number);
    case "i":
      return numberOf(value, parseInt);
    case "f":
      return typeof value === "symbol" ? "NaN" : numberText(parseFloat(value));
    case "j":
      return jsonOf(value);
    case "o":
      return inspect(value, { ...options, showHidden: true, showProxy: true, depth: 4 });
    case "O":
      return inspect(value, options);
    default:
      return ""; // %c
  }
}

function formatWithOptions(options, ...args) {
  if (args.length === 1 && typeof args[0] === "string") return args[0];
  let next = 0;
  let text = "";
  if (typeof args[0] === "string") {
    next = 1;
    text = args[0].replace(/%[sdifjoOc%]/g, (directive) => {
      if (directive === "%%") return "%";
      return next < args.length ? substitute(directive[1], args[next++], options) : directive;
    });
  }
  for (; next < args.length; next++) {
    if (next > 0) text += " ";
    text += typeof args[next] === "string" ? args[next] : inspect(args[next], options);
  }
  return text;
}
const format = (...args) => formatWithOptions({}, ...args);

module.exports = { format, formatWithOptions, inspect };
