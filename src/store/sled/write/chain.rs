//! Successors are informed: an end that a task's facts keep is passed to each successor in the change that takes
//! the successor's step, so that each is informed once, wherever the process dies.

use crate::{
    domain::{Millis, facts::Task, ids::TaskId, step::Step},
    store::{
        Informed, StoreError, SuccessorDecision, chain,
        sled::{
            engine::{keys, txn::Txn},
            write::{apply, writer::Writer},
        },
    },
};

/// A task before its step, and the step.
type Taken = (Task, Step);

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

impl Writer {
    /// Informs `most` successors of ends that they do not know yet, in the order of the ids of the tasks.
    pub(crate) fn inform_successors(
        &mut self,
        most: usize,
        decide: &mut SuccessorDecision,
    ) -> Result<Informed, StoreError> {
        let mut informed = Informed::default();
        let mut left = most;
        while left > 0 {
            let first = Txn::new(&self.tree, &self.group).prefixed(&[keys::UNTOLD], 1)?.pop();
            let Some((key, id)) = first.and_then(|key| keys::last_task(&key).map(|id| (key, id))) else {
                return Ok(informed);
            };
            let now = (self.now)();
            match self.in_txn(|txn| tell_part(txn, id, left, now, decide)) {
                Ok((count, taken)) => {
                    left = left.saturating_sub(count.max(1));
                    for (before, step) in taken {
                        self.activity.add_step(&before, &step);
                        informed.steps.push(step);
                    }
                }
                Err(error) => {
                    tracing::error!(task = %id, %error, "the end of an occurrence cannot be passed to the tasks after it");
                    self.group.insert(key, None);
                    self.quarantine(&keys::task(id))?;
                }
            }
        }
        informed.more = true;
        Ok(informed)
    }
}

/// Tells the oldest end of a task to `most` successors. Returns the number of successors looked at.
fn tell_part(
    txn: &mut Txn<'_>,
    id: TaskId,
    most: usize,
    now: Millis,
    decide: &mut SuccessorDecision,
) -> Result<(usize, Vec<Taken>), StoreError> {
    let old = apply::read_task(txn, id)?;
    let Some(untold) = old.facts.untold.first().cloned() else {
        txn.remove(keys::untold(id));
        return Ok((0, Vec::new()));
    };
    let prefix = keys::followers(id);
    let from =
        untold.told_to.map_or_else(|| prefix.clone(), |last| [&keys::follower(id, last)[..], &[0]].concat());
    let found = txn.keys(from..keys::after_prefix(&prefix), most)?;
    let mut taken = Vec::new();
    for successor in found.iter().filter_map(|key| keys::last_task(key)) {
        // A record that does not verify is the scrub's concern.
        let Ok(before) = apply::read_task(txn, successor) else { continue };
        match decide(&before, &untold.end, now) {
            Ok(step) if step.task == before && step.rows.is_empty() => {}
            Ok(step) => {
                apply::step(txn, &before, &step)?;
                taken.push((before, step));
            }
            Err(error) => tracing::error!(task = %successor, %error, "a task cannot follow its predecessor"),
        }
    }
    let mut new = old.clone();
    new.facts.informed(found.len() < most, found.last().and_then(|key| keys::last_task(key)));
    apply::write_task(txn, Some(&old), &new)?;
    Ok((found.len(), taken))
}
