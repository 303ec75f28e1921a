// `stream/web`: the globals.
"use strict";

const NAMES = [
  "ByteLengthQueuingStrategy", "CompressionStream", "CountQueuingStrategy", "DecompressionStream",
  "ReadableByteStreamController", "ReadableStream", "ReadableStreamBYOBReader",
  "ReadableStreamBYOBRequest", "ReadableStreamDefaultController", "ReadableStreamDefaultReader",
  "TextDecoderStream", "TextEncoderStream", "TransformStream", "TransformStreamDefaultController",
  "WritableStream", "WritableStreamDefaultController", "WritableStreamDefaultWriter",
];

for (const name of NAMES) {
  if (name in globalThis) {
    Object.defineProperty(exports, name, { get: () => globalThis[name], enumerable: true, configurable: true });
  }
}
