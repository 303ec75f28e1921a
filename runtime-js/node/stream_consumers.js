// `stream/consumers`: all of a stream at once, of Node's kind or of the web's.
"use strict";

async function buffer(stream) {
  const parts = [];
  for await (const part of stream) parts.push(typeof part === "string" ? Buffer.from(part) : part);
  return Buffer.concat(parts);
}
const arrayBuffer = async (stream) => Uint8Array.from(await buffer(stream)).buffer;
const blob = async (stream) => new Blob([await buffer(stream)]);
async function text(stream) {
  const decoder = new TextDecoder();
  let all = "";
  for await (const part of stream) {
    all += typeof part === "string" ? part : decoder.decode(part, { stream: true });
  }
  return all + decoder.decode();
}
const json = async (stream) => JSON.parse(await text(stream));

module.exports = { arrayBuffer, blob, buffer, json, text };
