//! The texts of the library.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use deno_core::wrap_lazy_ext_script;

/// Every script of `deno_web` and `deno_webidl`, found by `build.rs`.
pub(crate) const WEB_SCRIPTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/web_scripts.rs"));

/// Names and texts of the scripts in a folder.
macro_rules! scripts {
    ($prefix:literal, $folder:literal, $($path:literal),+ $(,)?) => {
        &[$((concat!($prefix, $path), include_str!(concat!($folder, $path)))),+]
    };
}

/// Our scripts. Those in `node/` are plain CommonJS; the others reach ops.
const OURS: &[(&str, &str)] = scripts![
    "ext:isochron/",
    "../../../runtime-js/",
    "ctx/call.js",
    "ctx/kv.js",
    "ctx/progress.js",
    "ctx/secrets.js",
    "ctx/steps.js",
    "native/node.js",
    "node/assert.js",
    "node/assert_strict.js",
    "node/async_hooks.js",
    "node/buffer.js",
    "node/console.js",
    "node/crypto.js",
    "node/diagnostics_channel.js",
    "node/errors.js",
    "node/events.js",
    "node/format.js",
    "node/module.js",
    "node/os.js",
    "node/parse_args.js",
    "node/path.js",
    "node/perf_hooks.js",
    "node/process.js",
    "node/querystring.js",
    "node/shims.js",
    "node/stream.js",
    "node/stream_consumers.js",
    "node/stream_web.js",
    "node/string_decoder.js",
    "node/timers.js",
    "node/timers_promises.js",
    "node/tty.js",
    "node/url.js",
    "node/util.js",
    "node/util_types.js",
    "web/blob.js",
    "web/body.js",
    "web/data_url.js",
    "web/failure.js",
    "web/fetch.js",
    "web/inner_body.js",
    "web/integrity.js",
    "web/request.js",
    "web/standins.js",
    "web/streams.js",
    "web/subtle/keys.js",
    "web/subtle/pairs.js",
    "web/subtle/parameters.js",
    "web/subtle/secret.js",
    "web/subtle/subtle.js",
    "web/transport.js",
    "web/upload.js",
];

/// Files of vendored packages: plain CommonJS.
const VENDORED: &[(&str, &str)] = scripts![
    "ext:isochron/vendor/",
    "../../../vendor/node/",
    "assert/build/assert.js",
    "assert/build/internal/assert/assertion_error.js",
    "assert/build/internal/errors.js",
    "assert/build/internal/util/comparisons.js",
    "base64-js/index.js",
    "buffer/index.js",
    "events/events.js",
    "ieee754/index.js",
    "path-browserify/index.js",
    "punycode/punycode.js",
    "readable-stream/lib/internal/shims/process.js",
    "readable-stream/lib/internal/streams/add-abort-signal.js",
    "readable-stream/lib/internal/streams/buffer_list.js",
    "readable-stream/lib/internal/streams/compose.js",
    "readable-stream/lib/internal/streams/destroy.js",
    "readable-stream/lib/internal/streams/duplex.js",
    "readable-stream/lib/internal/streams/duplexify.js",
    "readable-stream/lib/internal/streams/end-of-stream.js",
    "readable-stream/lib/internal/streams/from.js",
    "readable-stream/lib/internal/streams/lazy_transform.js",
    "readable-stream/lib/internal/streams/legacy.js",
    "readable-stream/lib/internal/streams/operators.js",
    "readable-stream/lib/internal/streams/passthrough.js",
    "readable-stream/lib/internal/streams/pipeline.js",
    "readable-stream/lib/internal/streams/readable.js",
    "readable-stream/lib/internal/streams/state.js",
    "readable-stream/lib/internal/streams/transform.js",
    "readable-stream/lib/internal/streams/utils.js",
    "readable-stream/lib/internal/streams/writable.js",
    "readable-stream/lib/internal/validators.js",
    "readable-stream/lib/ours/errors.js",
    "readable-stream/lib/ours/primordials.js",
    "readable-stream/lib/ours/util.js",
    "readable-stream/lib/ours/util/inspect.js",
    "readable-stream/lib/stream.js",
    "readable-stream/lib/stream/promises.js",
    "string_decoder/lib/string_decoder.js",
    "url/url.js",
];

/// The scripts of the crate `deno_fetch`, in the same form as those of `deno_web`.
const FETCH_SCRIPTS: &[(&str, &str)] = scripts![
    "ext:deno_fetch/",
    "../../../vendor/deno_fetch/",
    "20_headers.js",
    "21_formdata.js",
    "22_body.js",
    "23_request.js",
    "23_response.js",
];

/// The name and the text of a script, as the body of a function.
pub(crate) fn find(name: &str) -> Option<(&'static str, &'static str)> {
    let of_this_name = |(known, _): &&(&str, &str)| *known == name;
    match OURS.iter().chain(VENDORED).find(of_this_name) {
        Some((name, text)) => Some((name, text)),
        None => find_web_script(name),
    }
}

/// A script of `deno_web`, with `return` before its expression; made once per process.
fn find_web_script(name: &str) -> Option<(&'static str, &'static str)> {
    static WRAPPED: Mutex<Option<HashMap<&'static str, &'static str>>> = Mutex::new(None);
    let (name, text) = WEB_SCRIPTS.iter().chain(FETCH_SCRIPTS).find(|(specifier, _)| *specifier == name)?;
    let mut wrapped = WRAPPED.lock().unwrap_or_else(PoisonError::into_inner);
    let wrapped = wrapped.get_or_insert_default();
    let text: &'static str = wrapped.entry(name).or_insert_with(|| String::leak(wrap_lazy_ext_script(text)));
    Some((name, text))
}
