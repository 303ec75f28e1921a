// Records the expected values: `node tests/cases/node/record.js`, with Node 20. Each file holds
// `[expression, value]` pairs; an expression may be a promise. A new expression is added with any
// value and recorded.
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const encode = new Function("value", fs.readFileSync(path.join(__dirname, "encode.js"), "utf8"));

async function valueOf(name, expression) {
  try {
    const run = new Function("require", "m", `return (${expression}\n)`);
    return encode(await run(require, require(name)));
  } catch (error) {
    return { throws: encode(error) };
  }
}

async function record(file) {
  const name = path.basename(file, ".json").replace("+", "/");
  const cases = JSON.parse(fs.readFileSync(path.join(__dirname, file), "utf8"));
  const lines = [];
  for (const [expression] of cases) {
    lines.push(`  ${JSON.stringify([expression, await valueOf(name, expression)])}`);
  }
  fs.writeFileSync(path.join(__dirname, file), `[\n${lines.join(",\n")}\n]\n`);
}

if (process.argv[2] !== undefined) {
  record(process.argv[2]);
} else {
  // A process for each: some modules leave traces in the values of others.
  for (const file of fs.readdirSync(__dirname).filter((file) => file.endsWith(".json"))) {
    execFileSync(process.execPath, [__filename, file], { stdio: ["ignore", "inherit", "ignore"] });
  }
}
