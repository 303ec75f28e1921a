// `stream`: the package `readable-stream`, with the bridges to the streams of the web that it lacks.
"use strict";

const Stream = require("ext:isochron/vendor/readable-stream/lib/stream.js");
const { invalidType } = require("./errors.js");
const { Duplex, Readable, Writable } = Stream;

const check = (value, kind) => {
  if (!(value instanceof globalThis[kind])) throw invalidType("the stream", `a ${kind}`, value);
};

Readable.fromWeb = function fromWeb(source, options = {}) {
  check(source, "ReadableStream");
  const reader = source.getReader();
  const { signal, ...rest } = options;
  const readable = new Readable({
    ...rest,
    read() {
      reader.read().then(
        ({ value, done }) => {
          if (done) this.push(null);
          else this.push(this.readableObjectMode || typeof value === "string" ? value : Buffer.from(value));
        },
        (error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      reader.cancel(error ?? undefined).then(() => done(error), () => done(error));
    },
  });
  return signal === undefined ? readable : Stream.addAbortSignal(signal, readable);
};

Readable.toWeb = function toWeb(readable, options = {}) {
  const iterator = readable[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await iterator.next();
      if (done) return controller.close();
      const isBytes = value instanceof Uint8Array;
      controller.enqueue(isBytes ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : value);
    },
    async cancel(reason) {
      readable.destroy(reason instanceof Error ? reason : undefined);
      await iterator.return?.();
    },
  }, options.strategy ?? { highWaterMark: 0 });
};

Writable.fromWeb = function fromWeb(target, options = {}) {
  check(target, "WritableStream");
  const writer = target.getWriter();
  return new Writable({
    ...options,
    write(chunk, _encoding, done) {
      writer.ready.then(() => writer.write(chunk)).then(() => done(), done);
    },
    final(done) {
      writer.close().then(() => done(), done);
    },
    destroy(error, done) {
      if (error === null) return done(null);
      writer.abort(error).then(() => done(error), () => done(error));
    },
  });
};

Writable.toWeb = function toWeb(writable) {
  let failure;
  writable.on("error", (error) => failure = error);
  return new WritableStream({
    write: (chunk) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure);
        writable.write(chunk, (error) => error ? reject(error) : resolve());
      }),
    close: () =>
      new Promise((resolve, reject) => {
        Stream.finished(writable, (error) => error ? reject(error) : resolve());
        writable.end();
      }),
    abort(reason) {
      writable.destroy(reason instanceof Error ? reason : new Error(`${reason}`));
    },
  });
};

Duplex.fromWeb = ({ readable, writable }, options) =>
  Duplex.from({ readable: Readable.fromWeb(readable, options), writable: Writable.fromWeb(writable, options) });
Duplex.toWeb = (duplex) => ({ readable: Readable.toWeb(duplex), writable: Writable.toWeb(duplex) });

module.exports = Stream;
