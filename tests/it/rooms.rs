//! Who may use whom: the rooms' `use` lines, held against the table of the architecture.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A room, and what of ours or of others' it may not name.
const RULES: [(&str, &[&str]); 14] = [
    (
        "domain",
        &["tokio", "axum", "deno_core", "sled", "crate::clock", "rand", "crate::store", "crate::runtime"],
    ),
    ("store", &["axum", "deno_core", "crate::scheduler", "crate::runtime", "crate::api", "crate::clock"]),
    ("handlers", &["deno_core", "crate::runtime", "crate::store", "crate::scheduler", "axum"]),
    (
        "runtime/protocol.rs",
        &["crate::store", "crate::scheduler", "crate::handlers", "crate::clock", "tokio"],
    ),
    ("runtime/host", &["deno_core", "crate::store", "crate::scheduler", "crate::api", "axum", "sled"]),
    (
        "runtime/runner",
        &["isochron::store", "isochron::scheduler", "isochron::api", "isochron::handlers", "sled", "axum"],
    ),
    ("scheduler", &["axum", "sled", "deno_core", "crate::runtime::host", "crate::api", "crate::handlers"]),
    ("api", &["sled", "deno_core", "crate::runtime", "crate::store::sled"]),
    (
        "backup.rs",
        &["axum", "deno_core", "crate::scheduler", "crate::runtime", "crate::api", "crate::store::sled"],
    ),
    ("events.rs", &["crate::store", "crate::scheduler", "crate::runtime", "axum", "sled"]),
    ("clock.rs", &["crate::store", "crate::scheduler", "crate::runtime", "crate::api"]),
    ("config.rs", &["tokio", "axum", "crate::store", "crate::scheduler", "crate::runtime", "crate::api"]),
    (
        "simulation",
        &["sled", "axum", "deno_core", "rand", "crate::store::sled", "crate::runtime::host", "crate::api"],
    ),
    ("app.rs", &["deno_core", "::sled::", "crate::cli"]),
];

#[test]
fn no_room_uses_what_it_may_not() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for (room, forbidden) in RULES {
        let files = rust_files(&src.join(room));
        assert!(!files.is_empty(), "the room {room} is gone: mend the table");
        for file in files {
            let text = fs::read_to_string(&file).expect("a source file");
            for path in used_paths(&text) {
                let names = |prefix: &&&str| {
                    let prefix = prefix.trim_start_matches("::").trim_end_matches("::");
                    path == prefix || path.starts_with(&format!("{prefix}::"))
                };
                if let Some(name) = forbidden.iter().find(names) {
                    broken.push(format!("{} uses {path} ({room} may not use {name})", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn only_the_runner_names_the_engine() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&src) {
        let text = fs::read_to_string(&file).expect("a source file");
        let engine =
            used_paths(&text).into_iter().find(|path| path.starts_with("deno_") || path.starts_with("v8::"));
        if let Some(path) = engine {
            assert!(file.starts_with(src.join("runtime/runner")), "{} uses {path}", file.display());
        }
    }
}

/// The file itself, or every Rust file below the folder.
fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() || path.extension().is_some_and(|end| end == "rs") {
            found.extend(rust_files(&path));
        }
    }
    found
}

/// What a file's `use` lines name, one path each, groups taken apart.
fn used_paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for part in text.split("\nuse ").skip(1).chain(text.split("\npub use ").skip(1)) {
        let statement: String = part.split(';').next().unwrap_or_default().split_whitespace().collect();
        expand("", &statement, &mut paths);
    }
    paths
}

fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((head, group)) = tree.split_once('{') else {
        paths.push(format!("{prefix}{tree}"));
        return;
    };
    let prefix = format!("{prefix}{head}");
    let mut depth = 0;
    let mut item = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &std::mem::take(&mut item), paths);
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    if !item.is_empty() {
        expand(&prefix, &item, paths);
    }
}
