//! The startup snapshot: Deno's web APIs and `runtime-js`, already run.
//!
//! Built once per server start by a process of its own and handed to the runners as
//! a sealed memory file, which they map and share. Both sides call [`extensions`]:
//! V8 checks the names and their order, but not the ops inside them.

use std::{
    borrow::Cow,
    cell::OnceCell,
    fs::File,
    io::{self, Write},
    sync::Arc,
};

use deno_core::{
    Extension, ExtensionFileSource, JsRuntimeForSnapshot, OpDecl,
    snapshot::{CreateSnapshotOptions, create_snapshot},
};
use deno_web::{BlobStore, InMemoryBroadcastChannel};
use memmap2::Mmap;

use super::{ops, rehearsal};

/// The scripts of `runtime-js` in the order in which they run.
const SCRIPTS: [(&str, &str); 5] = [
    ("ext:isochron/00_web.js", include_str!("../../runtime-js/00_web.js")),
    ("ext:isochron/10_console.js", include_str!("../../runtime-js/10_console.js")),
    ("ext:isochron/20_errors.js", include_str!("../../runtime-js/20_errors.js")),
    ("ext:isochron/30_modules.js", include_str!("../../runtime-js/30_modules.js")),
    ("ext:isochron/40_run.js", include_str!("../../runtime-js/40_run.js")),
];

/// Ops of `deno_core` and `deno_web` that a handler has no use for and that abort,
/// print, or reach outside the isolate. `runtime-js` hides all ops; this is the second lock. Sorted.
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

/// The ops of `deno_web` that its scripts in `00_web.js` use; every other op costs
/// time in each isolate and is one more thing to get wrong. Sorted.
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

/// What every isolate is made of.
pub(super) fn extensions() -> Vec<Extension> {
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

/// Those of [`WEB_OPS`], chosen once: every isolate asks for them anew.
fn web_ops(all: &[OpDecl]) -> &'static [OpDecl] {
    thread_local! {
        static CHOSEN: OnceCell<&'static [OpDecl]> = const { OnceCell::new() };
    }
    CHOSEN.with(|chosen| {
        *chosen.get_or_init(|| {
            let ops: Vec<_> = all.iter().filter(|op| is_listed(&WEB_OPS, op.name)).copied().collect();
            Vec::leak(ops)
        })
    })
}

/// Whether a sorted list has a name.
fn is_listed(list: &[&str], name: &str) -> bool {
    list.binary_search(&name).is_ok()
}

/// Every script of the crates that [`extensions`] come from; the build finds them.
const WEB_SCRIPTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/web_scripts.rs"));

/// The extensions with their scripts taken from this binary. They name paths of the machine
/// that built it, which a server need not have.
fn embedded(mut extensions: Vec<Extension>) -> io::Result<Vec<Extension>> {
    for extension in &mut extensions {
        for files in [
            &mut extension.js_files,
            &mut extension.esm_files,
            &mut extension.lazy_loaded_js_files,
            &mut extension.lazy_loaded_esm_files,
        ] {
            let sources = files.iter().map(|file| {
                if file.is_runtime_loadable() {
                    return Ok(file.clone());
                }
                let script = WEB_SCRIPTS.iter().find(|(specifier, _)| *specifier == file.specifier);
                let text = script.map(|(_, text)| Arc::from(*text));
                let text = text.ok_or_else(|| {
                    io::Error::other(format!("{} is not among the scripts of this binary", file.specifier))
                })?;
                Ok(ExtensionFileSource::new_computed(file.specifier, text))
            });
            *files = sources.collect::<io::Result<Vec<_>>>()?.into();
        }
    }
    Ok(extensions)
}

/// Builds the snapshot and writes it to `into`. Needs an initialised V8.
/// (deno_core reports its progress on standard output.)
///
/// # Errors
/// When a script of `runtime-js` throws or the file cannot be written.
pub(super) fn build(mut into: File) -> io::Result<()> {
    let run_scripts = |runtime: &mut JsRuntimeForSnapshot| {
        for (name, source) in SCRIPTS {
            if let Err(error) = runtime.execute_script(name, source) {
                panic!("{name}: {error}");
            }
        }
        rehearsal::rehearse(runtime);
    };
    let snapshot = create_snapshot(
        CreateSnapshotOptions {
            cargo_manifest_dir: env!("CARGO_MANIFEST_DIR"),
            startup_snapshot: None,
            skip_op_registration: false,
            extensions: embedded(extensions())?,
            extension_transpiler: None,
            with_runtime_cb: Some(Box::new(run_scripts)),
        },
        None,
    )
    .map_err(io::Error::other)?;
    into.write_all(&snapshot.output)
}

/// Maps a snapshot for the life of the process.
///
/// # Errors
/// When the file cannot be mapped or is empty.
#[expect(unsafe_code, reason = "a mapping trusts its file not to change")]
pub(super) fn map(file: &File) -> io::Result<&'static [u8]> {
    // SAFETY: the server seals the file against writing and shrinking before it passes it.
    let map = unsafe { Mmap::map(file)? };
    let map: &'static Mmap = Box::leak(Box::new(map));
    Ok(map)
}
