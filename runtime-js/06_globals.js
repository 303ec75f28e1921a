// The globals that are made at their first use, by scripts of the library.
"use strict";

((global) => {
  const { ObjectDefineProperty } = global.__bootstrap.primordials;
  const shared = global.__isochron;

  const STREAMS = "ext:deno_web/06_streams.js";
  const CODERS = "ext:deno_web/14_compression.js";
  const FILES = "ext:deno_web/09_file.js";
  const SUBTLE = "ext:isochron/web/subtle/subtle.js";
  const SCRIPTS = {
    __proto__: null,
    Blob: FILES,
    ByteLengthQueuingStrategy: STREAMS,
    CompressionStream: CODERS,
    CountQueuingStrategy: STREAMS,
    Crypto: SUBTLE,
    CryptoKey: SUBTLE,
    DecompressionStream: CODERS,
    File: FILES,
    FormData: "ext:deno_fetch/21_formdata.js",
    Headers: "ext:deno_fetch/20_headers.js",
    ReadableByteStreamController: STREAMS,
    ReadableStream: STREAMS,
    ReadableStreamBYOBReader: STREAMS,
    ReadableStreamBYOBRequest: STREAMS,
    ReadableStreamDefaultController: STREAMS,
    ReadableStreamDefaultReader: STREAMS,
    Request: "ext:isochron/web/request.js",
    Response: "ext:deno_fetch/23_response.js",
    SubtleCrypto: SUBTLE,
    TransformStream: STREAMS,
    TransformStreamDefaultController: STREAMS,
    URLPattern: "ext:deno_web/01_urlpattern.js",
    WritableStream: STREAMS,
    WritableStreamDefaultController: STREAMS,
    WritableStreamDefaultWriter: STREAMS,
    fetch: "ext:isochron/web/fetch.js",
  };

  // Scripts of the library that stand in for others.
  const INSTEAD = {
    __proto__: null,
    [FILES]: "ext:isochron/web/blob.js",
    [STREAMS]: "ext:isochron/web/streams.js",
    "ext:deno_fetch/22_body.js": "ext:isochron/web/inner_body.js",
  };
  shared.streams = undefined; // the exports of STREAMS once they are made

  /** The exports of a script of Deno that is not in the snapshot. */
  shared.loadLate = (name) => {
    shared.library("ext:isochron/web/standins.js");
    return shared.library(INSTEAD[name] ?? name);
  };

  for (const name in SCRIPTS) {
    const script = SCRIPTS[name];
    shared.defineLazily(name, () => shared.loadLate(script)[name]);
  }

  ObjectDefineProperty(shared.crypto, "subtle", {
    __proto__: null,
    get: () => shared.loadLate(SUBTLE).subtle,
    enumerable: true,
    configurable: true,
  });
})(globalThis);
