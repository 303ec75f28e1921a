//! The ES modules of a run, and what their requests mean.

use std::collections::HashMap;

use deno_core::v8;

/// Every ES module of a run. An id is a place in the list.
#[derive(Default)]
pub(crate) struct Table {
    list: Vec<EsModule>,
    /// By V8's hash of a module, which several may share.
    by_hash: HashMap<i32, Vec<usize>>,
}

/// One ES module.
pub(crate) struct EsModule {
    module: v8::Global<v8::Module>,
    hash: i32,
    /// The exports of a synthetic module.
    names: Vec<String>,
    /// By specifier and attribute `type`.
    targets: HashMap<(String, String), usize>,
}

impl EsModule {
    pub(super) fn new(module: v8::Global<v8::Module>, hash: i32, names: Vec<String>) -> Self {
        Self { module, hash, names, targets: HashMap::new() }
    }
}

impl Table {
    pub(super) fn add(&mut self, module: EsModule) -> usize {
        let id = self.list.len();
        self.by_hash.entry(module.hash).or_default().push(id);
        self.list.push(module);
        id
    }

    pub(super) fn get(&self, id: usize) -> Option<v8::Global<v8::Module>> {
        self.list.get(id).map(|module| module.module.clone())
    }

    pub(super) fn names(&self, id: usize) -> Vec<String> {
        self.list.get(id).map(|module| module.names.clone()).unwrap_or_default()
    }

    pub(super) fn find(&self, hash: i32, is_it: impl Fn(&v8::Global<v8::Module>) -> bool) -> Option<usize> {
        self.by_hash.get(&hash)?.iter().copied().find(|id| is_it(&self.list[*id].module))
    }

    pub(super) fn link(&mut self, id: usize, targets: Vec<(String, String, usize)>) {
        if let Some(module) = self.list.get_mut(id) {
            module.targets =
                targets.into_iter().map(|(specifier, kind, to)| ((specifier, kind), to)).collect();
        }
    }

    pub(super) fn target(&self, id: usize, specifier: &str, kind: &str) -> Option<v8::Global<v8::Module>> {
        let key = (specifier.to_owned(), kind.to_owned());
        self.get(*self.list.get(id)?.targets.get(&key)?)
    }
}
