//! Counts of reads, for tests that hold bounds. Elsewhere they cost nothing.

#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[cfg(test)]
use super::keys;
use super::{Bytes, EngineResult};

/// The keys and the values that were read. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reads {
    #[cfg(test)]
    keys: Arc<AtomicU64>,
    #[cfg(test)]
    records: Arc<AtomicU64>,
}

#[cfg(not(test))]
#[expect(clippy::unused_self, reason = "tests count in it")]
impl Reads {
    pub(crate) fn note(&self, _: &[u8]) {}

    pub(crate) fn note_key(&self) {}

    pub(crate) fn note_found(&self, _: &EngineResult<(Bytes, Bytes)>) {}
}

#[cfg(test)]
impl Reads {
    /// Counts the value under a key. A counter is no record.
    pub(crate) fn note(&self, key: &[u8]) {
        let is_small = [keys::COUNTER, keys::NAME, keys::META].contains(&key[0]);
        let count = if is_small { &self.keys } else { &self.records };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_key(&self) {
        self.keys.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_found(&self, entry: &EngineResult<(Bytes, Bytes)>) {
        if let Ok((key, value)) = entry {
            // Entries of indexes have values of a few bytes.
            if value.len() <= 32 { self.note_key() } else { self.note(key) }
        }
    }

    /// The keys and the records so far.
    pub(crate) fn count(&self) -> (u64, u64) {
        (self.keys.load(Ordering::Relaxed), self.records.load(Ordering::Relaxed))
    }
}
