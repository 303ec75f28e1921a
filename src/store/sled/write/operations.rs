//! Operations of the writer: each runs inside a commit and returns its answer.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    domain::{
        Millis,
        alerts::Delivery,
        facts::Task,
        ids::TaskId,
        step::{Refused, Step},
    },
    store::{
        Audit, Change, Claimed, Decision, Edit, Edited, Entry, Fence, FinishedStep, Output, Removal, RunNote,
        StoreError, VersionNote,
        audit::REMOVED_AT_ONCE,
        copy::{Cursor, Import, Part},
        sled::{
            copy::{export, import},
            engine::{due, keys, outbox as deliveries, txn::Txn},
            scrub::repair,
            write::{
                apply, audit, kept, outbox, state,
                steps::{self, Beside},
                writer::Writer,
            },
        },
    },
};

impl Writer {
    pub(crate) fn create(&mut self, task: &Task, given: Option<&Audit>) -> Result<(), StoreError> {
        self.ensure_space()?;
        self.in_txn(|txn| {
            steps::chain::check(txn, task)?;
            apply::create(txn, task)?;
            given.map_or(Ok(()), |record| audit::add(txn, record))
        })
    }

    pub(crate) fn change(
        &mut self,
        task: TaskId,
        decide: &mut Decision,
        output: Option<&Output>,
        given: Option<&Audit>,
    ) -> Result<Step, StoreError> {
        if given.is_some() {
            self.ensure_space()?;
        }
        let now = (self.now)();
        let (old, step) = self.in_txn(|txn| {
            let old = apply::read_task(txn, task)?;
            steps::take(txn, old, |old| decide(old, now), Beside { output, audit: given })
        })?;
        self.activity.add_step(&old, &step);
        Ok(step)
    }

    /// Takes a step of each task due within `ahead` milliseconds from now, `most` tasks at most.
    pub(crate) fn claim(
        &mut self,
        ahead: Millis,
        most: usize,
        decide: &mut Decision,
    ) -> Result<Claimed, StoreError> {
        let until = (self.now)().saturating_add(ahead);
        let due = due_until(&Txn::new(&self.tree, &self.group), until, most)?;
        let mut steps = Vec::new();
        for key in due {
            let Some(id) = keys::last_task(&key) else { continue };
            let now = (self.now)();
            let result = self.in_txn(|txn| {
                let old = apply::read_task(txn, id)?;
                steps::take(txn, old, |old| decide(old, now), Beside::default())
            });
            let result = result.map(|(old, step)| {
                self.activity.add_step(&old, &step);
                step
            });
            match result {
                Ok(step)
                    if step.task.due().is_some_and(|time| due::key(&step.task, time) == key)
                        && step.start.is_empty() =>
                {
                    // The step changes nothing: claiming the task again would be a hot loop.
                    self.hold_back(key, id, "its step changes nothing");
                }
                Ok(step) => steps.push(step),
                Err(StoreError::Refused(Refused::NotYet)) => {}
                Err(error) => {
                    self.hold_back(key, id, &error.to_string());
                    self.quarantine(&keys::task(id))?;
                }
            }
        }
        Ok(Claimed { steps, until })
    }

    /// Takes a task whose decision fails out of the due index, so that other tasks go on.
    fn hold_back(&mut self, key: Vec<u8>, task: TaskId, why: &str) {
        tracing::error!(%task, why, "a due task cannot take a step; it does not run until it is changed");
        self.group.insert(key, None);
    }

    pub(crate) fn append(&mut self, output: &Output) -> Result<(), StoreError> {
        self.in_txn(|txn| apply::append(txn, output))
    }

    pub(crate) fn delete(&mut self, task: TaskId, given: Option<&Audit>) -> Result<Task, StoreError> {
        let task = self.in_txn(|txn| {
            steps::chain::ensure_unfollowed(txn, task)?;
            let task = apply::delete(txn, task)?;
            given.map_or(Ok(()), |record| audit::add(txn, record))?;
            Ok(task)
        })?;
        self.garbage = true;
        Ok(task)
    }

    pub(crate) fn count_history(&mut self, before: Millis) -> Result<Removal, StoreError> {
        self.in_txn(|txn| apply::count_history(txn, before))
    }

    /// Removes a part of the history from before a time and adds its numbers to `removed`; returns the sum
    /// once none is left. `passed` collects the retention keys of executions that stay.
    pub(crate) fn remove_history(
        &mut self,
        before: Millis,
        removed: &mut Removal,
        passed: &mut BTreeSet<Vec<u8>>,
    ) -> Result<Option<Removal>, StoreError> {
        let Some(part) = self.in_txn(|txn| apply::remove_history(txn, before, passed))? else {
            return Ok(Some(*removed));
        };
        removed.executions += part.executions;
        removed.audit += part.audit;
        Ok(None)
    }

