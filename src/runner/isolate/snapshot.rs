//! The startup snapshot: Deno's web APIs and `runtime-js`, already run.
//!
//! A child process builds the snapshot once per server start. The runners inherit it as a sealed
//! memory file, which they map and share. Builder and runners both call [`extensions`]: V8 checks
//! the names of the extensions and their order, but not their ops.

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

use crate::runner::{
    isolate::{
        extensions::{SCRIPTS, extensions},
        warmup,
    },
    library::scripts::WEB_SCRIPTS,
};

/// Replaces the paths of the extensions' scripts, which exist only on the machine that compiled
/// the binary, with the embedded texts.
///
/// # Errors
/// When the binary lacks a script.
fn embed_scripts(mut extensions: Vec<Extension>) -> io::Result<Vec<Extension>> {
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
                    io::Error::other(format!("this binary lacks the script {}", file.specifier))
                })?;
                Ok(ExtensionFileSource::new_computed(file.specifier, text))
            });
            *files = sources.collect::<io::Result<Vec<_>>>()?.into();
        }
    }
    Ok(extensions)
}

/// Builds the snapshot and writes it to `into`. V8 must be initialised. deno_core prints its
/// progress to standard output.
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
            extensions: embed_scripts(extensions())?,
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
