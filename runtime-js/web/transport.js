// One request and its response, by the ops that ask the server. A refusal is thrown as
// `{ refusal: { kind, code, message } }`; `failure.js` makes an error of it.
"use strict";

const { core } = __bootstrap;
const { op_isochron_fetch, op_isochron_fetch_cancel, op_isochron_fetch_read, op_isochron_fetch_write } =
  core.ops;
const { failureOf } = require("./failure.js");

let last = 0;

class Transfer {
  #number = ++last;
  #over = false;
  #started = false;
  /** Called once, when nothing more can be read. */
  onEnd = () => {};

  /** Sends the request; the promise is for the head of the response. */
  async start(request, bytes) {
    this.#started = true;
    const head = await op_isochron_fetch(this.#number, request, bytes ?? null);
    if (head.error !== null && head.error !== undefined) {
      this.#end();
      throw { __proto__: null, refusal: head.error };
    }
    return head;
  }

  /** Sends a part of the request's body, `null` for its end; false once nobody takes it. */
  async write(part) {
    if (this.#over) return false;
    const refusal = await op_isochron_fetch_write(this.#number, part);
    return refusal === null || refusal === undefined;
  }

  /** Reads bytes of the response's body into a view; the promise is for their number, 0 at the end. */
  async read(into) {
    if (this.#over) return 0;
    const { 0: bytes, 1: error } = await op_isochron_fetch_read(this.#number, into);
    if (error !== null && error !== undefined) {
      this.#end();
      throw failureOf({ __proto__: null, refusal: error });
    }
    if (bytes === 0) this.#end();
    return bytes;
  }

  /** Gives up what is left of the request and its response. */
  cancel() {
    if (this.#over) return;
    this.#end();
    if (this.#started) op_isochron_fetch_cancel(this.#number);
  }

  #end() {
    this.#over = true;
    this.onEnd();
  }
}

module.exports = { __proto__: null, Transfer };
