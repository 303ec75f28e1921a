//! Repairs: a record that does not verify is quarantined, an index that differs is rebuilt.

use serde_json::Value;

use crate::{
    domain::{
        access::{record::TokenRecord, session::Session},
        activity::Bucket,
        alerts::Delivery,
        binding::Binding,
        execution::Execution,
        facts::Task,
    },
    store::{
        Audit, Entry, FinishedStep, Runs, StoreError,
        sled::{
            engine::{
                audit, keys, record, rows,
                txn::{Txn, backend},
            },
            write::state,
        },
    },
};

/// Tasks or entries per part.
const PART: usize = 256;

/// Moves a record that does not verify into quarantine, under its former key: an execution together with
/// its output, a piece of output together with the rest of its chunk.
pub(crate) fn quarantine(txn: &mut Txn<'_>, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
    txn.put(keys::quarantine(key), bytes.to_vec());
    txn.remove(key.to_vec());
    match (key[0], keys::task_of(key), keys::last_execution(key)) {
        (keys::EXECUTION, Some(task), Some(id)) => {
            txn.add(keys::history_count(task), -1)?;
            // The words of the row are unknown: the next scrub removes its other index entries.
            txn.remove(rows::location(id));
            quarantine_all(txn, &keys::outputs(id))
        }
        (keys::ENTRY, ..) => match keys::entry_of(key) {
            // A start rebuilds an account that is damaged too.
            Some((owner, name)) => state::uncount(txn, owner, state::size_of(name, bytes)).or(Ok(())),
            None => Ok(()),
        },
        (keys::OUTPUT, ..) => quarantine_all(txn, key.get(..21).unwrap_or(key)),
        _ => Ok(()),
    }
}

fn quarantine_all(txn: &mut Txn<'_>, prefix: &[u8]) -> Result<(), StoreError> {
    for key in txn.prefixed(prefix, usize::MAX)? {
        if let Some(bytes) = txn.get(&key)? {
            txn.put(keys::quarantine(&key), bytes.to_vec());
            txn.remove(key);
        }
    }
    Ok(())
}

/// Why the record under `key` does not verify; `None` if it verifies or does not exist.
pub(crate) fn problem(txn: &Txn<'_>, key: &[u8]) -> Result<Option<String>, StoreError> {
    let Some(bytes) = txn.get(key)? else { return Ok(None) };
    let verified = match key[0] {
        keys::TASK => record::decode::<Task>(&bytes).map(drop),
        keys::EXECUTION => record::decode::<Execution>(&bytes).map(drop),
        keys::OUTPUT => record::payload(&bytes).map(drop),
        keys::AUDIT | keys::VALUE => record::decode::<Value>(&bytes).map(drop),
        keys::ENTRY => record::decode::<Entry>(&bytes).map(drop),
        keys::STEP => record::decode::<FinishedStep>(&bytes).map(drop),
        keys::BINDING => record::decode::<Binding>(&bytes).map(drop),
        keys::ACTIVITY => record::decode::<Bucket>(&bytes).map(drop),
        keys::TOKEN => record::decode::<TokenRecord>(&bytes).map(drop),
        keys::SESSION => record::decode::<Session>(&bytes).map(drop),
        keys::OUTBOX => record::decode::<Delivery>(&bytes).map(drop),
        keys::PARAMS | keys::SOURCE => record::decode::<Value>(&bytes).map(drop),
        keys::VERSION => record::decode::<Runs>(&bytes).map(drop),
        _ => Ok(()),
    };
    Ok(verified.err().map(|error| error.to_string()))
}

/// The rebuilding of an index: first missing entries are added, then wrong ones removed.
pub(crate) struct IndexRepair {
    index: u8,
    /// The kind of the records that the index follows from.
    base: u8,
    range: u8,
    after: Option<Vec<u8>>,
}

impl IndexRepair {
    /// A repair of an index that follows from tasks.
    pub(crate) fn of_tasks(index: u8) -> Self {
        Self { index, base: keys::TASK, range: keys::TASK, after: None }
    }

    /// A repair of an index that follows from rows of executions.
    pub(crate) fn of_rows(index: u8) -> Self {
        Self { index, base: keys::EXECUTION, range: keys::EXECUTION, after: None }
    }

    /// A repair of an index that follows from audit records.
    pub(crate) fn of_audit(index: u8) -> Self {
        Self { index, base: keys::AUDIT, range: keys::AUDIT, after: None }
    }

    /// Repairs a part; true after the last one.
    pub(crate) fn part(&mut self, txn: &mut Txn<'_>) -> Result<bool, StoreError> {
        let from = self.after.as_ref().map_or_else(|| vec![self.range], |key| [&key[..], &[0]].concat());
        let found: Result<Vec<_>, _> =
            txn.tree().range(from..keys::after_prefix(&[self.range])).take(PART).collect();
        let found = found.map_err(backend("scan the store"))?;
        for (key, _) in &found {
            if self.range == self.base { self.add_missing(txn, key)? } else { self.remove_wrong(txn, key)? }
        }
        if let Some((key, _)) = found.last() {
            self.after = Some(key.to_vec());
            return Ok(false);
        }
        let done = self.range == self.index;
        (self.range, self.after) = (self.index, None);
        Ok(done)
    }

    fn add_missing(&self, txn: &mut Txn<'_>, record: &[u8]) -> Result<(), StoreError> {
        for (key, value) in entries(txn, record)? {
            if key[0] == self.index && txn.get(&key)?.as_deref() != Some(&value) {
                txn.put(key, value);
            }
        }
        Ok(())
    }

    fn remove_wrong(&self, txn: &mut Txn<'_>, key: &[u8]) -> Result<(), StoreError> {
        let Some(value) = txn.get(key)? else { return Ok(()) };
        let execution = |task| Some(keys::execution(task, rows::execution_of(key)?));
        let record = match self.index {
            keys::NAME => keys::last_task(&value).map(keys::task),
            keys::RUNNING => keys::task_of(key).map(keys::task),
            rows::LOCATION => keys::last_task(&value).and_then(execution),
            audit::BY_TASK => audit::place_of(key).map(audit::record),
            _ if self.base == keys::EXECUTION => {
                rows::place_of(key).map(|place| keys::execution(place.task, place.execution))
            }
            _ => keys::last_task(key).map(keys::task),
        };
        let entries = record.map_or(Ok(Vec::new()), |record| entries(txn, &record))?;
        if !entries.iter().any(|(its, right)| its == key && value == right) {
            txn.remove(key.to_vec());
        }
        Ok(())
    }
}

/// The index entries of the task, the row or the audit record under `key`; none if it is missing or does not verify.
fn entries(txn: &Txn<'_>, key: &[u8]) -> Result<Vec<keys::Entry>, StoreError> {
    if key[0] == keys::EXECUTION {
        let row = txn.get(key)?.and_then(|bytes| record::decode::<Execution>(&bytes).ok());
        let entries = row.map(|row| [rows::entries(&row), vec![rows::retention(&row)]].concat());
        return Ok(entries.unwrap_or_default());
    }
    if key[0] == keys::AUDIT {
        let found = txn.get(key)?.and_then(|bytes| record::decode::<Audit>(&bytes).ok());
        return Ok(found.map(|found| audit::entries(key, &found)).unwrap_or_default());
    }
    let task = txn.get(key)?.and_then(|bytes| record::decode::<Task>(&bytes).ok());
    Ok(task.map(|task| keys::index_entries(&task)).unwrap_or_default())
}
