//! The extensions of every isolate: Deno's web APIs, our ops and the scripts of `runtime-js`.

use std::{borrow::Cow, cell::OnceCell, sync::Arc};

use deno_core::{Extension, OpDecl};
use deno_web::{BlobStore, InMemoryBroadcastChannel};

use crate::runner::ops;

/// The scripts of `runtime-js` in the order in which they run.
pub(crate) const SCRIPTS: [(&str, &str); 10] = [
    ("ext:isochron/00_web.js", include_str!("../../../runtime-js/00_web.js")),
    ("ext:isochron/05_library.js", include_str!("../../../runtime-js/05_library.js")),
    ("ext:isochron/06_globals.js", include_str!("../../../runtime-js/06_globals.js")),
    ("ext:isochron/10_console.js", include_str!("../../../runtime-js/10_console.js")),
    ("ext:isochron/20_errors.js", include_str!("../../../runtime-js/20_errors.js")),
    ("ext:isochron/25_system.js", include_str!("../../../runtime-js/25_system.js")),
    ("ext:isochron/30_modules.js", include_str!("../../../runtime-js/30_modules.js")),
    ("ext:isochron/32_esm.js", include_str!("../../../runtime-js/32_esm.js")),
    ("ext:isochron/35_exports.js", include_str!("../../../runtime-js/35_exports.js")),
    ("ext:isochron/40_run.js", include_str!("../../../runtime-js/40_run.js")),
];

/// V8 stores a script with any other character at twice the size, in the snapshot and in every isolate.
const _: () = {
    let mut index = 0;
    while index < SCRIPTS.len() {
        assert!(SCRIPTS[index].1.is_ascii(), "a script of runtime-js has a character that is not ASCII");
        index += 1;
    }
};

/// Ops of `deno_core` and `deno_web` that no handler needs and that abort, print, or reach outside
/// the isolate. `runtime-js` hides all ops already; disabling these is a second barrier. Sorted.
const DISABLED: [&str; 26] = [
    "op_add_main_module_handler",
    "op_cancel_read",
    "op_close",
    "op_compile_function",
    "op_eval_context",
    "op_import_sync",
    "op_import_sync_with_source",
    "op_is_terminal",
    "op_lazy_load_esm",
    "op_memory_usage",
    "op_op_names",
    "op_panic",
    "op_pipe",
    "op_print",
    "op_read",
    "op_read_all",
    "op_read_sync",
    "op_resources",
    "op_set_promise_hooks",
    "op_set_wasm_streaming_callback",
    "op_shutdown",
    "op_try_close",
    "op_write",
    "op_write_all",
    "op_write_sync",
    "op_write_type_error",
];

/// The ops of `deno_web` that the scripts loaded by `00_web.js` use. Any other op would cost time
/// in each isolate and be one more risk. Sorted.
const WEB_OPS: [&str; 28] = [
    "op_base64_atob",
    "op_base64_btoa",
    "op_base64_decode",
    "op_base64_encode_from_buffer",
    "op_console_css_to_ansi",
    "op_console_format_value",
    "op_console_get_string_width",
    "op_console_inspect",
    "op_console_inspect_args",
    "op_console_parse_css",
    "op_console_parse_css_color",
    "op_console_quote_string",
    "op_console_strip_vt",
    "op_defer",
    "op_encoding_decode",
    "op_encoding_decode_single",
    "op_encoding_decode_utf8",
    "op_encoding_decode_utf8_ascii_only",
    "op_encoding_encode_into",
    "op_encoding_encode_into_fallback",
    "op_encoding_new_decoder",
    "op_encoding_normalize_label",
    "op_url_get_serialization",
    "op_url_parse",
    "op_url_parse_search_params",
    "op_url_parse_with_base",
    "op_url_reparse",
    "op_url_stringify_search_params",
];

/// The extensions of an isolate. V8 needs the same order as in the snapshot.
pub(crate) fn extensions() -> Vec<Extension> {
    let mut web = deno_web::deno_web::init(
        Arc::new(BlobStore::default()),
        None,
        false,
        InMemoryBroadcastChannel::default(),
    );
    web.ops = Cow::Borrowed(web_ops(&web.ops));
    let is_console = |type_name: &str| type_name.ends_with("::Console");
    web.objects = web.objects.iter().filter(|object| is_console((object.type_name)())).copied().collect();
    web.lazy_loaded_esm_files = Cow::Borrowed(&[]);
    let lock = Extension {
        name: "isochron_lock",
        middleware_fn: Some(Box::new(|op| if is_listed(&DISABLED, op.name) { op.disable() } else { op })),
        ..Extension::default()
    };
    vec![deno_webidl::deno_webidl::init(), web, ops::isochron_ops::init(), lock]
}

/// The ops of [`WEB_OPS`], selected once per thread, because every isolate needs them.
fn web_ops(all: &[OpDecl]) -> &'static [OpDecl] {
    thread_local! {
        static SELECTED: OnceCell<&'static [OpDecl]> = const { OnceCell::new() };
    }
    SELECTED.with(|selected| {
        *selected.get_or_init(|| {
            let ops: Vec<_> = all.iter().filter(|op| is_listed(&WEB_OPS, op.name)).copied().collect();
            Vec::leak(ops)
        })
    })
}

/// Whether a sorted list contains a name.
fn is_listed(list: &[&str], name: &str) -> bool {
    list.binary_search(&name).is_ok()
}
