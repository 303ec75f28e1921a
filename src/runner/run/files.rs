//! The files of a run: the handler's own first, then those that the server has sent.

use std::collections::HashMap;

use deno_core::v8;
use isochron::runtime::protocol::{Loaded, Source, SourceKind, Way};

/// The files that a run has loaded or will likely load, and the specifiers that lead to them.
pub(crate) struct Files {
    list: Vec<File>,
    by_name: HashMap<String, usize>,
    links: HashMap<(String, Way, String), usize>,
}

struct File {
    /// Its name, text and hash. Compiling or parsing the file takes the text.
    source: Source,
    /// Whether the text has been taken.
    taken: bool,
    compiled: Option<Compiled>,
}

/// The compiled form of a file that has no code cache yet.
pub(crate) enum Compiled {
    /// Of a CommonJS module.
    Function(v8::Global<v8::Function>),
    /// Of an ES module.
    Module(v8::Global<v8::Module>),
    /// The text of an ES module that nothing but the compiler recognised as one.
    Text(v8::Global<v8::String>),
}

impl Files {
    /// The handler's own file alone.
    pub(crate) fn new(entry: Source) -> Self {
        let by_name = HashMap::from([(entry.file.clone(), 0)]);
        Self {
            list: vec![File { source: entry, taken: false, compiled: None }],
            by_name,
            links: HashMap::new(),
        }
    }

    /// The names of the files in stacks.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.list.iter().map(|file| file.source.file.as_str())
    }

    /// The file that a specifier is known to mean.
    pub(crate) fn find(&self, from: &str, way: Way, specifier: &str) -> Option<usize> {
        self.links.get(&(from.to_owned(), way, specifier.to_owned())).copied()
    }

    /// The name and the kind of a file.
    pub(crate) fn describe(&self, index: usize) -> Option<(&str, SourceKind)> {
        self.list.get(index).map(|file| (file.source.file.as_str(), file.source.kind))
    }

    /// The names that a CommonJS module exports.
    pub(crate) fn exported(&self, index: usize) -> Vec<String> {
        self.list.get(index).map(|file| file.source.names.clone()).unwrap_or_default()
    }

    /// Adds an answer of the server; returns the file that was asked for.
    pub(crate) fn add(&mut self, loaded: Loaded) -> Option<usize> {
        let Loaded { files, links } = loaded;
        let mut asked = None;
        for source in files {
            let index = match self.by_name.get(&source.file) {
                Some(&index) => {
                    let file = &mut self.list[index];
                    if asked.is_none() || !file.taken {
                        // A module that threw is loaded anew, which takes its text again.
                        *file = File { source, taken: false, compiled: None };
                    } else if !source.names.is_empty() {
                        file.source.names = source.names;
                    }
                    index
                }
                None => {
                    self.by_name.insert(source.file.clone(), self.list.len());
                    self.list.push(File { source, taken: false, compiled: None });
                    self.list.len() - 1
                }
            };
            asked.get_or_insert(index);
        }
        for link in links {
            if let Some(&to) = self.by_name.get(&link.to) {
                self.links.insert((link.from, link.way, link.specifier), to);
            }
        }
        asked
    }

    /// Notes what a specifier means.
    pub(crate) fn link(&mut self, from: String, way: Way, specifier: String, to: usize) {
        self.links.insert((from, way, specifier), to);
    }

    /// The text of a file, once.
    pub(crate) fn take_text(&mut self, index: usize) -> Option<String> {
        let file = self.list.get_mut(index)?;
        file.taken = true;
        Some(std::mem::take(&mut file.source.text))
    }

    /// A source with its text and code cache, once.
    pub(crate) fn take_source(&mut self, index: usize) -> Option<Source> {
        let text = self.take_text(index)?;
        let source = &mut self.list.get_mut(index)?.source;
        let cache = source.cache.take();
        Some(Source { file: source.file.clone(), text, cache, names: Vec::new(), ..*source })
    }

    /// Keeps the compiled form of a file for its code cache.
    pub(crate) fn keep(&mut self, index: usize, compiled: Compiled) {
        if let Some(file) = self.list.get_mut(index) {
            file.compiled = Some(compiled);
        }
    }

    /// The kept text of a file that turned out to be an ES module.
    pub(crate) fn take_kept_text(&mut self, index: usize) -> Option<v8::Global<v8::String>> {
        match self.list.get_mut(index)?.compiled.take() {
            Some(Compiled::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The files without a code cache: the keys of their caches, and their compiled forms.
    pub(crate) fn take_uncached(&mut self) -> Vec<([u8; 32], Compiled)> {
        let uncached = self.list.iter_mut().map(|file| (file.source.cache_key(), file.compiled.take()));
        uncached.filter_map(|(key, compiled)| Some((key, compiled?))).collect()
    }
}
