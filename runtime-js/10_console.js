// The console. deno_web inspects values, and this script makes the text of a line: a value
// that cannot be shown leaves a note in the line and never fails the run.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    Array,
    BigInt,
    Boolean,
    Date,
    DatePrototype,
    Error,
    ErrorCaptureStackTrace,
    Function,
    JSONStringify,
    MapPrototypeClear,
    MapPrototypeDelete,
    MapPrototypeGet,
    MapPrototypeHas,
    MapPrototypeSet,
    MathRound,
    Number,
    NumberParseFloat,
    NumberParseInt,
    NumberPrototypeToFixed,
    Object,
    ObjectDefineProperty,
    ObjectHasOwn,
    ObjectIs,
    ReflectGetOwnPropertyDescriptor,
    ReflectGetPrototypeOf,
    RegExp,
    SafeMap,
    SafeSet,
    SetPrototypeHas,
    String,
    StringPrototypeEndsWith,
    StringPrototypeIndexOf,
    StringPrototypeRepeat,
    StringPrototypeReplaceAll,
    StringPrototypeSlice,
    StringPrototypeStartsWith,
    Symbol,
    SymbolToPrimitive,
    SymbolToStringTag,
  } = primordials;
  const {
    op_isochron_checkpoint,
    op_isochron_frames,
    op_isochron_now,
    op_isochron_write,
  } = core.ops;
  const shared = global.__isochron;
  const deno = shared.load("ext:deno_web/01_console.js");
  deno.setNoColorFns(() => true, () => true);

  // As `Level` in the protocol.
  const DEBUG = 0;
  const LOG = 1;
  const INFO = 2;
  const WARN = 3;
  const ERROR = 4;
  // Characters of a string that are formatted: no run sends more output.
  const LONGEST = 16 * 1024 * 1024;
  // Deeper groups are indented no further.
  const DEEPEST = 512;

  let open = true; // until the output limit is reached
  let depth = 0; // of groups that are open
  const counts = new SafeMap(); // by label
  const starts = new SafeMap(); // of timers, by label

  const write = (level, text) => {
    if (open) open = op_isochron_write(level, text);
  };
  function print(level, text) {
    if (depth > 0) {
      const indent = StringPrototypeRepeat("  ", depth < DEEPEST ? depth : DEEPEST);
      text = indent + StringPrototypeReplaceAll(text, "\n", `\n${indent}`);
    }
    write(level, text);
  }

  // --- values as texts ---

  /** The note for a value that threw while it was formatted. */
  function noteFailure(error) {
    let why = "";
    try {
      why = typeof error === "object" && error !== null ? error.message : error;
      why = typeof why === "string" ? StringPrototypeSlice(why, 0, 200) : "";
    } catch {
      // The error cannot be shown either.
    }
    return why === "" ? "[cannot be shown]" : `[cannot be shown: ${why}]`;
  }

  /** Calls `work`, which returns a text and may run the handler's code; never throws. */
  function guard(work, value, options) {
    try {
      return work(value, options);
    } catch (error) {
      return noteFailure(error);
    } finally {
      // deno_web's formatter may have caught V8's termination.
      op_isochron_checkpoint();
    }
  }
  const inspect = (value, options) => guard(deno.inspect, value, options);

  const SHALLOW = { __proto__: null, depth: 0 };
  // Classes whose `toString` shows less of a value than inspecting it.
  const INSPECTED = new SafeSet([
    Array, BigInt, Boolean, Date, Error, Function, Number, Object, RegExp, String, Symbol,
  ]);

  const dateToPrimitive = DatePrototype[SymbolToPrimitive];

  /** Whether an object has a text of its own, as Node decides it for `%s`. */
  function hasText(value) {
    if (core.isProxy(value)) return false;
    const toPrimitive = value[SymbolToPrimitive];
    if (typeof toPrimitive === "function" && toPrimitive !== dateToPrimitive) return true;
    if (typeof value.toString !== "function") return false;
    let holder = value;
    while (holder !== null && !ObjectHasOwn(holder, "toString")) {
      holder = ReflectGetPrototypeOf(holder);
    }
    if (holder === null || holder === value) return true;
    const descriptor = ReflectGetOwnPropertyDescriptor(holder, "constructor");
    return descriptor === undefined || !SetPrototypeHas(INSPECTED, descriptor.value);
  }

  function stringOf(value) {
    if (typeof value === "object" && value !== null && !hasText(value)) {
      return deno.inspect(value, SHALLOW);
    }
    return typeof value === "number" || typeof value === "bigint" ? digits(value) : String(value);
  }

  /** A number with the sign of zero, or a BigInt with its `n`. */
  const digits = (number) =>
    typeof number === "bigint" ? `${number}n` : ObjectIs(number, -0) ? "-0" : `${number}`;
  /** A directive that makes a number of its value. */
  const numeric = (convert) => (value) =>
    digits(typeof value === "bigint" ? value : typeof value === "symbol" ? NaN : convert(value));
  const integerOf = numeric((value) => NumberParseInt(String(value)));
  // Only this directive makes a number of a BigInt.
  const floatOf = (value) =>
    digits(typeof value === "symbol" ? NaN : NumberParseFloat(String(value)));
  function jsonOf(value) {
    try {
      return `${JSONStringify(value)}`;
    } catch (error) {
      if (StringPrototypeStartsWith(error.message, "Converting circular structure")) {
        return "[Circular]";
      }
      throw error;
    }
  }
  const DIRECTIVES = {
    __proto__: null,
    c: () => "",
    d: numeric(Number),
    f: floatOf,
    i: integerOf,
    j: jsonOf,
    o: deno.inspect,
    O: deno.inspect,
    s: stringOf,
  };

  const short = (text) => text.length > LONGEST ? StringPrototypeSlice(text, 0, LONGEST) : text;

  /** The text of `console.log(...args)`, whose first argument may hold directives. */
  function format(args) {
    if (args.length === 0) return "";
    if (typeof args[0] !== "string") return join("", args, 0);
    if (args.length === 1) return short(args[0]);
    const pattern = short(args[0]);
    let text = "";
    let next = 1; // of the arguments
    let done = 0; // characters of the pattern that are in the text
    for (;;) {
      const at = StringPrototypeIndexOf(pattern, "%", next === args.length ? pattern.length : done);
      if (at === -1 || at === pattern.length - 1) break;
      const name = pattern[at + 1];
      const directive = DIRECTIVES[name];
      text += StringPrototypeSlice(pattern, done, at);
      if (name === "%") text += "%";
      else if (directive === undefined) text += `%${name}`;
      else text += guard(directive, args[next++]);
      done = at + 2;
    }
    return join(text + unescape(pattern, done), args, next);
  }

  /** The rest of a pattern for which no argument is left: its only directive is `%%`. */
  const unescape = (pattern, start) =>
    StringPrototypeReplaceAll(StringPrototypeSlice(pattern, start), "%%", "%");

  function join(text, args, start) {
    for (let i = start; i < args.length; i++) {
      if (i > 0) text += " ";
      text += typeof args[i] === "string" ? short(args[i]) : inspect(args[i]);
    }
    return text;
  }

  // --- methods ---

  /** A method that prints a note instead of throwing. */
  const method = (name, level, body) => ({
    [name](...args) {
      if (!open) return;
      try {
        body(level, args);
      } catch (error) {
        print(level, noteFailure(error));
      }
    },
  })[name];

  /** A method that prints its arguments; fast for one string outside any group. */
  const printing = (name, level) => ({
    [name](...args) {
      if (!open) return;
      if (args.length === 1 && typeof args[0] === "string" && depth === 0) {
        write(level, short(args[0]));
        return;
      }
      try {
        print(level, format(args));
      } catch (error) {
        print(level, noteFailure(error));
      }
    },
  })[name];

  const labelOf = (args) => args.length === 0 || args[0] === undefined ? "default" : String(args[0]);

  function group(level, args) {
    if (args.length > 0) print(level, format(args));
    depth++;
  }

  function assert(level, args) {
    if (args.length > 0 && args[0]) return;
    const rest = [];
    for (let i = 1; i < args.length; i++) append(rest, args[i]);
    if (rest.length === 0) return print(level, "Assertion failed");
    if (typeof rest[0] === "string") rest[0] = `Assertion failed: ${rest[0]}`;
    else return print(level, join("Assertion failed:", args, 1));
    print(level, format(rest));
  }
  const append = (list, value) =>
    ObjectDefineProperty(list, list.length, {
      __proto__: null,
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });

  function count(level, args) {
    const label = labelOf(args);
    const number = (MapPrototypeGet(counts, label) ?? 0) + 1;
    MapPrototypeSet(counts, label, number);
    print(level, `${label}: ${number}`);
  }
  function countReset(level, args) {
    const label = labelOf(args);
    if (MapPrototypeHas(counts, label)) MapPrototypeSet(counts, label, 0);
    else print(WARN, `Count for '${label}' does not exist`);
  }

  function time(level, args) {
    const label = labelOf(args);
    if (MapPrototypeHas(starts, label)) print(WARN, `Timer '${label}' already exists`);
    else MapPrototypeSet(starts, label, op_isochron_now());
  }
  function measure(label) {
    const start = MapPrototypeGet(starts, label);
    if (start === undefined) {
      print(WARN, `Timer '${label}' does not exist`);
      return undefined;
    }
    const took = op_isochron_now() - start;
    const digits = took < 1 ? 3 : took < 10 ? 2 : took < 100 ? 1 : 0;
    return `${label}: ${digits === 0 ? MathRound(took) : NumberPrototypeToFixed(took, digits)}ms`;
  }
  function timeLog(level, args) {
    const text = measure(labelOf(args));
    if (text !== undefined) print(level, join(text, args, 1));
  }
  function timeEnd(level, args) {
    const label = labelOf(args);
    const text = measure(label);
    MapPrototypeDelete(starts, label);
    if (text !== undefined) print(level, text);
  }

  function dir(level, { 0: value, 1: options }) {
    if (typeof value === "string") return print(level, short(value));
    const given = typeof options === "object" ? guard(copyOptions, options) : undefined;
    print(level, typeof given === "object" ? inspect(value, given) : inspect(value));
  }
  const copyOptions = (options) => ({ __proto__: null, ...options, colors: false });

  // deno_web's console makes only tables, because its native half takes 0.4 ms to make.
  let tableText = "";
  const tables = new deno.Console((message) => {
    tableText = StringPrototypeEndsWith(message, "\n")
      ? StringPrototypeSlice(message, 0, -1)
      : message;
  });
  function table(level, { 0: data, 1: properties }) {
    tableText = "";
    guard((value) => tables.table(value, properties), data) === undefined
      ? print(level, tableText)
      : print(level, inspect(data));
  }

  function trace(level, args) {
    const message = format(args);
    const here = { name: "Trace", message: "" };
    ErrorCaptureStackTrace(here);
    const frames = typeof here.stack === "string" ? op_isochron_frames(here.stack) : "";
    const first = message === "" ? "Trace" : `Trace: ${message}`;
    const rest = frames === "" ? "" : `\n    ${StringPrototypeReplaceAll(frames, "\n", "\n    ")}`;
    print(level, first + rest);
  }

  const nothing = (name) => ({ [name]() {} })[name];
  const console = {
    log: printing("log", LOG),
    info: printing("info", INFO),
    debug: printing("debug", DEBUG),
    warn: printing("warn", WARN),
    error: printing("error", ERROR),
    dir: method("dir", LOG, dir),
    dirxml: printing("dirxml", LOG),
    table: method("table", LOG, table),
    assert: method("assert", ERROR, assert),
    count: method("count", LOG, count),
    countReset: method("countReset", LOG, countReset),
    time: method("time", LOG, time),
    timeLog: method("timeLog", LOG, timeLog),
    timeEnd: method("timeEnd", LOG, timeEnd),
    group: method("group", LOG, group),
    groupCollapsed: method("groupCollapsed", LOG, group),
    groupEnd() {
      if (depth > 0) depth--;
    },
    clear() {
      depth = 0;
    },
    trace: method("trace", ERROR, trace),
    // No profiler can be attached here.
    profile: nothing("profile"),
    profileEnd: nothing("profileEnd"),
    timeStamp: nothing("timeStamp"),
  };
  ObjectDefineProperty(console, SymbolToStringTag, {
    __proto__: null,
    value: "console",
    configurable: true,
  });
  shared.define("console", console);

  shared.warn = (message) => write(WARN, message);
  shared.inspect = inspect;
  shared.forgetConsole = () => {
    open = true;
    depth = 0;
    MapPrototypeClear(counts);
    MapPrototypeClear(starts);
  };
})(globalThis);