    pub(crate) fn note_version(&mut self, note: &VersionNote) -> Result<(), StoreError> {
        self.ensure_space()?;
        self.in_txn(|txn| kept::version(txn, note))
    }

    pub(crate) fn change_values(
        &mut self,
        changes: &[(String, Option<Value>)],
        record: Option<&Audit>,
    ) -> Result<(), StoreError> {
        self.in_txn(|txn| {
            for (key, value) in changes {
                match value {
                    Some(value) => txn.put_record(keys::value(key), value)?,
                    None => txn.remove(keys::value(key)),
                }
            }
            record.map_or(Ok(()), |record| audit::add(txn, record))
        })
    }

    pub(crate) fn edit(&mut self, edit: &Edit) -> Result<Edited, StoreError> {
        if !matches!(edit.change, Change::Delete { .. }) {
            self.ensure_space()?;
        }
        let now = (self.now)();
        let result = self.in_txn(|txn| state::edit(txn, edit, now));
        match &result {
            Ok(Edited::Set(Entry { expires_at: Some(time), .. })) => self.note_expiry(*time),
            // The next write finds no entry.
            Err(StoreError::Backend { .. }) => self.quarantine(&keys::entry(edit.owner, &edit.key))?,
            _ => {}
        }
        result
    }

    pub(crate) fn finish_step(
        &mut self,
        fence: Fence,
        scheduled_for: Millis,
        step: &FinishedStep,
    ) -> Result<(), StoreError> {
        self.ensure_space()?;
        self.in_txn(|txn| state::finish_step(txn, fence, scheduled_for, step))
    }

    pub(crate) fn note_run(&mut self, fence: Fence, note: &RunNote) -> Result<(), StoreError> {
        self.in_txn(|txn| state::note_run(txn, fence, note.clone()))
    }

    /// Reads a part of a copy. Between two commits the whole tree is durable.
    pub(crate) fn export(&mut self, from: Cursor) -> Result<Part, StoreError> {
        export::part(&self.tree, from)
    }

    /// Does a step of an import; `None` as long as an abandoned import has records left to remove.
    pub(crate) fn import(&mut self, import: &Import) -> Result<Option<()>, StoreError> {
        match import {
            Import::Records(records) => {
                self.ensure_space()?;
                self.in_txn(|txn| import::records(txn, records)).map(Some)
            }
            Import::Complete => self.in_txn(import::complete).map(Some),
            Import::Abandon => Ok((!self.in_txn(import::abandon)?).then_some(())),
        }
    }

    /// Scrubs a part of the store; whether more is left.
    pub(crate) fn scrub(&mut self) -> Result<bool, StoreError> {
        let mut txn = Txn::new(&self.tree, &self.group);
        let cost = self.committer.scrub(&mut txn)?;
        let writes = txn.into_writes();
        self.add_writes(writes);
        Ok(cost.is_some())
    }

    /// Puts the record under `key` into quarantine if it does not verify.
    pub(crate) fn quarantine(&mut self, key: &[u8]) -> Result<(), StoreError> {
        let Some(why) = repair::problem(&Txn::new(&self.tree, &self.group), key)? else { return Ok(()) };
        self.report.quarantine(key, &why);
        self.in_txn(|txn| {
            let bytes = txn.get(key)?.unwrap_or_default();
            repair::quarantine(txn, key, &bytes)
        })
    }

    /// Adds a record of something that changes nothing in the store.
    pub(crate) fn add_audit(&mut self, record: &Audit) -> Result<(), StoreError> {
        self.ensure_space()?;
        self.in_txn(|txn| audit::add(txn, record))
    }

    /// Removes a part of the records from before a time: the number removed.
    pub(crate) fn remove_audits(&mut self, before: Millis) -> Result<u64, StoreError> {
        self.in_txn(|txn| audit::remove(txn, before, REMOVED_AT_ONCE))
    }

    /// Removes `old` deliveries and writes `new` ones.
    pub(crate) fn settle(&mut self, old: &[Delivery], new: &[Delivery]) -> Result<(), StoreError> {
        self.in_txn(|txn| {
            old.iter().for_each(|delivery| txn.remove(deliveries::delivery(delivery)));
            new.iter().try_for_each(|delivery| outbox::put(txn, delivery))
        })
    }
}

/// The keys of the first `most` tasks that are due until a time, those of a higher priority first.
fn due_until(txn: &Txn<'_>, until: Millis, most: usize) -> Result<Vec<Vec<u8>>, StoreError> {
    if txn.prefixed(&[due::RANKED], 1)?.is_empty() {
        return txn.keys(due::until(0, until), most);
    }
    let mut due = Vec::new();
    for priority in due::priorities() {
        due.extend(txn.keys(due::until(priority, until), most - due.len())?);
    }
    Ok(due)
}
