//! Taking a copy into an empty store. A mark in the store says that it is not complete.

use crate::store::{
    StoreError,
    copy::Record,
    sled::{
        engine::{keys, txn::Txn},
        write::apply,
    },
};

/// Kinds of which there is nothing in an empty store.
const KINDS: [u8; 6] =
    [keys::TASK, keys::EXECUTION, keys::OUTPUT, keys::AUDIT, keys::VALUE, keys::QUARANTINE];
/// Keys removed per commit when it is given up.
const AT_ONCE: usize = 4096;

/// There while a part of a copy is in the store.
pub(crate) fn marker() -> Vec<u8> {
    keys::meta("importing")
}

/// Takes in some records, after the rest of a task's the next task's.
pub(crate) fn records(txn: &mut Txn<'_>, records: &[Record]) -> Result<(), StoreError> {
    if txn.get(&marker())?.is_none() {
        for kind in KINDS {
            if !txn.prefixed(&[kind], 1)?.is_empty() {
                return Err(StoreError::NotEmpty);
            }
        }
        txn.put(marker(), Vec::new());
    }
    records.iter().try_for_each(|record| take_in(txn, record))
}

fn take_in(txn: &mut Txn<'_>, record: &Record) -> Result<(), StoreError> {
    match record {
        Record::Task(task) => {
            absent(txn, &keys::task(task.id), || task.id.to_string())?;
            apply::create(txn, task)
        }
        Record::Execution(row) => {
            absent(txn, &keys::execution(row.task_id, row.id), || row.id.to_string())?;
            apply::write_row(txn, row)
        }
        Record::Output(output) => {
            let (id, chunk) = (output.execution, output.chunk);
            absent(txn, &keys::output(id, chunk, 0), || format!("piece {chunk} of the output of {id}"))?;
            apply::append(txn, output)
        }
        Record::Audit(audit) => apply::audit(txn, audit),
        Record::Value { key, value } => {
            absent(txn, &keys::value(key), || format!("the value \"{key}\""))?;
            txn.put_record(keys::value(key), value)
        }
        Record::Quarantine(found) => {
            let mut key = keys::quarantine(&found.key);
            // What lay at one place at two times.
            while txn.get(&key)?.is_some() {
                key.push(0);
            }
            txn.put(key, found.bytes.clone());
            Ok(())
        }
    }
}

fn absent(txn: &Txn<'_>, key: &[u8], what: impl Fn() -> String) -> Result<(), StoreError> {
    match txn.get(key)? {
        Some(_) => Err(StoreError::Backend { doing: "import", why: format!("{} is there twice", what()) }),
        None => Ok(()),
    }
}

/// From now on the store is like any other.
pub(crate) fn complete(txn: &mut Txn<'_>) -> Result<(), StoreError> {
    txn.remove(marker());
    Ok(())
}

/// Removes a part of what came in; whether there is more.
pub(crate) fn abandon(txn: &mut Txn<'_>) -> Result<bool, StoreError> {
    if txn.get(&marker())?.is_none() {
        return Ok(false);
    }
    // Pieces go with their values; the last range is for those that have lost theirs.
    let piece = vec![keys::PIECE];
    for range in [
        Vec::new()..vec![keys::META],
        keys::after_prefix(&[keys::META])..piece.clone(),
        keys::after_prefix(&piece)..vec![u8::MAX; 64],
        piece.clone()..keys::after_prefix(&piece),
    ] {
        let keys = txn.keys(range, AT_ONCE)?;
        if !keys.is_empty() {
            keys.into_iter().for_each(|key| txn.remove(key));
            return Ok(true);
        }
    }
    txn.remove(marker());
    Ok(false)
}
