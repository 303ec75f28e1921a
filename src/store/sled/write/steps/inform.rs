//! Successors are informed: an end that a task's facts keep is passed to each successor in the change that
//! takes the successor's step, so that each is informed once, wherever the process dies.

use super::{Beside, Taken, take};
use crate::{
    domain::{Millis, ids::TaskId},
    store::{
        Informed, StoreError, SuccessorDecision,
        sled::{
            engine::{keys, txn::Txn},
            write::{apply, writer::Writer},
        },
    },
};

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
            match self.in_txn(|txn| inform_part(txn, id, left, now, decide)) {
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

/// Informs `most` successors of the oldest end of a task. Returns the number of successors looked at.
fn inform_part(
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
        match take(txn, before, |before| decide(before, &untold.end, now), Beside::default()) {
            Ok((before, step)) if step.task == before && step.rows.is_empty() => {}
            Ok(step) => taken.push(step),
            Err(StoreError::Refused(error)) => {
                tracing::error!(task = %successor, %error, "a task cannot follow its predecessor");
            }
            Err(error) => return Err(error),
        }
    }
    let mut new = old.clone();
    new.facts.informed(found.len() < most, found.last().and_then(|key| keys::last_task(key)));
    apply::write_task(txn, Some(&old), &new)?;
    Ok((found.len(), taken))
}
