//! Finds the scripts of `deno_web` and `deno_webidl` and embeds them in the binary.
//!
//! The two crates name their scripts by paths in the package registry's folder: they expect the
//! snapshot to be built on the machine that compiles them. The server builds its snapshot when it
//! starts, on any machine, so the binary holds the texts (`src/runner/isolate/snapshot.rs`).

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const CRATES: [&str; 2] = ["deno_web", "deno_webidl"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    // Without the runner the two crates may be absent.
    if env::var_os("CARGO_FEATURE_RUNNER").is_none() {
        return Ok(());
    }
    let mut list = String::from("&[\n");
    for (name, folder) in find_folders()? {
        let mut scripts: Vec<PathBuf> =
            fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        scripts.retain(|path| path.extension().is_some_and(|end| end == "js"));
        scripts.sort();
        for path in scripts {
            let file = path.file_name().unwrap_or_default().display();
            writeln!(list, "    (\"ext:{name}/{file}\", include_str!({:?})),", path.display().to_string())?;
        }
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("web_scripts.rs"), list)?;
    Ok(())
}

/// The crates' folders: in cargo's registry, or, if the crates are vendored or patched, as
/// `cargo metadata` reports them. (The registry comes first because `cargo metadata` needs every
/// dependency on disk, those of the tests too, and a build does not download those.)
fn find_folders() -> Result<Vec<(&'static str, PathBuf)>, Box<dyn Error>> {
    let lock = fs::read_to_string(Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("Cargo.lock"))?;
    let unpacked: Vec<_> = CRATES
        .into_iter()
        .filter_map(|name| Some((name, find_in_registry(name, version(&lock, name)?)?)))
        .collect();
    if unpacked.len() == CRATES.len() { Ok(unpacked) } else { ask_cargo() }
}

/// A crate's version in the lock file.
fn version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

/// A crate's folder in cargo's registry, if cargo has unpacked it there.
fn find_in_registry(name: &str, version: &str) -> Option<PathBuf> {
    let home =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry").join("src")).ok()?;
    let folders = registries.flatten().map(|registry| registry.path().join(format!("{name}-{version}")));
    folders.into_iter().find(|folder| folder.join("Cargo.toml").is_file())
}

fn ask_cargo() -> Result<Vec<(&'static str, PathBuf)>, Box<dyn Error>> {
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version", "1", "--filter-platform", &env::var("TARGET")?])
        .current_dir(env::var("CARGO_MANIFEST_DIR")?)
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    CRATES
        .into_iter()
        .map(|name| {
            let package = packages.iter().find(|package| package["name"] == name);
            let manifest = package.and_then(|package| package["manifest_path"].as_str());
            let folder = manifest.and_then(|path| Path::new(path).parent());
            Ok((name, folder.ok_or(format!("cargo metadata does not know {name}"))?.to_owned()))
        })
        .collect()
}
