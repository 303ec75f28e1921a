//! Files, and the answers to `require` and `import`.

use std::fs;

use super::{files::Files, load::Given};
use crate::domain::source::{Loaded, SourceKind, Way};

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    let files = Files::new(folder.path().join("tasks"));
    (folder, files)
}

const SAMPLE: [(&str, &str); 7] = [
    ("tasks/a.js", "#!/usr/bin/env node\n/**\n * Does a.\n * More.\n */\nmodule.exports = 1"),
    ("tasks/lib/util.js", "/* Helps. */"),
    ("tasks/lib/index.js", "// none"),
    ("tasks/lib.js", "// a file beside the folder"),
    ("tasks/data.json", "{}"),
    ("tasks/not a name.js", ""),
    ("secret.js", "secret"),
];

#[test]
fn handlers_are_listed_with_the_first_line_of_their_comment() {
    let (_folder, files) = folder(&SAMPLE);
    let found: Vec<_> = files.list().into_iter().map(|l| (l.name, l.description)).collect();
    let expected = [("a", "Does a."), ("lib", ""), ("lib/index", ""), ("lib/util", "Helps.")];
    assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

#[test]
fn require_finds_files_as_node_does_but_only_inside_the_folder() {
    let (folder, files) = folder(&SAMPLE);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../secret.js", folder.path().join("tasks/out.js")).expect("a link");
        std::os::unix::fs::symlink("a.js", folder.path().join("tasks/in.js")).expect("a link");
    }
    let found = |from: &str, wanted: &str| files.resolve(from, wanted, Way::Require);
    for (from, wanted, file) in [
        ("tasks/a.js", "./lib/util", "tasks/lib/util.js"),
        ("tasks/a.js", "./lib", "tasks/lib.js"),
        ("tasks/a.js", "./lib/", "tasks/lib/index.js"),
        ("tasks/lib/util.js", ".", "tasks/lib/index.js"),
        ("tasks/lib/util.js", "../data.json", "tasks/data.json"),
        ("tasks/lib/util.js", "..//a", "tasks/a.js"),
        ("tasks/a.js", "/tasks/lib/util.js", "tasks/lib/util.js"),
        // As in Node, a link is the file that it leads to.
        ("tasks/a.js", "./in", "tasks/a.js"),
    ] {
        assert_eq!(found(from, wanted).as_deref(), Ok(file), "{wanted}");
    }
    for (wanted, words) in [
        ("../secret.js", "leads out of"),
        ("./lib/../../secret.js", "leads out of"),
        ("./out", "leads out of"),
        ("/etc/passwd", "leads out of"),
        ("fs", "no file system"),
        ("./nope", "tasks/nope"),
        ("./nope\0.js", "tasks/nope\\0.js"),
    ] {
        let error = found("tasks/a.js", wanted).expect_err(wanted);
        assert!(error.text.contains(words) && !error.text.contains("secret\""), "{wanted}: {error:?}");
        assert!(error.code == "MODULE_NOT_FOUND" || wanted == "./out", "{wanted}: {error:?}");
    }
    // A runner that is not what it seems may ask in the name of any file.
    for from in ["", "/etc/passwd", "../secret.js", "tasks/../../x", "tasks/\0"] {
        assert!(found(from, "./secret.js").is_err() && found(from, "../etc/passwd").is_err(), "{from}");
    }
}

#[test]
fn a_missing_handler_is_answered_with_those_that_are_there() {
    let (_folder, files) = folder(&SAMPLE);
    assert!(files.entry("nope").expect_err("missing").contains("a, lib, lib/index, lib/util"));
    assert!(files.entry("../secret").is_err());
    assert_eq!(files.entry("a").expect("there").file, "tasks/a.js");
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.files.iter().map(|source| &source.file["tasks/".len()..]).collect()
}

#[test]
fn an_answer_has_the_files_that_the_file_leads_to_and_none_twice() {
    let (_folder, files) = folder(&[
        (
            "tasks/a.js",
            "require('./b'); require('./c.mjs'); require('fs'); function f() { require('./later') }",
        ),
        ("tasks/b.js", "exports.b = 1; require('./d.json')"),
        ("tasks/c.mjs", "import { b } from './b.js'; import './e.mjs'; import './missing.mjs'"),
        ("tasks/d.json", "1"),
        ("tasks/e.mjs", "import './c.mjs'"),
        ("tasks/later.js", "require('./b'); require('./d.json')"),
    ]);
    let given = Given::default();
    let first = files.load("tasks/x.js", "./a.js", Way::Require, &given).expect("found");
    assert_eq!(names(&first), ["a.js", "b.js", "c.mjs", "d.json", "b.js", "e.mjs"]);
    // An import needs the names that a CommonJS module exports.
    assert_eq!(first.files[4].names, ["b"]);
    let links: Vec<_> =
        first.links.iter().map(|link| format!("{} {} {}", link.from, link.specifier, link.to)).collect();
    assert_eq!(
        links,
        [
            "tasks/a.js ./b tasks/b.js",
            "tasks/a.js ./c.mjs tasks/c.mjs",
            "tasks/b.js ./d.json tasks/d.json",
            "tasks/c.mjs ./b.js tasks/b.js",
            "tasks/c.mjs ./e.mjs tasks/e.mjs",
            "tasks/b.js ./d.json tasks/d.json",
            "tasks/e.mjs ./c.mjs tasks/c.mjs"
        ]
    );
    let second = files.load("tasks/a.js", "./later", Way::Require, &given).expect("found");
    assert_eq!((names(&second), second.links.len()), (vec!["later.js"], 2));
}

#[test]
fn a_file_is_read_anew_and_its_kind_with_it() {
    let (folder, files) = folder(&[("tasks/a.js", "exports.a = 1"), ("tasks/b.ts", "export type A = 1")]);
    assert_eq!(files.entry("a").expect("there").kind, SourceKind::Unmarked);
    fs::write(folder.path().join("tasks/a.js"), "export const a = 1").expect("written");
    assert_eq!(files.entry("a").expect("there").kind, SourceKind::Module);
    let typed = files.entry("b").expect("there");
    assert_eq!((typed.text.trim(), typed.kind), (";", SourceKind::Unmarked));
    fs::write(folder.path().join("tasks/b.ts"), "enum A { B }").expect("written");
    for name in ["b", "b"] {
        assert!(files.entry(name).expect_err("refused").starts_with("tasks/b.ts:1:1: "));
    }
}
