//! Writes of texts that are kept beside the history: long parameters of runs, and sources that were run.

use crate::{
    domain::{draft::KEPT_APART, ids::TaskId, step::Step},
    store::{
        KEPT_VERSIONS, Runs, StoreError, VersionNote,
        sled::engine::{record, rows, txn::Txn},
    },
};

/// Keeps the long parameters of the attempts that a step starts.
pub(crate) fn params(txn: &mut Txn<'_>, step: &Step) -> Result<(), StoreError> {
    for start in &step.start {
        let row = step.rows.iter().find(|row| row.id == start.execution);
        let Some((row, hash)) = row.and_then(|row| Some((row, row.params_hash.as_ref()?))) else { continue };
        let kept = txn.prefixed(&rows::task_params(start.task), usize::MAX)?;
        if kept.iter().any(|key| rows::hash_of(key) == Some(hash)) {
            continue;
        }
        let surplus = (kept.len() + 1).saturating_sub(KEPT_APART);
        kept.into_iter().take(surplus).for_each(|key| txn.remove(key));
        txn.put_record(rows::params(start.task, row.created_at, hash), start.params())?;
    }
    Ok(())
}

/// Removes the long parameters of a deleted task.
pub(crate) fn remove_params(txn: &mut Txn<'_>, task: TaskId) -> Result<(), StoreError> {
    for key in txn.prefixed(&rows::task_params(task), usize::MAX)? {
        txn.remove(key);
    }
    Ok(())
}

/// Adds runs to a version of a handler, and keeps its source.
pub(crate) fn version(txn: &mut Txn<'_>, note: &VersionNote) -> Result<(), StoreError> {
    let VersionNote { handler, hash, source, runs } = note;
    let key = rows::version(handler, hash);
    // A version whose record is damaged begins anew.
    let earlier = txn.get(&key)?.and_then(|bytes| record::decode::<Runs>(&bytes).ok());
    if earlier.is_none() {
        make_room(txn, handler)?;
    }
    txn.put_record(key, &earlier.map_or(*runs, |earlier| earlier.and(*runs)))?;
    match source {
        Some(text) => txn.put_record(rows::source_of(hash, handler), text),
        None => Ok(()),
    }
}

fn make_room(txn: &mut Txn<'_>, handler: &str) -> Result<(), StoreError> {
    let kept = txn.prefixed(&rows::versions(handler), usize::MAX)?;
    let surplus = (kept.len() + 1).saturating_sub(KEPT_VERSIONS);
    if surplus == 0 {
        return Ok(());
    }
    let mut by_age = Vec::new();
    for key in kept {
        let runs = txn.get(&key)?.and_then(|bytes| record::decode::<Runs>(&bytes).ok());
        by_age.push((runs.map(|runs| runs.last_seen), key));
    }
    by_age.sort();
    for (_, key) in by_age.into_iter().take(surplus) {
        if let Some((handler, hash)) = rows::version_of(&key) {
            txn.remove(rows::source_of(&hash, handler));
        }
        txn.remove(key);
    }
    Ok(())
}
