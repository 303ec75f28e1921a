//! Files: the handlers' own files, by name.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::Arc,
    thread,
    time::UNIX_EPOCH,
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{
    analysis::Analyses,
    folder::{Folder, SHOWN},
};
use crate::domain::{
    Millis,
    draft::handler_name,
    source::{Source, SourceKind, is_typescript},
    text::to_one_line,
};

/// The most levels of folders that are listed.
const DEEPEST: usize = 8;
/// The endings of a handler's file.
const ENDINGS: [&str; 6] = [".js", ".cjs", ".mjs", ".ts", ".cts", ".mts"];

/// The handlers' folder.
#[derive(Debug, Clone)]
pub struct Files {
    pub(super) folder: Folder,
    pub(super) analyses: Arc<Analyses>,
    /// Removes the folder with the last of the copies.
    _kept: Option<Arc<Removed>>,
}

/// A folder that is removed when nothing uses it any more.
#[derive(Debug)]
struct Removed(Arc<Path>);

impl Drop for Removed {
    fn drop(&mut self) {
        let folder = self.0.clone();
        // Thousands of files take their time. What cannot be removed now is removed at the next start.
        thread::spawn(move || drop(fs::remove_dir_all(folder)));
    }
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

/// A file that looks like a handler's and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The file's name as it is shown.
    pub file: String,
    /// A phrase for its author.
    pub reason: String,
}

