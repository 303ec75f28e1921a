//! The first half of each operation: its decision, its answer and its writes.

use std::cmp::Reverse;

use serde_json::Value;

use super::{
    disk::{Data, Operation, Prepared, Write},
    identity::Identity,
};
use crate::{
    domain::{
        Millis,
        activity::Tally,
        alerts::Delivery,
        binding::Binding,
        execution::ExecutionStatus,
        facts::Task,
        ids::TaskId,
        step::{Refused, Step},
    },
    store::{
        AccessChange, Audit, Claimed, Decision, Edit, Edited, Entry, Fence, FinishedStep, Informed, Now,
        Output, Owner, Removal, Rewriting, RunNote, StateError, StoreError, SuccessorDecision, VersionNote,
        access::{ensure_names_differ, gives_names},
        audit::REMOVED_AT_ONCE,
        bindings::rewritten,
        chain,
        copy::KeptParams,
        state::{self, Account, Outcome},
    },
};

/// Rows removed at once at most.
const PART: usize = 64;

pub(crate) fn create(task: Task, audit: Option<Audit>) -> Operation<()> {
    Box::new(move |data| {
        ensure_free(data, &task.definition.name)?;
        chain::check(&task, |id| Ok(data.tasks.get(&id).cloned()))?;
        let writes = [Write::Task(Box::new(task))].into_iter().chain(audit.map(Write::Audit));
        Ok(Prepared { answer: (), writes: writes.collect() })
    })
}

pub(crate) fn change(
    identity: Identity,
    now: Now,
    task: TaskId,
    mut decide: Decision,
    output: Option<Output>,
    audit: Option<Audit>,
) -> Operation<Step> {
    Box::new(move |data| {
        let old = data.tasks.get(&task).ok_or(StoreError::NotFound)?;
        let now = now();
        let mut step = decide(old, now)?;
        identity.ensure_own(data, old, &step)?;
        if old.definition.after != step.task.definition.after {
            chain::check(&step.task, |id| Ok(data.tasks.get(&id).cloned()))?;
        }
        if followers(data, task, None).next().is_some() {
            step.keep_ends();
        }
        if old.definition.name != step.task.definition.name {
            ensure_free(data, &step.task.definition.name)?;
        }
        // Write output before the step: the step may remove the output's row.
        let mut writes: Vec<_> = output.map(Write::Output).into_iter().collect();
        writes.extend(identity.assign(data, &mut step));
        writes.extend(step_writes(old, &step, now));
        let (before, after) = (&old.definition, &step.task.definition);
        let of_step = || Audit::of_step(old, &step.task);
        let audit = audit.map(|audit| audit.with_changes(before, after)).or_else(of_step);
        writes.extend(audit.map(Write::Audit));
        Ok(Prepared { answer: step, writes })
    })
}

pub(crate) fn claim(
    identity: Identity,
    now: Now,
    ahead: Millis,
    most: usize,
    mut decide: Decision,
) -> Operation<Claimed> {
    Box::new(move |data| {
        let until = now().saturating_add(ahead);
        let mut due: Vec<_> = data.due().filter(|(due, _)| *due <= until).collect();
        due.sort_unstable_by_key(|(due, id)| {
            (Reverse(data.tasks.get(id).map(|task| task.definition.priority)), *due, *id)
        });
        let mut steps = Vec::new();
        let mut writes = Vec::new();
        for (due, id) in due.into_iter().take(most) {
            let Some(old) = data.tasks.get(&id) else { continue };
            let now = now();
            match decide(old, now) {
                // The step changes nothing: claiming the task again would be a hot loop.
                Ok(step) if step.task.due() == Some(due) && step.start.is_empty() => {
                    writes.push(Write::HoldBack(id));
                }
                Ok(mut step) => {
                    writes.extend(identity.assign(data, &mut step));
                    writes.extend(step_writes(old, &step, now));
                    writes.extend(Audit::of_step(old, &step.task).map(Write::Audit));
                    steps.push(step);
                }
                Err(Refused::NotYet) => {}
                Err(_) => writes.push(Write::HoldBack(id)),
            }
        }
        Ok(Prepared { answer: Claimed { steps, until }, writes })
    })
}

