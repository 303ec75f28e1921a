// `os`: constants. Packages ask for the end of a line or the platform; nothing of the machine
// is told.
"use strict";

const kept = () => {
  const error = new Error("the machine's users are not told to a handler");
  error.code = "ERR_NOT_SUPPORTED";
  throw error;
};

module.exports = {
  EOL: "\n",
  arch: () => "x64",
  availableParallelism: () => 1,
  constants: { signals: {}, errno: {} },
  cpus: () => [],
  devNull: "/dev/null",
  endianness: () => "LE",
  freemem: () => 0,
  homedir: () => "/",
  hostname: () => "isochron",
  loadavg: () => [0, 0, 0],
  machine: () => "x86_64",
  networkInterfaces: () => ({}),
  platform: () => "linux",
  release: () => "",
  tmpdir: () => "/tmp",
  totalmem: () => 0,
  type: () => "Linux",
  uptime: () => 0,
  userInfo: kept,
  version: () => "",
};
