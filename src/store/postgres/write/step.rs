//! Steps of tasks: their writes, and those of the records around a task.

use super::group::{Failure, Group};
use crate::{
    domain::{
        alerts::Delivery,
        execution::{Execution, ExecutionStatus},
        facts::Task,
        ids::TaskId,
        step::Step,
    },
    store::{
        Audit, Output, StoreError, chain,
        copy::KeptParams,
        postgres::connection::{args, query},
    },
};

/// Old rows that one change prunes at most, so that one task's history does not delay other changes.
const PRUNED_AT_ONCE: i64 = 64;

impl Group<'_> {
    /// Refuses a name that a task has.
    pub(super) async fn ensure_free(&mut self, name: &str) -> Result<(), Failure> {
        if !self.names.contains_key(name) {
            let asked = query("SELECT task FROM #task_name WHERE name = $1", args![name]);
            let rows = self.rows(asked).await?;
            let owner = rows.first().map(|row| super::group::id_of(row, 0));
            self.names.insert(name.to_owned(), owner);
        }
        match self.names.get(name).copied().flatten() {
            Some(_) => Err(StoreError::NameTaken(name.to_owned()).into()),
            None => Ok(()),
        }
    }

    /// Checks the tasks before a task, and locks them, so that none is deleted meanwhile.
    pub(super) async fn check_chain(&mut self, task: &Task) -> Result<(), Failure> {
        loop {
            let missing = std::cell::Cell::new(None);
            let checked = chain::check(task, |id| match self.slots.get(&id) {
                Some(slot) => Ok(slot.task.clone()),
                None => {
                    missing.set(Some(id));
                    Err(StoreError::NotFound)
                }
            });
            match missing.into_inner() {
                Some(id) => self.load(&[id]).await?,
                None => return Ok(checked?),
            }
        }
    }

    /// Writes a task that is new or changed. Its name must be free.
    pub(super) fn put_task(&mut self, task: Task) {
        if let Some(after) = task.definition.after
            && let Some(slot) = self.slots.get_mut(&after.task_id)
        {
            slot.followed = Some(true);
        }
        let Some(slot) = self.slots.get_mut(&task.id) else { return };
        let old = slot.task.as_ref().map(|old| old.definition.name.clone());
        if old.as_ref() != Some(&task.definition.name) {
            self.names.extend(old.map(|name| (name, None)));
            self.names.insert(task.definition.name.clone(), Some(task.id));
        }
        slot.task = Some(task);
        slot.changed = true;
    }

    /// Removes a task; its history goes later.
    pub(super) fn remove_task(&mut self, id: TaskId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        self.names.extend(slot.task.take().map(|old| (old.definition.name, None)));
        slot.changed = true;
        self.garbage = true;
    }

    /// Writes a step: the task, its rows, and the records that follow from it.
    pub(super) async fn apply(&mut self, old: &Task, step: &mut Step) -> Result<(), Failure> {
        // Before any write: only these can be refused.
        self.assign(old, step).await?;
        let mut fresh = 0;
        for row in step.rows.iter().filter(|row| row.status != ExecutionStatus::Running) {
            fresh += i64::from(self.is_fresh(old, row).await?);
        }
        if *old != step.task {
            let over = old.facts.ended_by(&step.task.facts);
            self.writes.over.extend(over.into_iter().map(|time| (old.id, time)));
            self.put_task(step.task.clone());
        }
        self.writes.alerts.extend(step.alerts.iter().map(|alert| Delivery::new(alert.clone())));
        for start in &step.start {
            let row = step.rows.iter().find(|row| row.id == start.execution);
            if let Some((time, hash)) = row.and_then(|row| Some((row.created_at, row.params_hash.clone()?))) {
                let params = start.params().clone();
                self.writes.params.push(KeptParams { task: start.task, time, hash, params });
            }
        }
        for row in &step.rows {
            self.writes.rows.insert((row.task_id, row.id), row.clone());
        }
        if !step.rows.is_empty() {
            self.count_rows(&step.task, fresh);
        }
        self.tally.add_step(old, step);
        Ok(())
    }

    /// Whether the history does not have a row yet that has ended.
    async fn is_fresh(&mut self, old: &Task, row: &Execution) -> Result<bool, Failure> {
        if old.facts.running.iter().any(|run| run.execution == row.id) {
            return Ok(true);
        }
        let waiting = self.writes.rows.get(&(row.task_id, row.id));
        if waiting.is_some_and(|row| row.status != ExecutionStatus::Running) {
            return Ok(false);
        }
        let asked = query("SELECT 1 FROM #execution WHERE task = $1 AND id = $2", args![row.task_id, row.id]);
        Ok(self.rows(asked).await?.is_empty())
    }

    /// Counts new rows of a task's history, and removes the oldest beyond the number that it keeps.
    fn count_rows(&mut self, task: &Task, fresh: i64) {
        let Some(slot) = self.slots.get_mut(&task.id) else { return };
        slot.history += fresh;
        let running = i64::try_from(task.facts.running.len()).unwrap_or(i64::MAX);
        let keep = i64::try_from(task.definition.keep_executions).unwrap_or(i64::MAX);
        let surplus = (slot.history.saturating_add(running) - keep).min(PRUNED_AT_ONCE).min(slot.history);
        if surplus > 0 {
            slot.history -= surplus;
            *self.writes.pruned.entry(task.id).or_default() += surplus;
        }
        slot.changed |= fresh != 0 || surplus > 0;
    }

    /// Adds the record of a step: the given one with the fields that the step has changed, or that of a step
    /// that no request has asked for.
    pub(super) fn record(&mut self, given: Option<&Audit>, old: &Task, new: &Task) {
        let record = match given {
            Some(given) if old.definition == new.definition => Some(given.clone()),
            Some(given) => Some(given.clone().with_changes(&old.definition, &new.definition)),
            None => Audit::of_step(old, new),
        };
        self.writes.audits.extend(record);
    }

    pub(super) fn append(&mut self, output: Output) {
        self.writes.output.insert((output.execution, output.chunk), output);
    }
}