impl Files {
    /// The folder at `root`, which need not exist yet.
    #[must_use]
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self { folder: Folder { root: root.as_ref().into() }, analyses: Arc::default(), _kept: None }
    }

    /// A folder of this process alone, which is removed when nothing uses the files any more.
    #[must_use]
    pub fn unpacked(root: &Path) -> Self {
        let root = Arc::<Path>::from(root);
        let kept = Some(Arc::new(Removed(root.clone())));
        Self { folder: Folder { root }, analyses: Arc::default(), _kept: kept }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.folder.root
    }

    /// The handler `name`'s source.
    ///
    /// # Errors
    /// A sentence for the author; if the handler is missing, it names the handlers there are.
    pub fn entry(&self, name: &str) -> Result<Source, String> {
        let (path, bytes) = self.bytes(name)?;
        self.source(&path, bytes)
    }

    /// The handler `name`'s source, and the text of its file if that has types.
    ///
    /// # Errors
    /// As [`Files::entry`].
    pub fn entry_with_types(&self, name: &str) -> Result<(Source, Option<String>), String> {
        let (path, bytes) = self.bytes(name)?;
        let typed = is_typescript(&path).then(|| bytes.clone());
        let source = self.source(&path, bytes)?;
        Ok((source, typed.and_then(|bytes| decode(&path, bytes).ok())))
    }

    /// The path and the content of the file of a handler.
    fn bytes(&self, name: &str) -> Result<(String, Vec<u8>), String> {
        handler_name(name).map_err(|problem| format!("the handler {problem}"))?;
        let paths = ENDINGS.map(|ending| format!("{name}{ending}"));
        let there: Vec<_> = paths.iter().filter(|path| self.folder.is_there(path)).collect();
        let [path] = there[..] else {
            return Err(if there.is_empty() {
                self.explain_missing(name)
            } else {
                explain_several(name, &there)
            });
        };
        match self.folder.read(path) {
            Ok(Some(bytes)) => Ok((path.clone(), bytes)),
            Ok(None) => Err(self.explain_missing(name)),
            Err(error) => Err(format!("{SHOWN}{path} cannot be read: {error}")),
        }
    }

    /// SHA-256 (hexadecimal) and text of the file of a handler, as it is in the folder.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<(String, String)> {
        let bytes = self.bytes(name).ok()?.1;
        let hash = HEXLOWER.encode(&Sha256::digest(&bytes));
        decode(name, bytes).ok().map(|text| (hash, text))
    }

    fn explain_missing(&self, name: &str) -> String {
        let other = ["tsx", "jsx", "json"].map(|ending| format!("{name}.{ending}"));
        if let Some(other) = other.iter().find(|path| self.folder.is_there(path)) {
            let endings = ENDINGS.join(", ");
            return format!(
                "no handler \"{name}\": {SHOWN}{other} is there, but a handler's file ends in {endings}"
            );
        }
        let mut names: Vec<_> = self.list().into_iter().map(|listed| listed.name).collect();
        names.truncate(50);
        let there = if names.is_empty() {
            "the folder holds none".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        format!("no handler \"{name}\" ({SHOWN}{name}.js is not there): {there}")
    }

    /// The file of a handler.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<HandlerFile> {
        handler_name(name).ok()?;
        let paths = ENDINGS.map(|ending| format!("{name}{ending}"));
        let there: Vec<_> = paths.iter().filter(|path| self.folder.is_there(path)).collect();
        let mut file = self.look_at(name, there.first()?)?;
        if there.len() > 1 {
            file.source = Err(explain_several(name, &there));
        }
        Some(file)
    }

    /// The names of all handlers, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.paths().iter().filter_map(|path| handler_of(path)).map(str::to_owned).collect();
        names.dedup();
        names
    }

    fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", 0, &mut |path| paths.extend(handler_of(&path).is_some().then_some(path)));
        paths.sort();
        paths
    }

    /// Every handler's file, by name.
    #[must_use]
    pub fn list(&self) -> Vec<HandlerFile> {
        let paths = self.paths();
        let mut by_name: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for path in &paths {
            if let Some(name) = handler_of(path) {
                by_name.entry(name).or_default().push(path);
            }
        }
        let listed = by_name.iter().filter_map(|(name, paths)| {
            let mut file = self.look_at(name, paths[0])?;
            if paths.len() > 1 {
                file.source = Err(explain_several(name, paths));
            }
            Some(file)
        });
        listed.collect()
    }

    /// SHA-256 (hexadecimal) over the names and contents of all files of the folder, without those of packages and
    /// those whose names begin with a dot.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut paths = Vec::new();
        self.collect("", 0, &mut |path| paths.push(path));
        paths.retain(|path| !path.split('/').any(|part| part.starts_with('.')));
        paths.sort();
        let mut digest = Sha256::new();
        for path in paths {
            digest.update((path.len() as u64).to_be_bytes());
            digest.update(&path);
            // A file that cannot be read is like one that is empty.
            let bytes = self.folder.read(&path).ok().flatten().unwrap_or_default();
            digest.update(Sha256::digest(bytes));
        }
        HEXLOWER.encode(&digest.finalize())
    }

    /// A hash over the names, sizes and times of all files of the folder, without those of packages.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        let mut paths = Vec::new();
        self.collect("", 0, &mut |path| paths.push(path));
        paths.sort();
        let mut hasher = DefaultHasher::new();
        for path in paths {
            let metadata = fs::metadata(self.folder.root.join(&path)).ok();
            let state = metadata.map(|file| (file.len(), file.modified().ok()));
            (path, state).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The files that look like handlers' and cannot be: those with a wrong name, and those with JSX.
    #[must_use]
    pub fn ignored(&self) -> Vec<Ignored> {
        let mut paths = Vec::new();
        self.collect("", 0, &mut |path| {
            paths.extend(explain_ignored(&path).map(|reason| (path, reason)));
        });
        paths.sort();
        paths.into_iter().map(|(path, reason)| Ignored { file: format!("{SHOWN}{path}"), reason }).collect()
    }

    fn look_at(&self, name: &str, path: &str) -> Option<HandlerFile> {
        let metadata = fs::metadata(self.folder.root.join(path)).ok()?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let bytes = match self.folder.read(path) {
            Ok(None) => return None,
            Ok(Some(bytes)) => Ok(bytes),
            Err(error) => Err(format!("{SHOWN}{path} cannot be read: {error}")),
        };
        let described = bytes.as_ref().map(|bytes| description(&String::from_utf8_lossy(bytes)));
        let hash = bytes.as_ref().map(|bytes| HEXLOWER.encode(&Sha256::digest(bytes)));
        Some(HandlerFile {
            name: name.to_owned(),
            file: format!("{SHOWN}{path}"),
            description: described.unwrap_or_default(),
            hash: hash.unwrap_or_default(),
            size: metadata.len(),
            modified_at: modified.map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(0)),
            source: bytes.and_then(|bytes| self.source(path, bytes)),
        })
    }

    /// The hash of a file as it is shown, if it is there.
    #[must_use]
    pub fn hash(&self, shown: &str) -> Option<[u8; 32]> {
        let bytes = self.folder.read(shown.strip_prefix(SHOWN)?).ok()??;
        Some(Sha256::digest(&bytes).into())
    }

    /// Calls `take` with the path of each file that is not below `node_modules`.
    fn collect(&self, prefix: &str, depth: usize, take: &mut impl FnMut(String)) {
        let Ok(entries) = fs::read_dir(self.folder.root.join(prefix)) else { return };
        for entry in entries.flatten() {
            // A name that is not UTF-8 is no handler's, but may be shown.
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            // Folders behind links are left out: a link to a folder above would never end.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth < DEEPEST && name != "node_modules" {
                    self.collect(&format!("{path}/"), depth + 1, take);
                }
            } else {
                take(path);
            }
        }
    }

    /// A handler's source.
    fn source(&self, path: &str, bytes: Vec<u8>) -> Result<Source, String> {
        let kind = match path.rsplit_once('.') {
            Some((_, "mjs" | "mts")) => SourceKind::Module,
            Some((_, "cjs" | "cts")) => SourceKind::Script,
            _ => SourceKind::Unmarked,
        };
        self.source_of(path, kind, bytes)
    }

    /// The source of a file whose kind is known as far as names say it.
    pub(super) fn source_of(&self, path: &str, kind: SourceKind, bytes: Vec<u8>) -> Result<Source, String> {
        let hash = Sha256::digest(&bytes).into();
        let mut text = decode(path, bytes)?;
        let mut kind = kind;
        if kind != SourceKind::Json {
            let analysis = self.analyses.without_names(path, hash, &text);
            let analysis = analysis.as_ref().as_ref().map_err(Clone::clone)?;
            if let Some(stripped) = &analysis.stripped {
                text.clone_from(stripped);
            }
            if kind == SourceKind::Unmarked && analysis.scan.module {
                kind = SourceKind::Module;
            }
        }
        Ok(Source { file: format!("{SHOWN}{path}"), kind, text, hash, names: Vec::new(), cache: None })
    }
}

