//! The contract, and what is particular to sled: damaged records and indexes, the lock.

use std::{path::Path, sync::Arc};

use super::*;
use crate::store::contract;

const CACHE: u64 = 8 * 1024 * 1024;

fn open(directory: &Path) -> Arc<dyn Store> {
    Arc::new(SledStore::open(directory, CACHE).expect("it opens"))
}

contract::passes!(super::open);
