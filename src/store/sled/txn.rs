//! One operation's view of the tree: what the group it belongs to has written already,
//! and its own writes, which join the group's only if the operation succeeds.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use sled::IVec;

use super::{pieces::Records, record};
use crate::store::StoreError;

/// Writes by key; `None` removes.
pub(super) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

pub(super) struct Txn<'a> {
    tree: &'a Records,
    group: &'a Writes,
    own: Writes,
}

pub(super) fn backend(doing: &'static str) -> impl Fn(sled::Error) -> StoreError {
    move |e| {
        let why = match e {
            sled::Error::Corruption { .. } => {
                format!("{e}; the files are damaged, and `isochron store verify` tells more")
            }
            _ => e.to_string(),
        };
        StoreError::Backend { doing, why }
    }
}

impl<'a> Txn<'a> {
    pub(super) fn new(tree: &'a Records, group: &'a Writes) -> Self {
        Self { tree, group, own: Writes::new() }
    }

    /// What was there before the group.
    pub(super) fn tree(&self) -> &'a Records {
        self.tree
    }

    pub(super) fn into_writes(self) -> Writes {
        self.own
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        if let Some(written) = self.own.get(key).or_else(|| self.group.get(key)) {
            return Ok(written.as_deref().map(IVec::from));
        }
        self.tree.get(key).map_err(backend("read the store"))
    }

    /// A record; one that does not verify is an error that names the operation.
    pub(super) fn record<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.get(key)? else { return Ok(None) };
        record::decode(&bytes)
            .map(Some)
            .map_err(|e| StoreError::Backend { doing: "verify a record", why: e.to_string() })
    }

    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.own.insert(key, Some(value));
    }

    pub(super) fn put_record<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
        let bytes = record::encode(value)
            .map_err(|e| StoreError::Backend { doing: "encode a record", why: e.to_string() })?;
        self.put(key, bytes);
        Ok(())
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.own.insert(key, None);
    }

    /// Adds to a counter, which never goes below 0.
    pub(super) fn add(&mut self, key: Vec<u8>, delta: i64) -> Result<u64, StoreError> {
        let value = self.counter(&key)?.saturating_add_signed(delta);
        self.put(key, value.to_be_bytes().to_vec());
        Ok(value)
    }

    pub(super) fn counter(&self, key: &[u8]) -> Result<u64, StoreError> {
        Ok(self.get(key)?.map_or(0, |bytes| read_counter(&bytes)))
    }

    /// The first `most` keys of a range that exist by now, with what the tree held before this group.
    pub(super) fn keys(
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

    /// The first `most` keys with a prefix that exist by now.
    pub(super) fn prefixed(&self, prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.keys(prefix.to_vec()..after_prefix(prefix), most)
    }
}

/// The smallest key that is larger than every key with this prefix.
pub(super) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![u8::MAX; 64]
}

pub(super) fn read_counter(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}
