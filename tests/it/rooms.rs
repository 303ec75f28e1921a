//! The architecture as a table: which room of `src/` may use which other room, and which
//! rooms may name which crates. A room that is not in the table fails the test.
//!
//! A room is a file or a folder of `src/`. A path belongs to the deepest room that contains
//! it: `crate::store::sled::SledStore` is in `store/sled`, not in `store`.
//! Paths are read from the tokens of each file: `use` lines, inline paths and the insides of
//! macros count, comments and texts do not. Files of unit tests (`tests.rs`, `tests/`) may use
//! everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A room, and the rooms that it may use besides itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("alerts", &["clock", "domain", "events", "network", "scheduler", "store"]),
    ("allocator", &[]),
    ("domain", &[]),
    ("clock", &["domain"]),
    ("access", &["cluster", "domain", "store", "clock"]),
    ("events", &["domain"]),
    ("traces", &["clock", "domain"]),
    ("cluster", &["clock", "domain", "store"]),
    ("config", &["domain"]),
    ("metrics", &["domain"]),
    ("store", &["domain"]),
    ("store/contract", &["store", "domain"]),
    ("store/memory", &["store", "store/contract", "domain"]),
    (
        "store/postgres",
        &[
            "store",
            "store/contract",
            "store/postgres/connection",
            "store/postgres/copy",
            "store/postgres/open",
            "store/postgres/read",
            "store/postgres/write",
            "domain",
        ],
    ),
    ("store/postgres/connection", &["store", "domain"]),
    (
        "store/postgres/copy",
        &["store/postgres", "store/postgres/connection", "store/postgres/read", "store", "domain"],
    ),
    ("store/postgres/open", &["store/postgres", "store/postgres/connection", "store", "domain"]),
    (
        "store/postgres/read",
        &[
            "store/postgres",
            "store/postgres/connection",
            "store/postgres/open",
            "store/postgres/write",
            "store",
            "domain",
        ],
    ),
    (
        "store/postgres/write",
        &[
            "store/postgres",
            "store/postgres/connection",
            "store/postgres/open",
            "store/postgres/read",
            "store",
            "domain",
        ],
    ),
    (
        "store/sled",
        &[
            "store",
            "store/contract",
            "store/sled/copy",
            "store/sled/engine",
            "store/sled/open",
            "store/sled/read",
            "store/sled/scrub",
            "store/sled/write",
            "domain",
            "allocator",
        ],
    ),
    ("store/sled/engine", &["store", "domain"]),
    ("store/sled/copy", &["store/sled/engine", "store/sled/write", "store", "domain"]),
    (
        "store/sled/open",
        &["store/sled/copy", "store/sled/engine", "store/sled/scrub", "store/sled/write", "store", "domain"],
    ),
    ("store/sled/read", &["store/sled/engine", "store", "domain"]),
    (
        "store/sled/scrub",
        &[
            "store/sled/copy",
            "store/sled/engine",
            "store/sled/open",
            "store/sled/write",
            "store",
            "domain",
            "allocator",
        ],
    ),
    (
        "store/sled/write",
        &[
            "store/sled/copy",
            "store/sled/engine",
            "store/sled/open",
            "store/sled/read",
            "store/sled/scrub",
            "store",
            "domain",
        ],
    ),
    ("handlers", &["domain"]),
    ("runtime", &["runtime/protocol", "domain", "handlers", "clock"]),
    ("runtime/protocol", &["domain"]),
    ("runner", &["runtime/protocol", "domain"]),
    (
        "scheduler",
        &["cluster", "domain", "store", "runtime", "runtime/protocol", "events", "traces", "clock"],
    ),
    ("backup", &["domain", "store", "clock"]),
    ("bundles", &["domain", "store", "handlers"]),
    ("taskfile", &["domain", "store", "scheduler", "handlers", "clock"]),
    (
        "api",
        &[
            "access",
            "alerts",
            "domain",
            "store",
            "scheduler",
            "events",
            "handlers",
            "backup",
            "bundles",
            "taskfile",
            "secrets",
            "metrics",
            "traces",
            "clock",
        ],
    ),
    // Of the API only its front: a page asks it as any client does.
    ("dashboard", &["domain", "clock", "api"]),
    ("secrets", &["cluster", "domain", "store", "clock"]),
    ("network", &["domain"]),
    (
        "hostcalls",
        &["domain", "network", "handlers", "runtime", "runtime/protocol", "store", "secrets", "clock"],
    ),
    (
        "app",
        &[
            "access",
            "alerts",
            "api",
            "backup",
            "bundles",
            "clock",
            "cluster",
            "config",
            "dashboard",
            "domain",
            "events",
            "handlers",
            "hostcalls",
            "metrics",
            "network",
            "runtime",
            "runtime/protocol",
            "scheduler",
            "secrets",
            "store",
            "store/postgres",
            "store/postgres/connection",
            "store/postgres/copy",
            "store/sled",
            "store/sled/scrub",
            "store/sled/write",
            "taskfile",
            "traces",
        ],
    ),
    (
        "cli",
        &[
            "allocator",
            "app",
            "backup",
            "bundles",
            "clock",
            "config",
            "domain",
            "handlers",
            "hostcalls",
            "network",
            "runtime",
            "runtime/protocol",
            "runner",
            "secrets",
            "store",
            "store/postgres",
            "store/postgres/connection",
            "store/postgres/copy",
            "store/sled",
            "store/sled/scrub",
            "store/sled/write",
            "taskfile",
        ],
    ),
    (
        "simulation",
        &[
            "clock",
            "cluster",
            "domain",
            "events",
            "handlers",
            "hostcalls",
            "network",
            "runtime",
            "runtime/protocol",
            "scheduler",
            "store",
            "store/memory",
        ],
    ),
    ("fuzzing", &["api", "domain", "runtime/protocol", "store/sled"]),
    ("main", &["cli", "runner"]),
    ("lib", &[]),
];

