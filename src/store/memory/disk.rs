//! What survives the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use serde_json::Value;

use crate::{
    domain::{
        Millis,
        execution::{Execution, ExecutionStatus, Line},
        facts::Task,
        ids::{ExecutionId, TaskId},
        lock::lock,
    },
    store::{
        Audit, Output,
        copy::{Quarantined, Record},
    },
};

/// A disk.
#[derive(Default)]
pub(crate) struct Disk(Mutex<Data>);

/// What is on it.
#[derive(Default)]
pub(crate) struct Data {
    pub(crate) epoch: u64,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    pub(crate) rows: BTreeMap<(TaskId, ExecutionId), Execution>,
    pub(crate) output: BTreeMap<(ExecutionId, u32), Vec<Line>>,
    pub(crate) audit: Vec<Audit>,
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) quarantined: Vec<Quarantined>,
    /// A part of a copy has been taken in, and not yet all of it.
    pub(crate) importing: bool,
    /// Tasks that could not be decided about, until they are changed or the store is reopened.
    pub(crate) held_back: BTreeSet<TaskId>,
}

/// A part of what an operation writes.
pub(crate) enum Write {
    Task(Box<Task>),
    Row(Box<Execution>),
    Output(Output),
    Audit(Audit),
    Value(String, Value),
    /// Removes the oldest rows beyond what a task keeps, never one in progress.
    Prune(TaskId),
    NoTask(TaskId),
    NoRow(TaskId, ExecutionId),
    NoAuditBefore(Millis),
    HoldBack(TaskId),
    /// A part of a copy.
    Copy(Vec<Record>),
    /// It is complete.
    Copied,
    /// It is given up.
    NoCopy,
}

impl Disk {
    pub(crate) fn data(&self) -> MutexGuard<'_, Data> {
        lock(&self.0)
    }
}

impl Data {
    /// Writes all of it.
    pub(crate) fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Task(task) => {
                    self.held_back.remove(&task.id);
                    self.tasks.insert(task.id, *task);
                }
                Write::Row(row) => {
                    self.rows.insert((row.task_id, row.id), *row);
                }
                Write::Output(Output { execution, chunk, lines }) => {
                    self.output.insert((execution, chunk), lines);
                }
                Write::Audit(audit) => self.audit.push(audit),
                Write::Value(key, value) => {
                    self.values.insert(key, value);
                }
                Write::Prune(task) => self.prune(task),
                Write::NoTask(task) => {
                    self.tasks.remove(&task);
                    let rows: Vec<_> = self.rows_of(task).map(|row| row.id).collect();
                    rows.into_iter().for_each(|row| self.remove_row(task, row));
                }
                Write::NoRow(task, row) => self.remove_row(task, row),
                Write::NoAuditBefore(moment) => self.audit.retain(|audit| audit.time >= moment),
                Write::HoldBack(task) => {
                    self.held_back.insert(task);
                }
                Write::Copy(records) => {
                    self.importing = true;
                    records.into_iter().for_each(|record| self.take_in(record));
                }
                Write::Copied => self.importing = false,
                Write::NoCopy => *self = Self { epoch: self.epoch, ..Self::default() },
            }
        }
    }

    /// Whether nothing has ever been kept.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { tasks, rows, output, audit, values, quarantined, .. } = self;
        tasks.is_empty()
            && rows.is_empty()
            && output.is_empty()
            && audit.is_empty()
            && values.is_empty()
            && quarantined.is_empty()
    }

    fn take_in(&mut self, record: Record) {
        match record {
            Record::Task(task) => self.write(vec![Write::Task(task)]),
            Record::Execution(row) => self.write(vec![Write::Row(row)]),
            Record::Output(output) => self.write(vec![Write::Output(output)]),
            Record::Audit(audit) => self.write(vec![Write::Audit(audit)]),
            Record::Value { key, value } => self.write(vec![Write::Value(key, value)]),
            Record::Quarantine(found) => self.quarantined.push(found),
        }
    }

    /// Rows of a task, oldest first.
    pub(crate) fn rows_of(&self, task: TaskId) -> impl DoubleEndedIterator<Item = &Execution> {
        let all = ExecutionId::from_bytes([0; 16])..=ExecutionId::from_bytes([0xff; 16]);
        self.rows.range((task, *all.start())..=(task, *all.end())).map(|(_, row)| row)
    }

    /// Every task that has a due time and is not held back.
    pub(crate) fn due(&self) -> impl Iterator<Item = (Millis, TaskId)> {
        let tasks = self.tasks.values().filter(|task| !self.held_back.contains(&task.id));
        tasks.filter_map(|task| Some((task.due()?, task.id)))
    }

    fn prune(&mut self, task: TaskId) {
        let Some(keep) = self.tasks.get(&task).map(|task| task.definition.keep_executions) else { return };
        let surplus = (self.rows_of(task).count() as u64).saturating_sub(keep);
        let over = self.rows_of(task).filter(|row| row.status != ExecutionStatus::Running);
        let oldest: Vec<_> =
            over.take(usize::try_from(surplus).unwrap_or(usize::MAX)).map(|row| row.id).collect();
        oldest.into_iter().for_each(|row| self.remove_row(task, row));
    }

    fn remove_row(&mut self, task: TaskId, row: ExecutionId) {
        self.rows.remove(&(task, row));
        let chunks: Vec<_> = self.output.range((row, 0)..=(row, u32::MAX)).map(|(key, _)| *key).collect();
        for chunk in chunks {
            self.output.remove(&chunk);
        }
    }
}
