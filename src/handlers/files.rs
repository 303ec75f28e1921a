//! Files below the handlers' folder.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path, PathBuf},
    time::UNIX_EPOCH,
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::domain::{
    Millis,
    draft::handler_name,
    source::{Source, SourceKind},
};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 8 * 1024 * 1024;
/// The most levels of folders that are listed.
const DEEPEST: usize = 8;
const LEADS_OUT: &str = "it is a link that leads out of the handlers' folder";
/// The ends of files that may be meant as handlers.
const OTHER_LANGUAGES: [&str; 7] = ["ts", "mjs", "cjs", "mts", "cts", "tsx", "jsx"];
/// The name of the folder in stacks and errors.
const SHOWN: &str = "tasks/";

/// The handlers' folder.
#[derive(Debug, Clone)]
pub struct Files {
    root: PathBuf,
}

/// A handler's file.
#[derive(Debug, Clone)]
pub struct HandlerFile {
    /// The handler's name.
    pub name: String,
    /// The file's name in stacks and errors.
    pub file: String,
    /// The first line of its leading block comment.
    pub description: String,
    /// SHA-256, hexadecimal.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// Epoch milliseconds.
    pub modified_at: Millis,
    /// The content, or a sentence that says why it cannot be read.
    pub source: Result<Source, String>,
}

impl Files {
    /// The folder at `root`, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The handler `name`'s source.
    ///
    /// # Errors
    /// A sentence for the author; if the handler is missing, it names the handlers there are.
    pub fn entry(&self, name: &str) -> Result<Source, String> {
        handler_name(name).map_err(|problem| format!("the handler {problem}"))?;
        let path = format!("{name}.js");
        match self.read(&path) {
            Ok(Some(bytes)) => source(&path, bytes),
            Ok(None) => {
                if let Some(other) = self.other_language(name) {
                    return Err(format!(
                        "no handler \"{name}\" ({SHOWN}{path} is not there): {SHOWN}{other} is there, but only \
                         CommonJS files that end in .js are run"
                    ));
                }
                let mut names: Vec<_> = self.list().into_iter().map(|listed| listed.name).collect();
                names.truncate(50);
                let there = if names.is_empty() {
                    "the folder holds none".to_owned()
                } else {
                    format!("there are {}", names.join(", "))
                };
                Err(format!("no handler \"{name}\" ({SHOWN}{path} is not there): {there}"))
            }
            Err(error) => Err(format!("{SHOWN}{path} cannot be read: {error}")),
        }
    }

    /// A file with the handler's name in a language that is not run.
    fn other_language(&self, name: &str) -> Option<String> {
        let files = OTHER_LANGUAGES.iter().map(|end| format!("{name}.{end}"));
        files.into_iter().find(|file| self.root.join(file).is_file())
    }

    /// The file that `require(specifier)` means in the file `from` (as it is shown).
    ///
    /// # Errors
    /// A sentence for the handler's author.
    pub fn require(&self, from: &str, specifier: &str) -> Result<Source, String> {
        if !specifier.starts_with("./") && !specifier.starts_with("../") && ![".", ".."].contains(&specifier)
        {
            return Err(format!(
                "Cannot require '{specifier}': only files of the handlers' folder can be required, by a path that starts with ./ or ../"
            ));
        }
        let from = from.strip_prefix(SHOWN).unwrap_or(from);
        let folder = Path::new(from).parent().unwrap_or(Path::new(""));
        let Some(path) = normalize(&folder.join(specifier)) else {
            return Err(format!(
                "Cannot require '{specifier}' from {SHOWN}{from}: it leads out of the handlers' folder"
            ));
        };
        let candidates = ["", ".js", ".cjs", ".json", "/index.js"].map(|end| format!("{path}{end}"));
        for candidate in &candidates {
            match self.read(candidate.trim_start_matches('/')) {
                Ok(Some(bytes)) => return source(candidate.trim_start_matches('/'), bytes),
                Ok(None) => {}
                Err(error) => return Err(format!("Cannot read {SHOWN}{candidate}: {error}")),
            }
        }
        let looked: Vec<_> = candidates.iter().map(|candidate| format!("{SHOWN}{candidate}")).collect();
        Err(format!("Cannot find module '{specifier}' from {SHOWN}{from}; looked for {}", looked.join(", ")))
    }

    /// Every handler's file, by name.
    #[must_use]
    pub fn list(&self) -> Vec<HandlerFile> {
        let mut paths = Vec::new();
        collect(&self.root, "", 0, &mut paths);
        paths.sort();
        paths.iter().filter_map(|path| self.look_at(path)).collect()
    }

