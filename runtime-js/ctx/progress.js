// ctx.progress: how far the run is. At most ten reports a second leave the runner; the last one
// always does.
"use strict";

const { core, primordials } = __bootstrap;
const { JSONStringify, RangeError, TypeError } = primordials;
const { op_isochron_call, op_isochron_now } = core.ops;
const { shown } = require("./call.js");
const shared = __isochron;

const BETWEEN = 100; // milliseconds

let sentAt = -BETWEEN;
let waiting = "";
let timed = false;

function send() {
  if (waiting === "") return;
  const report = waiting;
  waiting = "";
  sentAt = op_isochron_now();
  // The server answers nothing.
  op_isochron_call("progress", report);
}

function progress(fraction, text) {
  if (typeof fraction !== "number" || !(fraction >= 0 && fraction <= 1)) {
    throw new RangeError(`progress is a number from 0 to 1, not ${shown(fraction)}`);
  }
  if (text !== undefined && text !== null && typeof text !== "string") {
    throw new TypeError(`the text of a progress is a string, not ${shown(text)}`);
  }
  waiting = `{"fraction":${JSONStringify(fraction)},"text":${JSONStringify(text ?? null)}}`;
  const left = sentAt + BETWEEN - op_isochron_now();
  if (left <= 0) {
    send();
  } else if (!timed) {
    timed = true;
    // Not one to wait for: a run that waits for nothing else is over.
    core.createSystemTimer(() => {
      timed = false;
      send();
    }, left, false);
  }
}

// Called before the end of the run is recorded.
shared.flushProgress = send;
module.exports = { progress };
