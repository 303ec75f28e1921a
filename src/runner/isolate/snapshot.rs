//! The startup snapshot: Deno's web APIs and `runtime-js`, already run.
//!
//! Built once per server start by a process of its own and handed to the runners as
//! a sealed memory file, which they map and share. Both sides call [`extensions`]:
//! V8 checks the names and their order, but not the ops inside them.

use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
};

use deno_core::{
    Extension, ExtensionFileSource, JsRuntimeForSnapshot,
    snapshot::{CreateSnapshotOptions, create_snapshot},
};
use memmap2::Mmap;

use crate::runner::isolate::{
    extensions::{SCRIPTS, extensions},
    warmup,
};

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
pub(crate) fn build(mut into: File) -> io::Result<()> {
    let run_scripts = |runtime: &mut JsRuntimeForSnapshot| {
        for (name, source) in SCRIPTS {
            if let Err(error) = runtime.execute_script(name, source) {
                panic!("{name}: {error}");
            }
        }
        warmup::warm_up(runtime);
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
pub(crate) fn map(file: &File) -> io::Result<&'static [u8]> {
    // SAFETY: the server seals the file against writing and shrinking before it passes it.
    let map = unsafe { Mmap::map(file)? };
    let map: &'static Mmap = Box::leak(Box::new(map));
    Ok(map)
}
