// The body of a response that the server hands over part by part. It becomes a stream only if the
// handler asks for one.
"use strict";

const { primordials } = __bootstrap;
const {
  ArrayBufferPrototypeTransferToFixedLength,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  TypeError,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  Uint8Array,
} = primordials;
const { load } = __isochron;
const { InnerBody, isStream } = load("ext:deno_fetch/22_body.js");

/** Bytes that one read asks for. */
const PART = 65536;

/** Bytes that grow; `limits.buffers` counts them. */
class Collector {
  #bytes = new Uint8Array(0);
  #size = 0;

  /** A view of `PART` bytes behind those that are there. */
  reserve() {
    const room = TypedArrayPrototypeGetByteLength(this.#bytes);
    const needed = this.#size + PART;
    if (needed > room) this.#bytes = resized(this.#bytes, needed > room * 2 ? needed : room * 2);
    return new Uint8Array(TypedArrayPrototypeGetBuffer(this.#bytes), this.#size, PART);
  }

  /** Keeps the first bytes of the reserved view. */
  keep(bytes) {
    this.#size += bytes;
  }

  /** All bytes, in a buffer of exactly their length. */
  take() {
    return resized(this.#bytes, this.#size);
  }
}

/** The bytes in a buffer of another length; the old one is gone. */
function resized(bytes, length) {
  return new Uint8Array(
    ArrayBufferPrototypeTransferToFixedLength(TypedArrayPrototypeGetBuffer(bytes), length),
  );
}

/**
 * A body whose bytes `source` gives: `read(view)` fills a view and promises the number of bytes, 0 at
 * the end; `cancel()` gives up the rest.
 */
class ResponseBody extends InnerBody {
  #source;
  #controller;
  #failure;
  #failed = false;

  constructor(source) {
    super({ body: undefined, consumed: false });
    this.#source = source;
  }

  #isStream() {
    return isStream(this.streamOrStatic);
  }

  get stream() {
    if (!this.#isStream() && !this.streamOrStatic.consumed) {
      this.streamOrStatic = this.#makeStream();
      if (this.#failed) this.error(this.#failure);
    }
    return super.stream;
  }

  #makeStream() {
    const streams = load("ext:deno_web/06_streams.js");
    const { respond } = streams.ReadableStreamBYOBRequest.prototype;
    const { get: byobRequestOf } = ReflectGetOwnPropertyDescriptor(
      streams.ReadableByteStreamController.prototype,
      "byobRequest",
    );
    const source = this.#source;
    const start = (controller) => {
      this.#controller = controller;
    };
    const pull = async (controller) => {
      const part = new Uint8Array(PART);
      const bytes = await source.read(part);
      if (bytes > 0) {
        streams.readableByteStreamControllerEnqueue(controller, resized(part, bytes));
        return;
      }
      streams.readableByteStreamControllerClose(controller);
      // A reader that brought its own buffer gets it back.
      const request = ReflectApply(byobRequestOf, controller, []);
      if (request !== null) ReflectApply(respond, request, [0]);
    };
    const cancel = () => source.cancel();
    return new streams.ReadableStream({ __proto__: null, type: "bytes", start, pull, cancel });
  }

  consume() {
    if (this.#isStream()) return super.consume();
    if (this.streamOrStatic.consumed) throw new TypeError("Body already consumed");
    this.streamOrStatic.consumed = true;
    if (this.#failed) throw this.#failure;
    return this.#collect();
  }

  async #collect() {
    const collector = new Collector();
    for (;;) {
      let bytes;
      try {
        bytes = await this.#source.read(collector.reserve());
      } catch (error) {
        throw this.#failed ? this.#failure : error;
      }
      if (this.#failed) throw this.#failure;
      if (bytes === 0) return collector.take();
      collector.keep(bytes);
    }
  }

  cancel(reason) {
    if (this.#isStream()) return super.cancel(reason);
    this.streamOrStatic.consumed = true;
    this.#source.cancel();
  }

  error(reason) {
    this.#failed = true;
    this.#failure = reason;
    if (this.#controller !== undefined) {
      load("ext:deno_web/06_streams.js").readableByteStreamControllerError(this.#controller, reason);
    }
  }

  clone() {
    this.stream; // Both halves read one stream.
    return super.clone();
  }

  createProxy() {
    this.stream;
    return super.createProxy();
  }
}

module.exports = { __proto__: null, ResponseBody };
