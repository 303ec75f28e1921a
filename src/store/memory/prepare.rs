//! The first half of each operation: its decision, its answer and its writes.

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

/// Rows removed at once at most.
const PART: usize = 64;

/// The first half of an operation.
pub(crate) type Operation<T> = Box<dyn FnOnce(&Data) -> Result<Prepared<T>, StoreError> + Send>;

/// The writes of an operation, and its answer once they are applied.
pub(crate) struct Prepared<T> {
    pub(crate) answer: T,
    pub(crate) writes: Vec<Write>,
}

pub(crate) fn create(task: Task, audit: Option<Audit>) -> Operation<()> {
    Box::new(move |data| {
        ensure_free(data, &task.definition.name)?;
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
            ensure_free(data, &step.task.definition.name)?;
        }
        // Write output before the step: the step may remove the output's row.
        let mut writes: Vec<_> = output.map(Write::Output).into_iter().collect();
        writes.extend(step_writes(&step));
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
                // The step changes nothing: claiming the task again would be a hot loop.
                Ok(step) if step.task.due() == Some(due) && step.start.is_empty() => {
                    writes.push(Write::HoldBack(id));
                }
                Ok(step) => {
                    writes.extend(step_writes(&step));
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
        let writes = [Write::RemoveTask(task)].into_iter().chain(audit.map(Write::Audit));
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

/// Removes a part of the old history; answers zeros when none is left.
pub(crate) fn remove_history(before: Millis) -> Operation<Removal> {
    Box::new(move |data| {
        let mut writes: Vec<_> = old_rows(data, before).take(PART).collect();
        let audit = data.audit.iter().filter(|audit| audit.time < before).count() as u64;
        let answer = Removal { executions: writes.len() as u64, audit };
        writes.push(Write::RemoveAuditBefore(before));
        Ok(Prepared { answer, writes })
    })
}

pub(crate) fn put(key: String, value: Value) -> Operation<()> {
    Box::new(move |_| Ok(Prepared { answer: (), writes: vec![Write::Value(key, value)] }))
}

fn ensure_free(data: &Data, name: &str) -> Result<(), StoreError> {
    if data.tasks.values().any(|task| task.definition.name == name) {
        return Err(StoreError::NameTaken(name.to_owned()));
    }
    Ok(())
}

fn step_writes(step: &Step) -> Vec<Write> {
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
    old.map(|row| Write::RemoveRow(row.task_id, row.id))
}
