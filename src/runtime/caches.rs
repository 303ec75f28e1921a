//! V8's code caches, by source and engine.

use std::{collections::HashMap, sync::Mutex};

use crate::domain::lock::lock;

/// All caches together take at most this many bytes; beyond, all are dropped and made anew.
const MOST: usize = 64 * 1024 * 1024;

/// The hash of a source, and its cache.
pub(super) type Cache = ([u8; 32], Vec<u8>);

/// Code caches of the one engine that all runners have.
#[derive(Debug, Default)]
pub(super) struct Caches {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    engine: String,
    bytes: usize,
    by_hash: HashMap<[u8; 32], Vec<u8>>,
}

impl Caches {
    pub(super) fn get(&self, engine: &str, hash: &[u8; 32]) -> Option<Vec<u8>> {
        let known = lock(&self.known);
        if known.engine == engine { known.by_hash.get(hash).cloned() } else { None }
    }

    /// Keeps the caches that a run has made of the sources that it was given. A cache of another
    /// handler's source would be code that the other handler runs.
    pub(super) fn put(&self, engine: &str, mut made: Vec<Cache>, given: &[[u8; 32]]) {
        made.retain(|(hash, _)| given.contains(hash));
        if made.is_empty() {
            return;
        }
        let mut known = lock(&self.known);
        let new: usize = made.iter().map(|(_, bytes)| bytes.len()).sum();
        if known.engine != engine || known.bytes + new > MOST {
            *known = Known { engine: engine.to_owned(), ..Known::default() };
        }
        for (hash, bytes) in made {
            known.bytes += bytes.len();
            if let Some(old) = known.by_hash.insert(hash, bytes) {
                known.bytes -= old.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_makes_caches_of_its_own_sources_only() {
        let caches = Caches::default();
        caches.put("v8", vec![([1; 32], vec![1]), ([2; 32], vec![2])], &[[1; 32], [3; 32]]);
        assert_eq!(caches.get("v8", &[1; 32]), Some(vec![1]));
        assert_eq!(caches.get("v8", &[2; 32]), None);
        assert_eq!(caches.get("another", &[1; 32]), None);
    }
}
