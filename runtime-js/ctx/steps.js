// ctx.step: a part of a handler whose result is kept, and which no later attempt runs again.
"use strict";

const { primordials } = __bootstrap;
const { JSONParse, JSONStringify, ReflectApply, StringPrototypeIsWellFormed, TypeError } = primordials;
const { call, shown, textOf } = require("./call.js");

function checkName(name) {
  if (typeof name !== "string") throw new TypeError(`the name of a step is a string, not ${shown(name)}`);
  if (name === "" || name.length > 200) {
    throw new TypeError(`the name of a step has 1 to 200 characters, not ${name.length}`);
  }
  if (!StringPrototypeIsWellFormed(name)) throw new TypeError("the name of a step has half of a surrogate pair");
  return JSONStringify(name);
}

async function step(name, run) {
  const named = checkName(name);
  if (typeof run !== "function") {
    throw new TypeError(`ctx.step(${named}, \u2026) needs a function as its second argument, not ${shown(run)}`);
  }
  const begun = await call("step.begin", `{"name":${named}}`);
  if (begun.finished) return begun.value;
  let text;
  try {
    const value = await ReflectApply(run, undefined, []);
    text = value === undefined ? "null" : textOf(value, `the result of the step ${named}`);
    await call("step.finish", `{"name":${named},"value":${text}}`);
  } catch (error) {
    try {
      await call("step.fail", `{"name":${named}}`);
    } catch {
      // The handler's own error is the one to show.
    }
    throw error;
  }
  // The same value as a later attempt is given.
  return JSONParse(text);
}

module.exports = { step };
