//! The start-up check: every task record is verified, and the indexes that follow from
//! them are compared with what they should be. An index that differs is made anew.
//!
//! The comparison needs one pass over each range and no memory: the hashes of the keys
//! that should be there and of those that are there are added up.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    io,
};

use sled::{Db, Tree};

use super::{keys, record};
use crate::{
    domain::facts::{Task, TaskStatus},
    store::Report,
};

/// Keys removed or written per batch while an index is made anew.
const BATCH: usize = 4096;

#[derive(Default, PartialEq, Eq)]
struct Sum {
    keys: u64,
    hash: u64,
}

impl Sum {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        let mut hasher = DefaultHasher::new();
        (key, value).hash(&mut hasher);
        self.keys += 1;
        self.hash = self.hash.wrapping_add(hasher.finish());
    }
}

/// Checks the store, mends what can be mended and counts this start.
pub(super) fn check(db: &Db) -> io::Result<Report> {
    let mut report = Report::default();
    let mut expected: BTreeMap<u8, Sum> = BTreeMap::new();
    let mut statuses = [0_u64; TaskStatus::ALL.len()];
    for entry in db.scan_prefix([keys::TASK]) {
        let (key, bytes) = entry?;
        let task = match record::decode::<Task>(&bytes) {
            Ok(task) if keys::task(task.id) == key.as_ref() => task,
            Ok(_) => {
                set_aside(db, &key, &bytes, "it lies under another task's key", &mut report)?;
                continue;
            }
            Err(error) => {
                set_aside(db, &key, &bytes, &error.to_string(), &mut report)?;
                continue;
            }
        };
        report.tasks += 1;
        statuses[task.status() as usize] += 1;
        for (key, value) in keys::index_entries(&task) {
            expected.entry(key[0]).or_default().add(&key, &value);
        }
    }
    for (prefix, name) in keys::INDEXES {
        let mut found = Sum::default();
        for entry in db.scan_prefix([prefix]) {
            let (key, value) = entry?;
            found.add(&key, &value);
        }
        if found != expected.remove(&prefix).unwrap_or_default() {
            rebuild(db, prefix)?;
            report.rebuilt.push(name.to_owned());
        }
    }
    for status in TaskStatus::ALL {
        db.insert(keys::status_count(status), &statuses[status as usize].to_be_bytes())?;
    }
    report.epoch = count_start(db)?;
    Ok(report)
}

fn count_start(db: &Tree) -> io::Result<u64> {
    let key = keys::meta("epoch");
    let epoch = 1 + db.get(&key)?.map_or(0, |bytes| super::txn::read_counter(&bytes));
    db.insert(key, &epoch.to_be_bytes())?;
    Ok(epoch)
}

fn set_aside(db: &Tree, key: &[u8], bytes: &[u8], why: &str, report: &mut Report) -> io::Result<()> {
    let mut batch = sled::Batch::default();
    batch.insert(keys::set_aside(key), bytes);
    batch.remove(key);
    db.apply_batch(batch)?;
    let name = keys::last_task(key).map_or_else(|| format!("{key:02x?}"), |id| id.to_string());
    report.set_aside.push(format!("{name}: {why}"));
    Ok(())
}

fn rebuild(db: &Tree, prefix: u8) -> io::Result<()> {
    let mut batch = sled::Batch::default();
    let mut size = 0;
    let mut flush = |batch: &mut sled::Batch, last: bool| -> io::Result<()> {
        size += 1;
        if size >= BATCH || last {
            db.apply_batch(std::mem::take(batch))?;
            size = 0;
        }
        Ok(())
    };
    for key in db.scan_prefix([prefix]).keys() {
        batch.remove(key?);
        flush(&mut batch, false)?;
    }
    flush(&mut batch, true)?;
    for entry in db.scan_prefix([keys::TASK]) {
        if let Ok(task) = record::decode::<Task>(&entry?.1) {
            for (key, value) in keys::index_entries(&task).into_iter().filter(|(key, _)| key[0] == prefix) {
                batch.insert(key, value);
                flush(&mut batch, false)?;
            }
        }
    }
    flush(&mut batch, true)
}