/// Crates whose users are few on purpose, and the rooms that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["api", "app", "dashboard"]),
    ("askama", &["dashboard"]),
    ("clap", &["cli", "runner"]),
    ("cron", &["domain"]),
    ("deno_core", &["runner"]),
    ("deno_web", &["runner"]),
    ("deno_webidl", &["runner"]),
    ("landlock", &["runner"]),
    ("prometheus_client", &["metrics"]),
    ("rand", &["clock", "runner"]),
    ("seccompiler", &["runner"]),
    ("serde_v8", &["runner"]),
    ("sled", &["store/sled/engine", "store/sled/open"]),
    (
        "tokio_postgres",
        &[
            "store/postgres",
            "store/postgres/connection",
            "store/postgres/copy",
            "store/postgres/open",
            "store/postgres/read",
            "store/postgres/write",
        ],
    ),
    (
        "tokio",
        &[
            "alerts",
            "api",
            "app",
            "backup",
            "bundles",
            "cli",
            "clock",
            "cluster",
            "events",
            "handlers",
            "hostcalls",
            "network",
            "runtime",
            "runner",
            "scheduler",
            "access",
            "secrets",
            "simulation",
            "store/contract",
            "store/memory",
            "store/postgres",
            "store/postgres/connection",
            "store/postgres/open",
            "store/postgres/write",
            "store/sled",
            "store/sled/scrub",
            "store/sled/write",
            "taskfile",
            "traces",
        ],
    ),
    ("v8", &["runner"]),
];

