// The console: deno_web formats, we send. One call is one line of output.
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    ErrorCaptureStackTrace,
    ObjectDefineProperty,
    ReflectApply,
    StringPrototypeEndsWith,
    StringPrototypeReplaceAll,
    StringPrototypeSlice,
    SymbolToStringTag,
  } = primordials;
  const { op_isochron_frames, op_isochron_write } = core.ops;
  const ours = global.__isochron;
  const deno = ours.load("ext:deno_web/01_console.js");
  deno.setNoColorFns(() => true, () => true);

  // As `Level` in the protocol.
  const DEBUG = 0;
  const LOG = 1;
  const INFO = 2;
  const WARN = 3;
  const ERROR = 4;
  // Longer strings are cut before they are formatted: no more output is ever sent.
  const LONGEST = 16 * 1024 * 1024;

  let open = true; // until the output limit is reached
  let depth = 0; // of groups that are open
  let level = LOG; // of the method that is printing
  const write = (at, message) => {
    if (open) open = op_isochron_write(at, message);
  };
  const printer = new deno.Console((message) => {
    const end = StringPrototypeEndsWith(message, "\n") ? -1 : undefined;
    write(level, StringPrototypeSlice(message, 0, end));
  });

  const prepared = (args) => {
    for (let i = 0; i < args.length; i++) {
      if (typeof args[i] === "string" && args[i].length > LONGEST) {
        args[i] = StringPrototypeSlice(args[i], 0, LONGEST);
      }
    }
    return args;
  };
  const method = (name, at) => {
    const print = printer[name];
    const quick = name === "log" || name === "info" || name === "debug" ||
      name === "warn" || name === "error";
    const wrapped = {
      [name](...args) {
        if (name === "group" || name === "groupCollapsed") depth++;
        if (name === "groupEnd" && depth > 0) depth--;
        if (!open) return;
        prepared(args);
        if (
          quick && args.length === 1 && typeof args[0] === "string" && depth === 0
        ) {
          write(at, args[0]);
          return;
        }
        const before = level;
        level = at;
        try {
          ReflectApply(print, printer, args);
        } finally {
          level = before;
        }
      },
    };
    return wrapped[name];
  };

  const console = {
    log: method("log", LOG),
    info: method("info", INFO),
    debug: method("debug", DEBUG),
    warn: method("warn", WARN),
    error: method("error", ERROR),
    dir: method("dir", LOG),
    dirxml: method("dirxml", LOG),
    table: method("table", LOG),
    assert: method("assert", ERROR),
    count: method("count", LOG),
    countReset: method("countReset", LOG),
    time: method("time", LOG),
    timeLog: method("timeLog", LOG),
    timeEnd: method("timeEnd", LOG),
    group: method("group", LOG),
    groupCollapsed: method("groupCollapsed", LOG),
    groupEnd: method("groupEnd", LOG),
    trace(...args) {
      if (!open) return;
      const message = deno.inspectArgs(prepared(args), { __proto__: null, colors: false });
      const here = { name: "Trace", message };
      ErrorCaptureStackTrace(here, console.trace);
      const frames = typeof here.stack === "string" ? op_isochron_frames(here.stack) : "";
      const first = message === "" ? "Trace" : `Trace: ${message}`;
      const rest = frames === "" ? "" : "\n    " + StringPrototypeReplaceAll(frames, "\n", "\n    ");
      write(ERROR, first + rest);
    },
  };
  ObjectDefineProperty(console, SymbolToStringTag, {
    __proto__: null,
    value: "console",
    configurable: true,
  });
  ours.define("console", console);

  ours.warn = (message) => write(WARN, message);
  ours.inspect = (value) => deno.inspect(value, { __proto__: null, depth: 2 });
})(globalThis);
