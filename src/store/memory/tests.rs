//! The store in memory keeps the contract of stores, alone and with other processes on the same disk.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::*;
use crate::{
    domain::lock::lock,
    store::{
        Store,
        contract::{nodes::joined, passes, shares},
    },
};

/// The disk that stands for a directory.
fn disk(directory: &Path) -> Arc<Disk> {
    static DISKS: Mutex<BTreeMap<PathBuf, Arc<Disk>>> = Mutex::new(BTreeMap::new());
    lock(&DISKS).entry(directory.to_owned()).or_default().clone()
}

fn open(directory: &Path, now: Now) -> Arc<dyn Store> {
    Arc::new(MemoryStore::open(&disk(directory), now))
}

/// Opens a disk that others may share.
fn open_shared(directory: &Path, now: Now) -> Arc<dyn Store> {
    joined(Arc::new(MemoryStore::open_shared(&disk(directory), now)))
}

passes!(super::open);
shares!(super::open_shared);

/// A node that is the only one.
mod one_node {
    use super::passes;

    passes!(super::super::open_shared);
}
