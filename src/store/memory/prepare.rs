//! What each operation decides, answers and writes.

use serde_json::Value;

use super::disk::{Data, Write};
use crate::{
    domain::{
        Millis,
        execution::ExecutionStatus,
        facts::Task,
        ids::TaskId,
        step::{Refused, Step},
    },
    store::{Audit, Claimed, Decision, Now, Output, Removal, StoreError},
};

/// How many rows one step of a removal takes.
const PART: usize = 64;

/// The first half of an operation.
pub(crate) type Operation<T> = Box<dyn FnOnce(&Data) -> Result<Prepared<T>, StoreError> + Send>;

/// What an operation is to write, and what it answers once that is done.
pub(crate) struct Prepared<T> {
    pub(crate) answer: T,
    pub(crate) writes: Vec<Write>,
}

pub(crate) fn create(task: Task, audit: Option<Audit>) -> Operation<()> {
    Box::new(move |data| {
        is_free(data, &task.definition.name)?;
        let writes = [Write::Task(Box::new(task))].into_iter().chain(audit.map(Write::Audit));
        Ok(Prepared { answer: (), writes: writes.collect() })
    })
}

pub(crate) fn change(
    now: Now,
    task: TaskId,
    mut decide: Decision,
    output: Option<Output>,
    audit: Option<Audit>,
) -> Operation<Step> {
    Box::new(move |data| {
        let old = data.tasks.get(&task).ok_or(StoreError::NotFound)?;
        let step = decide(old, now())?;
        if old.definition.name != step.task.definition.name {
            is_free(data, &step.task.definition.name)?;
        }
        // Output before the step, which may remove the row that it belongs to.
        let mut writes: Vec<_> = output.map(Write::Output).into_iter().collect();
        writes.extend(follows(&step));
        writes.extend(audit.map(Write::Audit));
        Ok(Prepared { answer: step, writes })
    })
}

pub(crate) fn claim(now: Now, ahead: Millis, most: usize, mut decide: Decision) -> Operation<Claimed> {
    Box::new(move |data| {
        let until = now().saturating_add(ahead);
        let mut due: Vec<_> = data.due().filter(|(due, _)| *due <= until).collect();
        due.sort_unstable();
        let mut steps = Vec::new();
        let mut writes = Vec::new();
        for (due, id) in due.into_iter().take(most) {
            let Some(old) = data.tasks.get(&id) else { continue };
            match decide(old, now()) {
                // Deciding changed nothing: asking again would be a hot loop.
                Ok(step) if step.task.due() == Some(due) && step.start.is_empty() => {
                    writes.push(Write::HoldBack(id));
                }
                Ok(step) => {
                    writes.extend(follows(&step));
                    steps.push(step);
                }
                Err(Refused::NotYet) => {}
                Err(_) => writes.push(Write::HoldBack(id)),
            }
        }
        Ok(Prepared { answer: Claimed { steps, until }, writes })
    })
}

pub(crate) fn append(output: Output) -> Operation<()> {
    Box::new(move |_| Ok(Prepared { answer: (), writes: vec![Write::Output(output)] }))
}

pub(crate) fn delete(task: TaskId, audit: Option<Audit>) -> Operation<Task> {
    Box::new(move |data| {
        let old = data.tasks.get(&task).ok_or(StoreError::NotFound)?;
        if !old.facts.running.is_empty() {
            return Err(StoreError::InProgress(old.facts.running.iter().map(|r| r.execution).collect()));
        }
        let writes = [Write::NoTask(task)].into_iter().chain(audit.map(Write::Audit));
        Ok(Prepared { answer: old.clone(), writes: writes.collect() })
    })
}

pub(crate) fn count_history(before: Millis) -> Operation<Removal> {
    Box::new(move |data| {
        let answer = Removal {
            executions: old_rows(data, before).count() as u64,
            audit: data.audit.iter().filter(|audit| audit.time < before).count() as u64,
        };
        Ok(Prepared { answer, writes: Vec::new() })
    })
}

/// Removes a part of what is old; nothing when nothing is left.
pub(crate) fn remove_history(before: Millis) -> Operation<Removal> {
    Box::new(move |data| {
        let mut writes: Vec<_> = old_rows(data, before).take(PART).collect();
        let audit = data.audit.iter().filter(|audit| audit.time < before).count() as u64;
        let answer = Removal { executions: writes.len() as u64, audit };
        writes.push(Write::NoAuditBefore(before));
        Ok(Prepared { answer, writes })
    })
}

pub(crate) fn put(key: String, value: Value) -> Operation<()> {
    Box::new(move |_| Ok(Prepared { answer: (), writes: vec![Write::Value(key, value)] }))
}

fn is_free(data: &Data, name: &str) -> Result<(), StoreError> {
    if data.tasks.values().any(|task| task.definition.name == name) {
        return Err(StoreError::NameTaken(name.to_owned()));
    }
    Ok(())
}

fn follows(step: &Step) -> Vec<Write> {
    let mut writes = vec![Write::Task(Box::new(step.task.clone()))];
    writes.extend(step.rows.iter().map(|row| Write::Row(Box::new(row.clone()))));
    if !step.rows.is_empty() {
        writes.push(Write::Prune(step.task.id));
    }
    writes
}

fn old_rows(data: &Data, before: Millis) -> impl Iterator<Item = Write> {
    let old = data
        .rows
        .values()
        .filter(move |row| row.created_at < before && row.status != ExecutionStatus::Running);
    old.map(|row| Write::NoRow(row.task_id, row.id))
}
