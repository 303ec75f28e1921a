//! Finds the scripts of `deno_web` and `deno_webidl` and has them put into the binary.
//!
//! The two crates name their scripts by paths in the package registry's folder and expect
//! snapshots to be made where they are built. Ours is made at the server's start, on whatever
//! machine that is, so the scripts come along (`src/runner/isolate/snapshot.rs`).

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
    // Nobody asks for them without the runner, and then the two crates need not be there.
    if env::var_os("CARGO_FEATURE_RUNNER").is_none() {
        return Ok(());
    }
    let mut list = String::from("&[\n");
    for (name, folder) in folders()? {
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

/// Where cargo has the crates: in its registry's folder, or, if they are vendored or patched,
/// where it says. (To say anything it wants every dependency there, those of the tests too,
/// which a build alone does not bring.)
fn folders() -> Result<Vec<(&'static str, PathBuf)>, Box<dyn Error>> {
    let lock = fs::read_to_string(Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("Cargo.lock"))?;
    let unpacked: Vec<_> = CRATES
        .into_iter()
        .filter_map(|name| Some((name, in_registry(name, version(&lock, name)?)?)))
        .collect();
    if unpacked.len() == CRATES.len() { Ok(unpacked) } else { by_metadata() }
}

/// A crate's version in the lock file.
fn version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

/// A crate's folder among those that cargo has unpacked.
fn in_registry(name: &str, version: &str) -> Option<PathBuf> {
    let home =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry").join("src")).ok()?;
    let folders = registries.flatten().map(|registry| registry.path().join(format!("{name}-{version}")));
    folders.into_iter().find(|folder| folder.join("Cargo.toml").is_file())
}

fn by_metadata() -> Result<Vec<(&'static str, PathBuf)>, Box<dyn Error>> {
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
