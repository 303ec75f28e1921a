//! Load: the file that a specifier means, together with the files that it leads to.
//!
//! A handler stands still while the server answers, so an answer has every file that loading surely or
//! likely takes: the static imports of an ES module, and the `require`s outside functions of a CommonJS
//! module. A package of 300 files is one question then.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
};

use sha2::{Digest, Sha256};

use super::{
    analysis::Analysis,
    files::Files,
    folder::{Opened, SHOWN},
    resolve::Resolver,
};
use crate::domain::{
    lock::lock,
    source::{Link, Loaded, Source, SourceKind, Unresolved, Way},
};

/// Files and bytes of one answer; files beyond are asked for by themselves. The frames of an answer
/// take at most 32 MiB, code caches included.
const MOST_FILES: usize = 1500;
const MOST_BYTES: usize = 6 * 1024 * 1024;
/// CommonJS modules that are read for the names of one.
const MOST_PASSED_ON: usize = 200;

/// The files that a run has been given, so that an answer has none twice.
#[derive(Debug, Default)]
pub struct Given {
    /// As they are shown, and whether their exported names came along.
    files: Mutex<HashSet<(String, bool)>>,
}

impl Given {
    /// Notes a file; `false` when it has been given already.
    fn note(&self, file: &str, names: bool) -> bool {
        let mut files = lock(&self.files);
        // With its names a file serves an importer and a requirer.
        if files.contains(&(file.to_owned(), true)) {
            return false;
        }
        files.insert((file.to_owned(), names))
    }
}

impl Files {
    /// The file that `specifier` means in the file `from` (as it is shown), and the files that it leads
    /// to, without those that the run has.
    ///
    /// # Errors
    /// A sentence for the handler's author.
    pub fn load(&self, from: &str, specifier: &str, way: Way, given: &Given) -> Result<Loaded, Unresolved> {
        let mut load = Load {
            files: self,
            resolver: Resolver::new(&self.folder),
            given,
            loaded: Loaded { files: Vec::new(), links: Vec::new() },
            bytes: 0,
            waiting: VecDeque::new(),
        };
        let opened = load.resolver.resolve(relative(from), specifier, way)?;
        let file = load.read(opened, way)?;
        given.note(&file.source.file, way == Way::Import);
        load.add(file, way)?;
        load.follow();
        Ok(load.loaded)
    }

    /// The name in stacks of the file that `specifier` means in the file `from`.
    ///
    /// # Errors
    /// A sentence for the handler's author.
    pub fn resolve(&self, from: &str, specifier: &str, way: Way) -> Result<String, Unresolved> {
        let opened = Resolver::new(&self.folder).resolve(relative(from), specifier, way)?;
        Ok(format!("{SHOWN}{}", opened.path))
    }
}

fn relative(shown: &str) -> &str {
    shown.strip_prefix(SHOWN).unwrap_or(shown)
}

struct Load<'a> {
    files: &'a Files,
    resolver: Resolver<'a>,
    given: &'a Given,
    loaded: Loaded,
    /// Of the texts so far.
    bytes: usize,
    /// Specifiers that have not been followed: the asking file, as it is shown.
    waiting: VecDeque<(String, Way, String)>,
}

struct Read {
    source: Source,
    analysis: Option<Arc<Result<Analysis, String>>>,
}

impl Load<'_> {
    fn read(&mut self, opened: Opened, way: Way) -> Result<Read, Unresolved> {
        let path = opened.path.clone();
        let kind = self.resolver.kind(&path)?;
        let broken = |text: String| Unresolved { code: "ERR_MODULE_UNREADABLE".to_owned(), text };
        let bytes = opened.read().map_err(|error| broken(format!("Cannot read {SHOWN}{path}: {error}")))?;
        let hash = Sha256::digest(&bytes).into();
        let analysis = if kind == SourceKind::Json {
            None
        } else {
            let text = String::from_utf8_lossy(&bytes);
            let analyses = &self.files.analyses;
            Some(match way {
                Way::Require => analyses.without_names(&path, hash, &text),
                Way::Import => analyses.of(&path, hash, &text),
            })
        };
        let source = self.files.source_of(&path, kind, bytes).map_err(broken)?;
        Ok(Read { source, analysis })
    }

    /// Adds a file to the answer, and what it asks for to the waiting.
    fn add(&mut self, read: Read, way: Way) -> Result<(), Unresolved> {
        let Read { mut source, analysis } = read;
        if let Some(Ok(analysis)) = analysis.as_deref() {
            let is_module = source.kind == SourceKind::Module;
            for (wanted, specifier) in &analysis.scan.wanted {
                if (*wanted == Way::Import) == is_module {
                    self.waiting.push_back((source.file.clone(), *wanted, specifier.clone()));
                }
            }
            if way == Way::Import && !is_module {
                source.names = self.names(&source.file, analysis);
            }
        }
        if matches!(source.kind, SourceKind::Module | SourceKind::Json) {
            // Its names are none: it serves a requirer and an importer alike.
            self.given.note(&source.file, true);
        }
        self.bytes += source.text.len();
        self.loaded.files.push(source);
        Ok(())
    }

    /// Follows every specifier whose file is there; the others are refused when they are asked for.
    fn follow(&mut self) {
        while let Some((from, way, specifier)) = self.waiting.pop_front() {
            if self.loaded.files.len() >= MOST_FILES || self.bytes >= MOST_BYTES {
                return;
            }
            let Ok(opened) = self.resolver.resolve(relative(&from), &specifier, way) else { continue };
            let to = format!("{SHOWN}{}", opened.path);
            if self.given.note(&to, way == Way::Import) {
                let added = self.read(opened, way).and_then(|read| self.add(read, way));
                if added.is_err() {
                    continue;
                }
            }
            self.loaded.links.push(Link { from, way, specifier, to });
        }
    }

    /// The exported names of a CommonJS module, with those of the modules that it passes on.
    fn names(&mut self, file: &str, analysis: &Analysis) -> Vec<String> {
        let mut names: Vec<_> = analysis.scan.names.clone();
        let mut seen: HashSet<String> = names.iter().cloned().collect();
        let mut passed_on: VecDeque<_> =
            analysis.scan.passed_on.iter().map(|specifier| (file.to_owned(), specifier.clone())).collect();
        let mut read = HashSet::from([file.to_owned()]);
        while let Some((from, specifier)) = passed_on.pop_front() {
            let Ok(opened) = self.resolver.resolve(relative(&from), &specifier, Way::Require) else {
                continue;
            };
            let path = format!("{SHOWN}{}", opened.path);
            if read.len() > MOST_PASSED_ON || !read.insert(path.clone()) {
                continue;
            }
            let Ok(Read { analysis: Some(analysis), .. }) = self.read(opened, Way::Import) else { continue };
            let Ok(analysis) = analysis.as_ref() else { continue };
            names.extend(analysis.scan.names.iter().filter(|name| seen.insert((*name).clone())).cloned());
            passed_on
                .extend(analysis.scan.passed_on.iter().map(|specifier| (path.clone(), specifier.clone())));
        }
        names
    }
}
