// `process`, as far as it makes sense in a run: nothing of the machine, and no end but the
// handler's own.
"use strict";

const native = require("ext:isochron/native/node.js");
const { coded } = require("./errors.js");

// The version whose behaviour these built-ins follow.
const VERSION = "20.19.0";

const stream = (fd, write) => ({
  fd,
  isTTY: false,
  writable: true,
  /** Each line becomes a line of the run's output. */
  write(chunk, encoding, callback) {
    const done = typeof encoding === "function" ? encoding : callback;
    write(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString());
    if (typeof done === "function") native.nextTick(done);
    return true;
  },
  end(chunk) {
    if (chunk !== undefined && typeof chunk !== "function") this.write(chunk);
    return this;
  },
  on() {
    return this;
  },
  once() {
    return this;
  },
  off() {
    return this;
  },
  removeListener() {
    return this;
  },
  emit: () => false,
  hasColors: () => false,
  getColorDepth: () => 1,
});

function hrtime(before) {
  const now = native.now();
  let seconds = Math.floor(now / 1000);
  let nanoseconds = Math.floor((now % 1000) * 1e6);
  if (before !== undefined) {
    seconds -= before[0];
    nanoseconds -= before[1];
    if (nanoseconds < 0) {
      seconds--;
      nanoseconds += 1e9;
    }
  }
  return [seconds, nanoseconds];
}
hrtime.bigint = () => BigInt(Math.floor(native.now() * 1e6));

function emitWarning(warning, type, code) {
  const options = typeof type === "object" && type !== null ? type : { type, code };
  const isError = warning instanceof Error;
  const name = isError ? warning.name : options.type ?? "Warning";
  const id = (isError ? warning.code : options.code) ?? "";
  const detail = options.detail === undefined ? "" : `\n${options.detail}`;
  native.warn(`${id === "" ? "" : `[${id}] `}${name}: ${isError ? warning.message : warning}${detail}`);
}

function exit() {
  throw coded(
    Error,
    "ERR_PROCESS_EXIT",
    "process.exit() cannot end a run: return from the handler, or throw an error to fail",
  );
}

/** The variables of the run. To read one that cannot be read is an error: `undefined` would look like a
 * variable that nobody has set. */
function environment() {
  const env = { NODE_ENV: "production", ...native.environment() };
  const unreadable = native.unreadable() ?? {};
  for (const name of Object.keys(unreadable)) {
    Object.defineProperty(env, name, {
      get() {
        throw coded(Error, "ERR_SECRET_UNREADABLE", unreadable[name]);
      },
      set(value) {
        Object.defineProperty(env, name, { value, writable: true });
      },
      enumerable: true,
      configurable: true,
    });
  }
  return env;
}

// A run has no signals and no events of a process: listeners are accepted and never called.
const ignore = () => process;
const process = {
  title: "isochron",
  version: `v${VERSION}`,
  versions: { node: VERSION },
  release: { name: "node" },
  arch: "x64",
  platform: "linux",
  pid: 1,
  ppid: 0,
  argv: ["isochron", `/${native.file()}`],
  argv0: "isochron",
  execArgv: [],
  execPath: "isochron",
  env: environment(),
  exitCode: undefined,
  features: {},
  config: { target_defaults: {}, variables: {} },
  stdout: stream(1, native.writeOut),
  stderr: stream(2, native.writeError),
  nextTick: native.nextTick,
  hrtime,
  emitWarning,
  exit,
  abort: exit,
  reallyExit: exit,
  cwd: () => "/",
  chdir() {
    throw coded(Error, "ERR_NOT_SUPPORTED", "process.chdir() is not here: a run has no directory");
  },
  umask: () => 0o22,
  uptime: () => native.now() / 1000,
  memoryUsage() {
    const { total, used, external } = native.heap();
    return { rss: total + external, heapTotal: total, heapUsed: used, external, arrayBuffers: external };
  },
  on: ignore,
  once: ignore,
  off: ignore,
  addListener: ignore,
  prependListener: ignore,
  removeListener: ignore,
  removeAllListeners: ignore,
  setMaxListeners: ignore,
  emit: () => false,
  listeners: () => [],
  listenerCount: () => 0,
  eventNames: () => [],
};
Object.defineProperty(process, Symbol.toStringTag, { value: "process", configurable: true });

module.exports = process;