#[test]
fn every_room_uses_only_what_the_table_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for file in rust_files(&src) {
        let within = file.strip_prefix(&src).expect("a file below src");
        let module = module_of(within);
        let Some(room) = room_of(&module) else {
            broken.insert(format!("src/{} is in no room: add its room to the table", within.display()));
            continue;
        };
        seen.insert(room);
        if module.iter().any(|name| name == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        for path in paths_of(&text, &module) {
            if let Some(problem) = find_violation(room, &path) {
                broken.insert(format!("src/{} uses {}: {problem}", within.display(), path.join("::")));
            }
        }
    }
    for (room, _) in ROOMS {
        if !seen.contains(room) {
            broken.insert(format!("the room {room} is empty: remove it from the table"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Lines of a file of the product; its unit tests are in files of their own.
const LONGEST_FILE: usize = 450;
/// Files of one folder.
const FULLEST_FOLDER: usize = 12;

#[test]
fn no_file_is_long_and_no_folder_is_full() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = BTreeMap::<PathBuf, usize>::new();
    let mut broken = Vec::new();
    for file in rust_files(&src) {
        let within = file.strip_prefix(&src).expect("a file below src");
        *folders.entry(within.parent().expect("a folder").to_owned()).or_default() += 1;
        let is_test = module_of(within).iter().any(|name| name == "tests");
        let lines = fs::read_to_string(&file).expect("a source file").lines().count();
        if lines > LONGEST_FILE && !is_test {
            broken.push(format!("src/{} has {lines} lines, more than {LONGEST_FILE}", within.display()));
        }
    }
    for (folder, files) in folders {
        if files > FULLEST_FOLDER {
            broken.push(format!("src/{} has {files} files, more than {FULLEST_FOLDER}", folder.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Why a file of `room` may not name `path`; nothing if it may.
fn find_violation(room: &str, path: &[String]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    if first != "crate" {
        let (_, rooms) = CRATES.iter().find(|(name, _)| first == name)?;
        return (!rooms.contains(&room)).then(|| format!("{room} may not name the crate {first}"));
    }
    if rest.is_empty() || rest == ["*"] {
        return None;
    }
    let Some(target) = room_of(rest) else {
        return Some("it is in no room of the table".to_owned());
    };
    let allowed = ROOMS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, allowed)| allowed);
    (target != room && !allowed.contains(&target)).then(|| format!("{room} may not use {target}"))
}

/// The deepest room that contains a path of modules.
fn room_of(module: &[String]) -> Option<&'static str> {
    let path = module.join("/");
    let within =
        |room: &str| path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    ROOMS.iter().map(|(room, _)| *room).filter(|room| within(room)).max_by_key(|room| room.len())
}

/// The modules that lead to a file, given from `src` on.
fn module_of(file: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        file.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.pop_if(|last| last == "mod");
    names
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).expect("a folder below src") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

/// Every path that a file names; `self`, `super` and the crate's own name are resolved, so that
/// a path within the crate begins with `crate`.
fn paths_of(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    walk(text.parse().expect("Rust"), module, &[], &mut paths);
    paths
}

/// Collects the paths of a stream of tokens; `prefix` stands before those of a `use` group.
fn walk(tokens: TokenStream, module: &[String], prefix: &[String], paths: &mut Vec<Vec<String>>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut declared = None;
    while let Some(token) = tokens.next() {
        let name = match token {
            TokenTree::Ident(name) => name.to_string(),
            TokenTree::Group(group) => {
                let inner: Vec<_> = module.iter().cloned().chain(declared.take()).collect();
                walk(group.stream(), &inner, &[], paths);
                continue;
            }
            _ => continue,
        };
        let mut path = prefix.to_vec();
        path.push(name);
        while tokens.next_if(begins_separator).is_some() {
            tokens.next();
            match tokens.peek() {
                Some(TokenTree::Ident(name)) => path.push(name.to_string()),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    walk(group.stream(), module, &path, paths);
                    path.clear();
                }
                _ => break,
            }
            tokens.next();
        }
        if path.len() == 1 && path[0] == "mod" {
            declared = tokens.next().map(|name| name.to_string());
        } else if path.len() > 1 {
            paths.push(resolve(path, module));
        }
    }
}

/// Whether a token is the first colon of `::`.
fn begins_separator(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
}

fn resolve(path: Vec<String>, module: &[String]) -> Vec<String> {
    let mut base = module.to_vec();
    let mut names = path.into_iter().peekable();
    match names.peek().map(String::as_str) {
        Some("crate" | "isochron") => {
            base.clear();
            names.next();
        }
        Some("self" | "super") => {
            while let Some(name) = names.next_if(|name| name == "self" || name == "super") {
                if name == "super" {
                    base.pop();
                }
            }
        }
        _ => return names.collect(),
    }
    std::iter::once("crate".to_owned()).chain(base).chain(names).collect()
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let text = r#"
        use crate::{store::{sled::SledStore, Store}, domain};
        use super::queue::{self, RunQueue};
        // crate::comment::Is::not
        fn f() { let x: crate::api::Api = json!({ "a": isochron::clock::now() }); ::axum::serve("crate::text::no") }
        mod inner { use super::super::events::Bus; }
    "#;
    let module = ["runtime".to_owned(), "pool".to_owned()];
    let found: BTreeSet<_> = paths_of(text, &module).iter().map(|path| path.join("::")).collect();
    let expected = [
        "axum::serve",
        "crate::api::Api",
        "crate::clock::now",
        "crate::domain",
        "crate::runtime::events::Bus",
        "crate::runtime::queue::RunQueue",
        "crate::runtime::queue::self",
        "crate::store::Store",
        "crate::store::sled::SledStore",
    ];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