/// Informs the successors of the first task that has an end to pass on of its oldest end.
pub(crate) fn inform_successors(
    identity: Identity,
    now: Now,
    most: usize,
    mut decide: SuccessorDecision,
) -> Operation<Informed> {
    Box::new(move |data| {
        let with_ends = data.tasks.values().filter(|task| !task.facts.untold.is_empty());
        let Some(old) = with_ends.clone().next().filter(|_| most > 0) else {
            return Ok(Prepared { answer: Informed::default(), writes: Vec::new() });
        };
        let untold = &old.facts.untold[0];
        let (mut steps, mut writes) = (Vec::new(), Vec::new());
        let found: Vec<_> = followers(data, old.id, untold.told_to).take(most).collect();
        for successor in &found {
            let now = now();
            if let Ok(mut step) = decide(successor, &untold.end, now)
                && (step.task != **successor || !step.rows.is_empty())
            {
                writes.extend(identity.assign(data, &mut step));
                writes.extend(step_writes(successor, &step, now));
                steps.push(step);
            }
        }
        let mut new = old.clone();
        new.facts.informed(found.len() < most, found.last().map(|task| task.id));
        let more = with_ends.count() > 1 || !new.facts.untold.is_empty();
        writes.push(Write::Task(Box::new(new)));
        Ok(Prepared { answer: Informed { steps, more }, writes })
    })
}

/// The tasks that run after one, in the order of their ids, behind `last`.
fn followers(data: &Data, task: TaskId, last: Option<TaskId>) -> impl Iterator<Item = &Task> {
    let after = move |other: &&Task| other.definition.after.is_some_and(|after| after.task_id == task);
    data.tasks.values().filter(after).filter(move |other| last.is_none_or(|last| other.id > last))
}

pub(crate) fn append(identity: Identity, output: Output) -> Operation<()> {
    Box::new(move |data| {
        identity.ensure_says(data, output.execution)?;
        Ok(Prepared { answer: (), writes: vec![Write::Output(output)] })
    })
}

pub(crate) fn delete(task: TaskId, audit: Option<Audit>) -> Operation<Task> {
    Box::new(move |data| {
        let old = data.tasks.get(&task).ok_or(StoreError::NotFound)?;
        if !old.facts.running.is_empty() {
            return Err(StoreError::InProgress(old.facts.running.iter().map(|r| r.execution).collect()));
        }
        if let Some(successor) = followers(data, task, None).next() {
            return Err(StoreError::Followed(successor.definition.name.clone()));
        }
        let writes = [Write::RemoveTask(task)].into_iter().chain(audit.map(Write::Audit));
        Ok(Prepared { answer: old.clone(), writes: writes.collect() })
    })
}

pub(crate) fn count_history(before: Millis) -> Operation<Removal> {
    Box::new(move |data| {
        let answer = Removal {
            executions: old_rows(data, before).count() as u64,
            audit: old_audits(data, before).count() as u64,
        };
        Ok(Prepared { answer, writes: Vec::new() })
    })
}

/// Removes a part of the old history; answers zeros when none is left.
pub(crate) fn remove_history(before: Millis) -> Operation<Removal> {
    Box::new(move |data| {
        let mut writes: Vec<_> = old_rows(data, before).take(PART).collect();
        let executions = writes.len() as u64;
        writes.extend(old_audits(data, before));
        Ok(Prepared { answer: Removal { executions, audit: writes.len() as u64 - executions }, writes })
    })
}

pub(crate) fn add_audit(audit: Audit) -> Operation<()> {
    Box::new(move |_| Ok(Prepared { answer: (), writes: vec![Write::Audit(audit)] }))
}

pub(crate) fn remove_audits(before: Millis) -> Operation<u64> {
    Box::new(move |data| {
        let writes: Vec<_> = old_audits(data, before).take(REMOVED_AT_ONCE).collect();
        Ok(Prepared { answer: writes.len() as u64, writes })
    })
}

fn old_audits(data: &Data, before: Millis) -> impl Iterator<Item = Write> {
    data.audit.keys().take_while(move |place| place.time < before).map(|place| Write::RemoveAudit(*place))
}

pub(crate) fn rewrite(now: Now, mut decide: Rewriting, audit: Option<Audit>) -> Operation<Vec<Binding>> {
    Box::new(move |data| {
        let changes = decide(&data.bindings, now())?;
        let bindings = rewritten(data.bindings.clone(), &changes);
        let writes = [Write::Bindings(bindings.clone())].into_iter().chain(audit.map(Write::Audit)).collect();
        Ok(Prepared { answer: bindings, writes })
    })
}

pub(crate) fn change_access(changes: Vec<AccessChange>, audit: Option<Audit>) -> Operation<()> {
    Box::new(move |data| {
        if gives_names(&changes) {
            ensure_names_differ(data.tokens.values().cloned(), &changes)?;
        }
        let writes = changes.into_iter().map(Write::Access).chain(audit.map(Write::Audit)).collect();
        Ok(Prepared { answer: (), writes })
    })
}

pub(crate) fn note_version(note: VersionNote) -> Operation<()> {
    Box::new(move |_| Ok(Prepared { answer: (), writes: vec![Write::Version(note)] }))
}

pub(crate) fn change_values(changes: Vec<(String, Option<Value>)>, audit: Option<Audit>) -> Operation<()> {
    Box::new(move |_| {
        let writes = changes.into_iter().map(|(key, value)| Write::Value(key, value));
        Ok(Prepared { answer: (), writes: writes.chain(audit.map(Write::Audit)).collect() })
    })
}

