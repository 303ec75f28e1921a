//! The store in a directory, on `sled` 0.34.
//!
//! sled calls itself beta, so nothing here rests on what it does not promise: one tree,
//! one writer ([`writer`]), one batch per commit, our own syncs, a checksum on every
//! record ([`record`]), and a check of every index at the start ([`check`]).

mod apply;
mod check;
mod export;
mod import;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod keys;
mod list;
mod lock;
mod read;
mod record;
#[cfg(test)]
mod tests;
mod txn;
mod view;
mod writer;

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use serde_json::{Map, Value};
use sled::Db;
use tokio::sync::{mpsc, oneshot};

use self::{
    lock::Lock,
    view::{Pending, View},
    writer::{Op, Reply, Writer},
};
use super::{
    Audit, Commit, Decision, ExecutionQuery, Output, Page, Removal, Report, Store, StoreError, TaskQuery,
    transfer::{Cursor, Import, Part},
};
use crate::domain::{
    Millis,
    execution::{Execution, Line},
    facts::Task,
    ids::{ExecutionId, TaskId},
    step::Step,
};

pub use self::lock::LockError;

/// How many operations may wait for the writer: a few groups' worth; who finds it full waits.
const QUEUE: usize = 4096;

/// How often a file that is still locked is tried, which is two seconds in all.
const TRIES: usize = 200;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or read.
    #[error("open the store in {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process has it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// It holds a part of a copy.
    #[error("an import into the store in {path} was interrupted: remove that directory and import again")]
    HalfImported {
        /// Where.
        path: PathBuf,
    },
}

/// A store in a directory.
pub struct SledStore {
    db: Db,
    view: View,
    ops: mpsc::Sender<Op>,
    report: Report,
    _lock: Lock,
}

impl SledStore {
    /// Opens the store in `directory` (made if it is missing) with `cache` bytes of page cache,
    /// checks it and starts its writer.
    ///
    /// # Errors
    /// When another process has it open, or the files cannot be read.
    pub fn open(directory: &Path, cache: u64) -> Result<Self, OpenError> {
        let failed = |source: io::Error| OpenError::Io { path: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let lock = Lock::take(directory)?;
        let db = open_tree(directory, cache).map_err(|e| failed(e.into()))?;
        if db.contains_key(import::marker()).map_err(|e| failed(e.into()))? {
            return Err(OpenError::HalfImported { path: directory.to_owned() });
        }
        let report = check::check(&db).map_err(failed)?;
        db.flush().map_err(|e| failed(e.into()))?;
        let (ops, received) = mpsc::channel(QUEUE);
        let pending = Arc::new(Pending::default());
        let view = View::new((*db).clone(), pending.clone());
        let writer = Writer::new(db.clone(), pending, directory).map_err(failed)?;
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(received))
            .map_err(failed)?;
        Ok(Self { db, view, ops, report, _lock: lock })
    }

    /// Whether there is a store in `directory`.
    #[must_use]
    pub fn is_in(directory: &Path) -> bool {
        directory.join("db").exists()
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

/// sled locks its file as well. Whoever had the directory last has given up our lock, but the
/// last descriptor of that file may be closed a moment later, by one of sled's threads or by
/// the kernel, and nothing tells when.
fn open_tree(directory: &Path, cache: u64) -> sled::Result<Db> {
    let config = sled::Config::new().path(directory).cache_capacity(cache).flush_every_ms(None);
    for _ in 0..TRIES {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().starts_with("could not acquire lock") => {
                thread::sleep(BETWEEN_TRIES);
            }
            result => return result,
        }
    }
    config.open()
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
        read::get(&self.view, &keys::task(id))
    }

    fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        list::tasks(&self.view, query)
    }

    fn execution(&self, task: TaskId, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        read::get(&self.view, &keys::execution(task, id))
    }

    fn executions(&self, task: TaskId, query: &ExecutionQuery) -> Result<Page<Execution>, StoreError> {
        read::executions(&self.view, task, query)
    }

    fn output(&self, id: ExecutionId, tail: Option<usize>) -> Result<Vec<Line>, StoreError> {
        read::output(&self.view, id, tail)
    }

    fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        read::next_due(&self.view)
    }

    fn running(&self) -> Result<Vec<(TaskId, ExecutionId)>, StoreError> {
        read::running(&self.view)
    }

    fn get(&self, key: &str) -> Result<Option<Value>, StoreError> {
        read::get(&self.view, &keys::value(key))
    }

    fn statistics(&self, detailed: bool) -> Result<Map<String, Value>, StoreError> {
        let bytes = self.db.size_on_disk().map_err(txn::backend("measure the store"))?;
        read::statistics(&self.view, bytes, detailed)
    }

    fn report(&self) -> &Report {
        &self.report
    }
}