/// The handler that a file is, by its name.
fn handler_of(path: &str) -> Option<&str> {
    let name = ENDINGS.iter().find_map(|ending| path.strip_suffix(ending))?;
    handler_name(name).is_ok().then_some(name)
}

/// Why a file that looks like a handler's is none; `None` for handlers and for all other files.
fn explain_ignored(path: &str) -> Option<String> {
    let is_hidden = path.split('/').any(|part| part.starts_with('.'));
    let is_types = [".d.ts", ".d.mts", ".d.cts"].iter().any(|ending| path.ends_with(ending));
    if is_hidden || is_types {
        return None;
    }
    if let Some(ending) = [".tsx", ".jsx"].iter().find(|ending| path.ends_with(*ending)) {
        let endings = ENDINGS.join(", ");
        return Some(format!("a handler's file ends in {endings}, not in {ending}: handlers have no JSX"));
    }
    let name = ENDINGS.iter().find_map(|ending| path.strip_suffix(ending))?;
    handler_name(name).is_err().then(|| {
        format!(
            "it is no handler, only a file that handlers may require: \"{}\" is no handler's name, which has \
             letters, digits, - and _, with / between folders, and at most 200 characters",
            to_one_line(name)
        )
    })
}

fn explain_several(name: &str, paths: &[&String]) -> String {
    let files: Vec<_> = paths.iter().map(|path| format!("{SHOWN}{path}")).collect();
    format!("the handler {name} has more than one file, {}: keep one", files.join(" and "))
}

/// The text of a file, without a byte order mark.
fn decode(path: &str, bytes: Vec<u8>) -> Result<String, String> {
    let mut text = String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        format!("{SHOWN}{path} is not UTF-8 text (line {line})")
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// The first line of the block comment that a file starts with.
fn description(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
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
