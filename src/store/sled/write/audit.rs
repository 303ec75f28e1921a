//! Writes of the audit.

use crate::{
    domain::{Millis, facts::Task},
    store::{
        Audit, AuditPlace, StoreError,
        sled::engine::{audit, keys, record, txn::Txn},
    },
};

/// Adds a record under the next number.
pub(crate) fn add(txn: &mut Txn<'_>, record: &Audit) -> Result<(), StoreError> {
    let number = txn.add(keys::meta("audit"), 1)?;
    let key = audit::record(AuditPlace { time: record.time, number });
    for (key, value) in audit::entries(&key, record) {
        txn.put(key, value);
    }
    txn.put_record(key, record)
}

/// Adds the record of a step: the given one with the fields that the step has changed, or that of a step
/// that no request has asked for.
pub(crate) fn add_step(
    txn: &mut Txn<'_>,
    given: Option<&Audit>,
    old: &Task,
    new: &Task,
) -> Result<(), StoreError> {
    if let Some(given) = given {
        return if old.definition == new.definition {
            add(txn, given)
        } else {
            add(txn, &given.clone().with_changes(&old.definition, &new.definition))
        };
    }
    Audit::of_step(old, new).map_or(Ok(()), |record| add(txn, &record))
}

/// Removes a part of the records from before a time: the number removed.
pub(crate) fn remove(txn: &mut Txn<'_>, before: Millis, most: usize) -> Result<u64, StoreError> {
    let found = txn.keys(keys::before(keys::AUDIT, before), most)?;
    for key in &found {
        // The entry of a record that does not decode is removed by the next scrub.
        let bytes = txn.get(key)?;
        if let Some(found) = bytes.and_then(|bytes| record::decode::<Audit>(&bytes).ok()) {
            audit::entries(key, &found).into_iter().for_each(|(entry, _)| txn.remove(entry));
        }
        txn.remove(key.clone());
    }
    Ok(found.len() as u64)
}
