//! One operation's view of the tree: the tree, the writes of its group so far, and its own writes, which
//! join the group's only if the operation succeeds.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use sled::IVec;

use crate::store::{
    StoreError,
    sled::engine::{keys, overflow::Records, record},
};

/// Writes by key; `None` removes.
pub(crate) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

pub(crate) struct Txn<'a> {
    tree: &'a Records,
    group: &'a Writes,
    own: Writes,
}

pub(crate) fn backend(doing: &'static str) -> impl Fn(sled::Error) -> StoreError {
    move |e| {
        let why = match e {
            sled::Error::Corruption { .. } => {
                format!("{e}; the files are damaged: `isochron store verify` says where")
            }
            _ => e.to_string(),
        };
        StoreError::Backend { doing, why }
    }
}

impl<'a> Txn<'a> {
    pub(crate) fn new(tree: &'a Records, group: &'a Writes) -> Self {
        Self { tree, group, own: Writes::new() }
    }

    /// The tree without the writes of the group.
    pub(crate) fn tree(&self) -> &'a Records {
        self.tree
    }

    pub(crate) fn into_writes(self) -> Writes {
        self.own
    }

    /// Whether the operation has written anything.
    pub(crate) fn has_writes(&self) -> bool {
        !self.own.is_empty()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        if let Some(written) = self.own.get(key).or_else(|| self.group.get(key)) {
            return Ok(written.as_deref().map(IVec::from));
        }
        self.tree.get(key).map_err(backend("read the store"))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When the record does not verify.
    pub(crate) fn record<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.get(key)? else { return Ok(None) };
        record::decode(&bytes)
            .map(Some)
            .map_err(|e| StoreError::Backend { doing: "verify a record", why: e.to_string() })
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.own.insert(key, Some(value));
    }

    pub(crate) fn put_record<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
        let bytes = record::encode(value)
            .map_err(|e| StoreError::Backend { doing: "encode a record", why: e.to_string() })?;
        self.put(key, bytes);
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        self.own.insert(key, None);
    }

    /// Adds to a counter, which never goes below 0. A counter at 0 has no entry.
    pub(crate) fn add(&mut self, key: Vec<u8>, delta: i64) -> Result<u64, StoreError> {
        let value = self.counter(&key)?.saturating_add_signed(delta);
        match value {
            0 => self.remove(key),
            value => self.put(key, value.to_be_bytes().to_vec()),
        }
        Ok(value)
    }

    pub(crate) fn counter(&self, key: &[u8]) -> Result<u64, StoreError> {
        Ok(self.get(key)?.map_or(0, |bytes| read_counter(&bytes)))
    }

    /// The first `most` keys of a range, in the tree with the writes of the group and of this operation.
    pub(crate) fn keys(
        &self,
        range: std::ops::Range<Vec<u8>>,
        most: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let written = || self.group.range(range.clone()).chain(self.own.range(range.clone()));
        let removed = written().filter(|(_, value)| value.is_none()).count();
        let mut keys = Vec::new();
        for key in self.tree.range_keys(range.clone()).take(most.saturating_add(removed)) {
            keys.push(key.map_err(backend("scan the store"))?.to_vec());
        }
        keys.extend(written().filter(|(_, value)| value.is_some()).map(|(key, _)| key.clone()));
        keys.sort();
        keys.dedup();
        let mut present = Vec::new();
        for key in keys {
            if present.len() == most {
                break;
            }
            if self.get(&key)?.is_some() {
                present.push(key);
            }
        }
        Ok(present)
    }

    /// As [`keys`](Self::keys), of the keys with a prefix.
    pub(crate) fn prefixed(&self, prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.keys(prefix.to_vec()..keys::after_prefix(prefix), most)
    }
}

pub(crate) fn read_counter(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}
