// Stand-ins for ops of deno_web that are not registered: the parts of a Blob stay in JavaScript,
// where limits.buffers counts them, and compression and URLPattern share one op.
//
// The library runs this before the first script that it loads from deno_web.
"use strict";

const { core, primordials } = __bootstrap;
const {
  JSONParse,
  JSONStringify,
  TypeError,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteOffset,
  Uint8Array,
} = primordials;
const { op_isochron_native: native } = core.ops;

/** A copy whose memory `limits.buffers` counts: what an op makes is not counted. */
const counted = (bytes) => new Uint8Array(bytes);

const noObjectUrls = () => {
  throw new TypeError("blob: URLs are not available here: pass the Blob itself");
};

/** The input of a URLPattern as JSON, without a `toJSON` of the handler. */
const patternInput = (input) =>
  JSONStringify(typeof input === "object" ? { __proto__: null, ...input, toJSON: undefined } : input);

const ops = {
  __proto__: null,

  // A part is named by its bytes.
  op_blob_create_part: counted,
  op_blob_slice_part: (part, range) =>
    new Uint8Array(
      TypedArrayPrototypeGetBuffer(part),
      TypedArrayPrototypeGetByteOffset(part) + range.start,
      range.len,
    ),
  op_blob_read_part: counted,
  op_blob_remove_part: () => {},
  op_blob_clone_part: noObjectUrls,
  op_blob_create_object_url: noObjectUrls,
  op_blob_from_object_url: () => null,
  op_blob_revoke_object_url: () => {},

  op_compression_new: (format, decompress) => native("compression.new", [format, decompress ? 1 : 0]),
  op_compression_write: (stream, chunk) => counted(native("compression.write", [stream, bytesOf(chunk)])),
  op_compression_finish: (stream, flush) => {
    const rest = native(flush ? "compression.finish" : "compression.drop", [stream]);
    return rest === undefined ? undefined : counted(rest);
  },

  op_urlpattern_parse: (input, base, options) =>
    JSONParse(native("pattern.parse", [patternInput(input), base ?? "", options.ignoreCase ? 1 : 0])),
  op_urlpattern_process_match_input: (input, base, offsets) => {
    const json = native("pattern.match", [patternInput(input), base ?? ""]);
    if (json === undefined) return null;
    const parts = JSONParse(json);
    let text = "";
    for (let i = 0; i < 8; i++) {
      offsets[i] = text.length;
      text += parts[i];
    }
    offsets[8] = text.length;
    return text;
  },
};

/** An ArrayBuffer as a view; any view as it is. */
function bytesOf(source) {
  return core.isArrayBuffer(source) ? new Uint8Array(source) : source;
}

for (const name in ops) core.ops[name] = ops[name];
