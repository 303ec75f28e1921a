//! The tree as readers may see it: without records that are not on the disk yet.
//!
//! sled shows a batch before its sync. Until the sync has succeeded, [`Pending`] holds the former values
//! of the batch's records, and readers take those instead. A reader reads the tree first and `Pending`
//! second, so that of a batch in between it sees either the former or the durable values.

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

/// The former values of the records in the batch that is being synced; `None` means that there was none.
#[derive(Debug, Default)]
pub(crate) struct Pending(RwLock<HashMap<Vec<u8>, Option<Bytes>>>);

impl Pending {
    /// Keeps the former values of a batch's records. Call before the batch is applied. Indexes are not
    /// kept: a list may show its order a moment early, but never a document.
    pub(crate) fn hide(&self, tree: &Records, writes: &Writes) -> EngineResult<()> {
        let mut before = HashMap::new();
        let shown = [keys::TASK, keys::EXECUTION, keys::ENTRY, keys::STEP, keys::AUDIT];
        for key in writes.keys().filter(|key| shown.contains(&key[0])) {
            before.insert(key.clone(), tree.get(key)?);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = before;
        Ok(())
    }

    /// Lets readers see the batch. Call after the sync.
    pub(crate) fn show(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn before(&self, key: &[u8]) -> Option<Option<Bytes>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

/// Asks for the quarantine of the record under a key.
pub(crate) type Quarantine = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Limits up to which a list is read in the simplest way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Filtered tasks that are loaded and sorted; with more, the index of the order is scanned.
    pub(crate) sorted: usize,
    /// Tasks that are read in the list's order; with more, the keys of the filter are collected.
    pub(crate) scanned: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { sorted: 5000, scanned: 4000 }
    }
}

/// Durable records of the tree. Scans of keys and counters read the tree itself.
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

    /// Reports a record that does not verify; readers do not wait for its quarantine.
    pub(crate) fn report_damage(&self, key: &[u8]) {
        (self.quarantine)(key);
    }

    /// Reads the durable value of a key.
    pub(crate) fn get_durable(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.tree.get(key).map_err(backend("read the store"))?;
        Ok(self.pending.before(key).unwrap_or(value))
    }

    /// The durable value of an entry found by a scan.
    pub(crate) fn durable_value(&self, key: &[u8], value: Bytes) -> Option<Bytes> {
        self.pending.before(key).unwrap_or(Some(value))
    }
}

impl Deref for View {
    type Target = Records;

    fn deref(&self) -> &Records {
        &self.tree
    }
}