    fn look_at(&self, path: &str) -> Option<HandlerFile> {
        let name = path.strip_suffix(".js").filter(|name| handler_name(name).is_ok())?;
        let metadata = fs::metadata(self.root.join(path)).ok()?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let source = match self.read(path) {
            Ok(Some(bytes)) => source(path, bytes),
            Ok(None) => return None,
            Err(error) => Err(format!("{SHOWN}{path} cannot be read: {error}")),
        };
        Some(HandlerFile {
            name: name.to_owned(),
            file: format!("{SHOWN}{path}"),
            description: source.as_ref().map(|s| description(&s.text)).unwrap_or_default(),
            hash: source.as_ref().map(|s| HEXLOWER.encode(&s.hash)).unwrap_or_default(),
            size: metadata.len(),
            modified_at: modified.map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(0)),
            source,
        })
    }

    /// The hash of a file as it is shown, if it is there.
    #[must_use]
    pub fn hash(&self, shown: &str) -> Option<[u8; 32]> {
        let bytes = self.read(shown.strip_prefix(SHOWN)?).ok()??;
        Some(Sha256::digest(&bytes).into())
    }

    /// A regular file below the folder; `None` when there is none of that name.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let missing_is_none = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(e),
        };
        let mut file = match open_below(&self.root, path) {
            Ok(file) => file,
            Err(e) => return missing_is_none(e),
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Ok(None);
        }
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if metadata.len() > LARGEST {
            return Err(io::Error::other(format!("it is larger than {LARGEST} bytes")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        file.by_ref().take(LARGEST).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// Opens a file below a folder. The kernel itself follows the path's links and refuses those
/// that lead out, so nothing can change between a check and the use.
#[cfg(target_os = "linux")]
fn open_below(root: &Path, path: &str) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
    let folder = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // Without waiting: a named pipe is no file of ours.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(&folder, path, flags, Mode::empty(), beneath) {
        Ok(file) => Ok(File::from(file)),
        Err(rustix::io::Errno::XDEV) => Err(io::Error::other(LEADS_OUT)),
        // A kernel, or a container, that does not know the call.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => open_checked(root, path),
        Err(e) => Err(e.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_below(root: &Path, path: &str) -> io::Result<File> {
    open_checked(root, path)
}

/// Opens a file below a folder without the kernel's help.
fn open_checked(root: &Path, path: &str) -> io::Result<File> {
    let root = fs::canonicalize(root)?;
    let file = fs::canonicalize(root.join(path))?;
    if !file.starts_with(&root) {
        return Err(io::Error::other(LEADS_OUT));
    }
    let metadata = fs::metadata(&file)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(file)
}

/// The path without `.` and `..`, with / between its parts; `None` when it leads out.
fn normalize(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

fn collect(folder: &Path, prefix: &str, depth: usize, paths: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{prefix}{name}");
        // Folders behind links are left out: a link to a folder above would never end.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth < DEEPEST && name != "node_modules" {
                collect(&entry.path(), &format!("{path}/"), depth + 1, paths);
            }
        } else if path.ends_with(".js") {
            paths.push(path);
        }
    }
}

fn source(path: &str, bytes: Vec<u8>) -> Result<Source, String> {
    let hash = Sha256::digest(&bytes).into();
    let mut text = String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        format!("{SHOWN}{path} is not UTF-8 text (line {line})")
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    let kind = if path.ends_with(".json") { SourceKind::Json } else { SourceKind::Script };
    Ok(Source { file: format!("{SHOWN}{path}"), kind, text, hash, cache: None })
}

/// The first line of the block comment that a file starts with.
fn description(text: &str) -> String {
    let text = match text.strip_prefix("#!") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rest)| rest),
        None => text,
    };
    let Some((comment, _)) = text.trim_start().strip_prefix("/*").and_then(|rest| rest.split_once("*/"))
    else {
        return String::new();
    };
    let mut lines = comment.lines().map(|line| line.trim().trim_start_matches('*').trim());
    lines.find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path().join("tasks"));
        fs::create_dir_all(folder.path().join("tasks/lib")).expect("made");
        for (path, text) in [
            ("tasks/a.js", "#!/usr/bin/env node\n/**\n * Does a.\n * More.\n */\nmodule.exports = 1"),
            ("tasks/lib/util.js", "/* Helps. */"),
            ("tasks/lib/index.js", "// none"),
            ("tasks/data.json", "{}"),
            ("tasks/not a name.js", ""),
            ("secret.js", "secret"),
        ] {
            fs::write(folder.path().join(path), text).expect("written");
        }
        (folder, files)
    }

    #[test]
    fn handlers_are_listed_with_the_first_line_of_their_comment() {
        let (_folder, files) = folder();
        let found: Vec<_> = files.list().into_iter().map(|l| (l.name, l.description)).collect();
        let expected = [("a", "Does a."), ("lib/index", ""), ("lib/util", "Helps.")];
        assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn require_finds_files_as_node_does_but_only_inside_the_folder() {
        let (folder, files) = folder();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("../secret.js", folder.path().join("tasks/out.js")).expect("a link");
            std::os::unix::fs::symlink("a.js", folder.path().join("tasks/in.js")).expect("a link");
        }
        let found = |from: &str, what: &str| files.require(from, what).map(|source| source.file);
        assert_eq!(found("tasks/a.js", "./lib/util").as_deref(), Ok("tasks/lib/util.js"));
        assert_eq!(found("tasks/a.js", "./lib").as_deref(), Ok("tasks/lib/index.js"));
        assert_eq!(found("tasks/lib/util.js", "../data.json").as_deref(), Ok("tasks/data.json"));
        assert_eq!(found("tasks/lib/util.js", "..//a").as_deref(), Ok("tasks/a.js"));
        assert_eq!(found("tasks/a.js", "./in").as_deref(), Ok("tasks/in.js"));
        for (what, words) in [
            ("../secret.js", "leads out of"),
            ("./lib/../../secret.js", "leads out of"),
            ("./out", "leads out of"),
            ("/etc/passwd", "./ or ../"),
            ("fs", "./ or ../"),
            ("./nope", "tasks/nope.json"),
        ] {
            let error = found("tasks/a.js", what).expect_err(what);
            assert!(error.contains(words) && !error.contains("secret\""), "{what}: {error}");
        }
    }

    #[test]
    fn a_missing_handler_is_answered_with_those_that_are_there() {
        let (_folder, files) = folder();
        assert!(files.entry("nope").expect_err("missing").contains("a, lib/index, lib/util"));
        assert!(files.entry("../secret").is_err());
        assert_eq!(files.entry("a").expect("there").file, "tasks/a.js");
    }
}
