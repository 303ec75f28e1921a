//! The store in a directory, on `sled` 0.34.
//!
//! sled calls itself beta, so nothing here rests on what it does not promise: one tree,
//! one writer ([`mod@write`]), one batch per commit, our own syncs, a checksum on every
//! record ([`engine`]), numbers that show what is missing ([`mod@write`]), and a check of every
//! record and index that each start begins ([`scrub`]).

mod copy;
mod engine;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod open;
mod read;
mod scrub;
#[cfg(test)]
mod tests;
mod write;

use std::{collections::BTreeSet, io, path::Path, sync::Arc, thread, time::Duration};

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use self::{
    engine::{Engine, keys, overflow::Records, txn},
    open::{
        lock::Lock,
        opening::{self, Opened},
    },
    read::{
        list, records,
        view::{Pending, View},
    },
    scrub::{report::Shared, thread as scrub_thread, verify},
    write::writer::{self, Op, Reply, Writer},
};
use super::{
    Audit, Commit, Decision, ExecutionQuery, Output, Page, Removal, Report, Store, StoreError, TaskQuery,
    copy::{Cursor, Import, Part},
};
use crate::{
    allocator,
    domain::{
        Millis,
        execution::{Execution, Line},
        facts::Task,
        ids::{ExecutionId, TaskId},
        step::Step,
    },
};

pub use self::{
    open::{lock::LockError, opening::OpenError},
    scrub::verify::Verified,
};

/// How many operations may wait for the writer: a few groups' worth; who finds it full waits.
const QUEUE: usize = 4096;
/// A store that costs the check no more than this (bytes, and some for every entry) is checked
/// before it is open: some 20,000 tasks, a fraction of a second.
const CHECKED_AT_ONCE: usize = 32 * 1024 * 1024;

/// A store in a directory.
pub struct SledStore {
    db: Engine,
    view: View,
    ops: mpsc::Sender<Op>,
    report: Shared,
    _lock: Lock,
}

impl SledStore {
    /// Opens the store in `directory` (made if it is missing) with some `cache` bytes of page cache
    /// and starts its writer. A small store is checked at once, a large one beside the work.
    ///
    /// # Errors
    /// When another process has it open, or the files cannot be read or have lost something.
    pub fn open(directory: &Path, cache: u64) -> Result<Self, OpenError> {
        Self::open_checking(directory, cache, CHECKED_AT_ONCE, scrub_thread::PAUSE)
    }

    fn open_checking(
        directory: &Path,
        cache: u64,
        at_once: usize,
        pause: Duration,
    ) -> Result<Self, OpenError> {
        let failed = |source: io::Error| OpenError::Io { path: directory.to_owned(), source };
        let report = Shared::default();
        let Opened { db, committer, lock, checked } = opening::open(directory, cache, at_once, &report)?;
        let (ops, received) = mpsc::channel(QUEUE);
        let pending = Arc::new(Pending::default());
        let tree = Records::new(&db);
        let view = View::new(tree.clone(), pending.clone(), ops.downgrade());
        let writer = Writer::new(tree, pending, directory, committer, report.clone()).map_err(failed)?;
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer::run_or_stop(writer, received))
            .map_err(failed)?;
        if !checked {
            allocator::give_back();
            let ops = ops.downgrade();
            thread::Builder::new()
                .name("store check".to_owned())
                .spawn(move || scrub_thread::check(&ops, pause))
                .map_err(failed)?;
        }
        Ok(Self { db, view, ops, report, _lock: lock })
    }

    /// Whether there is a store in `directory`.
    #[must_use]
    pub fn is_in(directory: &Path) -> bool {
        directory.join("db").exists()
    }

    /// Looks at everything in the closed store in `directory`, and changes nothing.
    ///
    /// # Errors
    /// When another process has it open, or the files cannot be read.
    pub fn verify(directory: &Path, cache: u64) -> Result<Verified, OpenError> {
        verify::verify(directory, cache)
    }

    fn ask<T: Send + 'static>(&self, op: impl FnOnce(Reply<T>) -> Op) -> Commit<T> {
        let (reply, answer) = oneshot::channel();
        let (ops, op) = (self.ops.clone(), op(reply));
        Box::pin(async move {
            ops.send(op).await.map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)?
        })
    }
}

impl Store for SledStore {
    fn create(&self, task: Task, audit: Option<Audit>) -> Commit<()> {
        self.ask(|reply| Op::Create { task: Box::new(task), audit, reply })
    }

    fn change(
        &self,
        task: TaskId,
        decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
    ) -> Commit<Step> {
        self.ask(|reply| Op::Change { task, decide, output, audit, reply })
    }

    fn claim(&self, until: Millis, most: usize, decide: Decision) -> Commit<Vec<Step>> {
        self.ask(|reply| Op::Claim { until, most, decide, reply })
    }

    fn append(&self, output: Output) -> Commit<()> {
        self.ask(|reply| Op::Append { output, reply })
    }

    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Commit<Task> {
        self.ask(|reply| Op::Delete { task, audit, reply })
    }

    fn remove_history(&self, before: Millis, only_count: bool) -> Commit<Removal> {
        let (sofar, passed) = (Removal::default(), BTreeSet::new());
        self.ask(|reply| Op::RemoveHistory { before, only_count, sofar, passed, reply })
    }

    fn put(&self, key: String, value: Value) -> Commit<()> {
        self.ask(|reply| Op::Put { key, value, reply })
    }

    fn export(&self, from: Cursor) -> Commit<Part> {
        self.ask(|reply| Op::Export { from, reply })
    }

    fn import(&self, import: Import) -> Commit<()> {
        self.ask(|reply| Op::Import { import, reply })
    }

    fn close(&self) -> Commit<()> {
        self.ask(|reply| Op::Close { reply })
    }

    fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        records::get(&self.view, &keys::task(id))
    }

    fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        list::tasks(&self.view, query)
    }

    fn execution(&self, task: TaskId, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        records::get(&self.view, &keys::execution(task, id))
    }

    fn executions(&self, task: TaskId, query: &ExecutionQuery) -> Result<Page<Execution>, StoreError> {
        records::executions(&self.view, task, query)
    }

    fn output(&self, id: ExecutionId, tail: Option<usize>) -> Result<Vec<Line>, StoreError> {
        records::output(&self.view, id, tail)
    }

    fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        records::next_due(&self.view)
    }

    fn running(&self) -> Result<Vec<(TaskId, ExecutionId)>, StoreError> {
        records::running(&self.view)
    }

    fn get(&self, key: &str) -> Result<Option<Value>, StoreError> {
        records::get(&self.view, &keys::value(key))
    }

    fn statistics(&self, detailed: bool) -> Result<Map<String, Value>, StoreError> {
        let bytes = self.db.size_on_disk().map_err(txn::backend("measure the store"))?;
        records::statistics(&self.view, bytes, detailed)
    }

    fn report(&self) -> Report {
        self.report.get()
    }
}
