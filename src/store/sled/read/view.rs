//! The tree as readers may see it: without what is not on the disk yet.
//!
//! A batch is visible in the tree before its sync. Until that has succeeded the writer leaves
//! here what the records were before, and readers take that instead. They read the tree first
//! and look here second, so that a batch that comes in between is seen as before or durable.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
};

use crate::store::{
    StoreError,
    sled::engine::{
        Bytes, EngineResult, keys,
        overflow::Records,
        txn::{Writes, backend},
    },
};

/// What records were before the batch that is on its way to the disk; `None` is "not there".
#[derive(Debug, Default)]
pub(crate) struct Pending(RwLock<HashMap<Vec<u8>, Option<Bytes>>>);

impl Pending {
    /// Before a batch is applied. Only records are kept, not indexes: a list may show its order
    /// a moment early, but never a document.
    pub(crate) fn hide(&self, tree: &Records, writes: &Writes) -> EngineResult<()> {
        let mut before = HashMap::new();
        for key in writes.keys().filter(|key| [keys::TASK, keys::EXECUTION].contains(&key[0])) {
            before.insert(key.clone(), tree.get(key)?);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = before;
        Ok(())
    }

    /// After the sync.
    pub(crate) fn show(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn before(&self, key: &[u8]) -> Option<Option<Bytes>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

/// Asks for the quarantine of the record under a key.
pub(crate) type Quarantine = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// How much a list reads before it goes another way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Filtered tasks that are loaded and sorted; beyond, the index of the order is walked.
    pub(crate) sorted: usize,
    /// Tasks that are looked at before their keys are collected instead.
    pub(crate) looked_at: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { sorted: 5000, looked_at: 4000 }
    }
}

/// The records as readers may see them.
#[derive(Clone)]
pub(crate) struct View {
    tree: Records,
    pending: Arc<Pending>,
    quarantine: Quarantine,
    pub(crate) bounds: Bounds,
}

impl View {
    pub(crate) fn new(tree: Records, pending: Arc<Pending>, quarantine: Quarantine, bounds: Bounds) -> Self {
        Self { tree, pending, quarantine, bounds }
    }

    /// Reports a record that does not verify. No reader waits for its quarantine.
    pub(crate) fn damaged(&self, key: &[u8]) {
        (self.quarantine)(key);
    }

    /// A value that is durable.
    pub(crate) fn durable(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.tree.get(key).map_err(backend("read the store"))?;
        Ok(self.pending.before(key).unwrap_or(value))
    }

    /// The durable value of an entry that a scan has found.
    pub(crate) fn scanned(&self, key: &[u8], value: Bytes) -> Option<Bytes> {
        self.pending.before(key).unwrap_or(Some(value))
    }
}

impl Deref for View {
    type Target = Records;

    fn deref(&self) -> &Records {
        &self.tree
    }
}
