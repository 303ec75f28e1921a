//! Chains: the checks of predecessors, and the ends that are kept for successors.

use crate::{
    domain::{facts::Task, ids::TaskId, step::Step},
    store::{
        StoreError, chain,
        sled::{
            engine::{keys, txn::Txn},
            write::apply,
        },
    },
};

/// Checks the predecessor of a task that is new or changed.
pub(crate) fn check(txn: &Txn<'_>, task: &Task) -> Result<(), StoreError> {
    chain::check(task, |id| txn.record(&keys::task(id)))
}

/// Keeps the ends in a step for the successors of its task, if it has any.
pub(crate) fn keep_ends(txn: &Txn<'_>, step: &mut Step) -> Result<(), StoreError> {
    if !step.ended.is_empty() && !txn.prefixed(&keys::followers(step.task.id), 1)?.is_empty() {
        step.keep_ends();
    }
    Ok(())
}

/// Refuses the deletion of a task that others follow.
pub(crate) fn ensure_unfollowed(txn: &Txn<'_>, id: TaskId) -> Result<(), StoreError> {
    let Some(key) = txn.prefixed(&keys::followers(id), 1)?.pop() else { return Ok(()) };
    let successor = keys::last_task(&key).map(|id| apply::read_task(txn, id));
    match successor {
        Some(Ok(task)) => Err(StoreError::Followed(task.definition.name)),
        _ => Ok(()),
    }
}
