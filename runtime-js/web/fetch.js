// `fetch`: the Fetch standard as a server has it, without CORS, cookies and cache. The isochron
// server makes the request (`transport.js`); here are its checks, its body and its signal.
"use strict";

const { primordials } = __bootstrap;
const {
  ArrayPrototypePush,
  Promise,
  PromisePrototypeThen,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  TypedArrayPrototypeGetByteLength,
} = primordials;
const { load } = __isochron;
const webidl = load("ext:deno_webidl/00_webidl.js");
const abortSignal = load("ext:deno_web/03_abort_signal.js");
const { getHeader } = load("ext:deno_fetch/20_headers.js");
const { InnerBody } = load("ext:deno_fetch/22_body.js");
const { Request, toInnerRequest } = require("./request.js");
const { fromInnerResponse, newInnerResponse, nullBodyStatus } = load("ext:deno_fetch/23_response.js");
const { ResponseBody } = require("./body.js");
const { failed, failureOf } = require("./failure.js");
const { Transfer } = require("./transport.js");
const { prepareBody, sendStream } = require("./upload.js");

const PREFIX = "Failed to execute 'fetch'";

/** https://fetch.spec.whatwg.org/#fetch-method */
async function fetch(input, init = undefined) {
  webidl.requiredArguments(arguments.length, 1, PREFIX);
  const request = new Request(input, init);
  const inner = toInnerRequest(request);
  const { signal } = request;
  if (signal.aborted) {
    cancelBody(inner, signal.reason);
    throw signal.reason;
  }
  const url = withoutFragment(inner.url());
  const scheme = StringPrototypeSlice(url, 0, StringPrototypeIndexOf(url, ":"));
  if (scheme === "data") return await fetchData(inner, url);
  if (scheme !== "http" && scheme !== "https") {
    throw failed(
      scheme === "blob"
        ? "blob: URLs are not available here: use the Blob itself"
        : `${scheme}: URLs cannot be fetched, only http:, https: and data:`,
    );
  }
  return await exchange(inner, url, signal);
}

/** Makes a request over the network. */
async function exchange(inner, url, signal) {
  const transfer = new Transfer();
  let upload;
  let body;
  let abort;
  const aborted = new Promise((_, reject) => {
    abort = reject;
  });
  const onAbort = () => {
    const { reason } = signal;
    transfer.cancel();
    if (upload !== undefined) upload.stop(reason);
    else cancelBody(inner, reason);
    if (body !== undefined) body.error(reason);
    abort(reason);
  };
  signal[abortSignal.add](onAbort);
  transfer.onEnd = () => signal[abortSignal.remove](onAbort);
  try {
    const { bytes, stream } = await either(prepareBody(inner.body), aborted);
    const head = transfer.start(describe(inner, url, stream !== undefined), bytes);
    if (stream !== undefined) {
      upload = sendStream(stream, (part) => transfer.write(part));
      PromisePrototypeThen(upload.done, undefined, (error) => {
        transfer.cancel();
        if (body !== undefined) body.error(error);
        abort(failed("the stream of the request's body failed", error));
      });
    }
    const response = makeResponse(await either(head, aborted), url);
    if (nullBodyStatus(response.status) || inner.method === "HEAD") {
      transfer.cancel();
    } else {
      body = response.body = new ResponseBody(transfer);
    }
    await verifyBody(inner, response);
    return fromInnerResponse(response, "immutable");
  } catch (error) {
    transfer.onEnd();
    if (upload !== undefined) upload.stop(error);
    throw failureOf(error);
  }
}

/** The first of two promises that settles. */
function either(first, second) {
  return new Promise((resolve, reject) => {
    PromisePrototypeThen(first, resolve, reject);
    PromisePrototypeThen(second, resolve, reject);
  });
}

/** The request, as the server takes it. */
function describe(inner, url, stream) {
  const { headerList } = inner;
  const headers = [];
  for (let i = 0; i < headerList.length; i++) ArrayPrototypePush(headers, headerList[i]);
  if (getHeader(headerList, "accept") === null) ArrayPrototypePush(headers, ["accept", "*/*"]);
  if (getHeader(headerList, "accept-language") === null) {
    ArrayPrototypePush(headers, ["accept-language", "*"]);
  }
  return { method: inner.method, url, headers, redirect: inner.redirectMode, stream };
}

function makeResponse(head, url) {
  const response = newInnerResponse(head.status, head.statusText);
  response.type = "basic";
  response.headerList = head.headers;
  response.urlList = head.redirected ? [url, head.url] : [url];
  return response;
}

/** Holds a response until its body has been compared with the request's `integrity`, if it has one. */
async function verifyBody(inner, response) {
  if (inner.integrity === undefined || inner.integrity === "") return;
  const { verify } = require("./integrity.js");
  response.body = await verify(response.body ?? null, inner.integrity);
}

async function fetchData(inner, url) {
  const { parseDataUrl } = require("./data_url.js");
  const data = parseDataUrl(url);
  if (data === undefined) throw failed("the data: URL is malformed");
  const response = newInnerResponse(200, "OK");
  response.type = "basic";
  response.headerList = [["content-type", data.type]];
  response.urlList = [url];
  if (inner.method !== "HEAD") {
    response.body = new InnerBody({ body: data.bytes, consumed: false });
    response.body.source = data.bytes;
    response.body.length = TypedArrayPrototypeGetByteLength(data.bytes);
  }
  await verifyBody(inner, response);
  return fromInnerResponse(response, "immutable");
}

function cancelBody(inner, reason) {
  if (inner.body !== null && !inner.body.streamOrStatic.locked) inner.body.cancel(reason);
}

function withoutFragment(url) {
  const hash = StringPrototypeIndexOf(url, "#");
  return hash === -1 ? url : StringPrototypeSlice(url, 0, hash);
}

module.exports = { __proto__: null, fetch };