pub(crate) fn edit(identity: Identity, now: Now, edit: Edit) -> Operation<Edited> {
    Box::new(move |data| {
        match (edit.fence, edit.owner) {
            (Some(fence), _) => ensure_in_progress(&identity, data, fence)?,
            (None, Owner::Task(task)) if !data.tasks.contains_key(&task) => return Err(StoreError::NotFound),
            (None, _) => {}
        }
        let now = now();
        let version = data.versions.get(&edit.owner).copied().unwrap_or_default();
        let mut account = Account { version, ..Account::default() };
        for (key, entry) in
            data.entries_of(edit.owner).filter(|(key, entry)| entry.is_live(now) || **key == edit.key)
        {
            account.entries += 1;
            account.bytes += size_of(key, entry);
        }
        let old = data.entries.get(&(edit.owner, edit.key.clone()));
        let mut writes = vec![Write::Expire(now)];
        let answer =
            match state::decide(&edit, old.map(|entry| (entry, size_of(&edit.key, entry))), account, now)? {
                Err(unchanged) => unchanged,
                Ok(Outcome { account, entry }) => {
                    let answer = entry.clone().map_or(Edited::Removed, Edited::Set);
                    writes.extend(edit.audit_of(old, entry.as_ref()).map(Write::Audit));
                    writes.push(Write::Entry(edit.owner, edit.key, entry, account.version));
                    answer
                }
            };
        Ok(Prepared { answer, writes })
    })
}

pub(crate) fn finish_step(
    identity: Identity,
    fence: Fence,
    scheduled_for: Millis,
    step: FinishedStep,
) -> Operation<()> {
    Box::new(move |data| {
        ensure_in_progress(&identity, data, fence)?;
        Ok(Prepared { answer: (), writes: vec![Write::Step(fence.task, scheduled_for, step)] })
    })
}

pub(crate) fn note_run(identity: Identity, fence: Fence, note: RunNote) -> Operation<()> {
    Box::new(move |data| {
        ensure_in_progress(&identity, data, fence)?;
        let row = data.rows.get(&(fence.task, fence.execution)).ok_or(StoreError::NotFound)?;
        let row = note.put_into(row.clone());
        Ok(Prepared { answer: (), writes: vec![Write::Row(Box::new(row))] })
    })
}

fn ensure_in_progress(identity: &Identity, data: &Data, fence: Fence) -> Result<(), StoreError> {
    identity.ensure_runs(data, fence.execution)?;
    let task = data.tasks.get(&fence.task);
    let holds =
        task.is_some_and(|task| task.facts.running.iter().any(|run| run.execution == fence.execution));
    if holds { Ok(()) } else { Err(StateError::NotRunning(fence.execution).into()) }
}

fn size_of(key: &str, entry: &Entry) -> u64 {
    state::size(key, serde_json::to_vec(entry).map_or(0, |json| json.len()))
}

fn ensure_free(data: &Data, name: &str) -> Result<(), StoreError> {
    if data.tasks.values().any(|task| task.definition.name == name) {
        return Err(StoreError::NameTaken(name.to_owned()));
    }
    Ok(())
}

fn step_writes(old: &Task, step: &Step, now: Millis) -> Vec<Write> {
    let mut writes = vec![Write::Task(Box::new(step.task.clone()))];
    let ended = old.facts.ended_by(&step.task.facts);
    writes.extend(ended.into_iter().map(|time| Write::RemoveSteps(old.id, time)));
    writes.extend(step.rows.iter().map(|row| Write::Row(Box::new(row.clone()))));
    let alerts = step.alerts.iter().map(|alert| Delivery::new(alert.clone()));
    writes.extend(alerts.map(|delivery| Write::Delivery(Box::new(delivery))));
    for start in &step.start {
        let row = step.rows.iter().find(|row| row.id == start.execution);
        if let Some((time, hash)) = row.and_then(|row| Some((row.created_at, row.params_hash.clone()?))) {
            writes.push(Write::Params(KeptParams {
                task: start.task,
                time,
                hash,
                params: start.params().clone(),
            }));
        }
    }
    if !step.rows.is_empty() {
        writes.push(Write::Prune(step.task.id));
    }
    let mut tally = Box::new(Tally::default());
    tally.add_step(old, step);
    if !tally.is_empty() {
        writes.push(Write::Activity(now, tally));
    }
    writes
}

fn old_rows(data: &Data, before: Millis) -> impl Iterator<Item = Write> {
    let old = data
        .rows
        .values()
        .filter(move |row| row.created_at < before && row.status != ExecutionStatus::Running);
    old.map(|row| Write::RemoveRow(row.task_id, row.id))
}
