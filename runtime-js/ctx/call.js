// Calls of the helpers in `ctx` to the server. A handler may ask for any number at once: those
// beyond what a run may have in flight wait here for their turn.
"use strict";

const { core, primordials } = __bootstrap;
const { Error, JSONParse, JSONStringify, Promise, String, TypeError } = primordials;
const { op_isochron_call } = core.ops;

// Fewer than a run may have, so that there is room for other calls.
const MOST = 24;

let inFlight = 0;
// The calls that wait, as a list: `resume` and `next`.
let first;
let last;

function wait() {
  return new Promise((resume) => {
    const waiting = { __proto__: null, resume, next: undefined };
    if (last === undefined) first = waiting;
    else last.next = waiting;
    last = waiting;
  });
}

function leave() {
  if (first === undefined) {
    inFlight--;
    return;
  }
  // The next call takes the place over.
  const { resume } = first;
  first = first.next;
  if (first === undefined) last = undefined;
  resume();
}

/** Calls a function of the server with its argument as JSON text; resolves with the answer. */
async function call(name, argument) {
  if (inFlight < MOST) inFlight++;
  else await wait();
  let reply;
  try {
    reply = await op_isochron_call(name, argument);
  } finally {
    leave();
  }
  if (!reply[0]) throw new Error(reply[1]);
  return JSONParse(reply[1]);
}

/** The JSON text of a value of the handler; `what` names the value in an error. */
function textOf(value, what) {
  const text = JSONStringify(value);
  if (text === undefined) {
    throw new TypeError(`${what} is ${value === undefined ? "undefined" : `a ${typeof value}`}, which has no JSON form`);
  }
  return text;
}

/** What a wrong argument is, for a message: `"x"`, `undefined`, `a symbol`, `an object`. */
function shown(value) {
  if (typeof value === "string") return JSONStringify(value);
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  return String(value);
}

module.exports = { call, textOf, shown };
