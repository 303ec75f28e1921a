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

use tokio::sync::{mpsc, oneshot};

use crate::store::{
    StoreError,
    sled::{
        engine::{
            Bytes, EngineResult, keys,
            overflow::Records,
            txn::{Writes, backend},
        },
        write::writer::{Op, operation},
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

/// What readers read.
#[derive(Clone)]
pub(crate) struct View {
    tree: Records,
    pending: Arc<Pending>,
    ops: mpsc::WeakSender<Op>,
}

impl View {
    pub(crate) fn new(tree: Records, pending: Arc<Pending>, ops: mpsc::WeakSender<Op>) -> Self {
        Self { tree, pending, ops }
    }

    /// A reader has met a record that does not verify: the writer is asked to set it aside.
    pub(crate) fn damaged(&self, key: &[u8]) {
        if let Some(ops) = self.ops.upgrade() {
            // No reader waits for the answer; if the writer is busy, the next reader asks again.
            let key = key.to_vec();
            let _ = ops
                .try_send(operation(oneshot::channel().0, move |writer| writer.quarantine(&key).map(Some)));
        }
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
