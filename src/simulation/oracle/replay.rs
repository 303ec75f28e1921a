//! Replay: a step taken again, which must come out the same.

use std::collections::BTreeSet;

use ulid::Ulid;

use crate::domain::{
    Millis,
    execution::Reason,
    facts::Task,
    ids::ExecutionId,
    step::{self, Input, Policy, Refused, Step},
};

/// The inputs of a decision besides the task.
#[derive(Debug, Clone)]
pub(crate) struct Circumstances {
    pub(crate) now: Millis,
    pub(crate) roll: f64,
    pub(crate) policy: Policy,
    /// Whether the executions of an earlier process are being closed.
    pub(crate) recovering: bool,
    /// Whether the clock was set between the scheduler's call and the decision.
    pub(crate) set_meanwhile: bool,
}

/// The execution of a manual run that a step has added.
pub(super) fn by_hand(before: &Task, after: &Task) -> Option<ExecutionId> {
    let known = executions(before);
    let waiting = after.facts.waiting.iter().filter(|w| w.occurrence.by_hand).map(|w| w.execution);
    let running = after.facts.running.iter().filter(|r| r.occurrence.by_hand).map(|r| r.execution);
    waiting.chain(running).find(|id| !known.contains(id))
}

fn executions(task: &Task) -> BTreeSet<ExecutionId> {
    let facts = &task.facts;
    let skips = facts.running.iter().filter_map(|r| r.skipped.as_ref()).map(|skip| skip.execution);
    let waiting = facts.waiting.iter().map(|w| w.execution);
    facts.running.iter().map(|r| r.execution).chain(waiting).chain(skips).collect()
}

/// Adds the ids of occurrences that began to wait in a step and were dropped in it, after the last of the task's runs.
/// They came just before that of their row; nothing else has them.
fn add_dropped(new: &mut Vec<ExecutionId>, before: &Task, step: &Step) {
    let Some(row) = step.rows.iter().find(|row| row.reason == Some(Reason::Ended)) else { return };
    let kept = |id: ExecutionId| {
        step.rows.iter().any(|row| row.id == id) || step.task.facts.waiting.iter().any(|w| w.execution == id)
    };
    let old = before.facts.waiting.iter().filter(|waiting| !kept(waiting.execution)).count();
    let dropped = usize::try_from(row.skipped_count.unwrap_or(0)).unwrap_or(usize::MAX).saturating_sub(old);
    let at = new.iter().position(|id| *id == row.id).unwrap_or(new.len());
    new.splice(at..at, std::iter::repeat_n(ExecutionId(Ulid::nil()), dropped));
}

/// Takes the same step again.
pub(super) fn replay(
    before: &Task,
    input: &Input,
    result: &Result<Step, Refused>,
    now: Millis,
    Circumstances { roll, policy, .. }: &Circumstances,
) -> Result<Step, Refused> {
    // New ids are made in ascending order, so they can be handed out in order again.
    let mut new: BTreeSet<ExecutionId> = BTreeSet::new();
    if let Ok(step) = result {
        new.extend(executions(&step.task));
        new.extend(step.rows.iter().map(|row| row.id));
        new.extend(step.alerts.iter().map(|alert| ExecutionId(alert.id.0)));
        let known = executions(before);
        new.retain(|id| !known.contains(id));
        if let Input::RunByHand { execution, .. } = input {
            new.remove(execution);
        }
    }
    let mut new: Vec<_> = new.into_iter().collect();
    if let Ok(step) = result {
        add_dropped(&mut new, before, step);
    }
    let mut new = new.into_iter();
    let mut new_id = || new.next().expect("no more ids than the step used");
    before.step(
        input.clone(),
        &mut step::Circumstances { now, roll: roll * 2.0 - 1.0, new_id: &mut new_id, policy: policy.clone() },
    )
}
