//! The store in a directory, on `sled` 0.34.
//!
//! sled calls itself beta, so this backend relies on few of its promises: it uses one tree, one writer
//! ([`mod@write`]), one batch per commit, its own syncs, a checksum on every record ([`engine`]),
//! totals that reveal lost records ([`mod@write`]), and a scrub of every record and index at each start
//! ([`scrub`]).

mod audits;
mod copy;
mod engine;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod nodes;
mod open;
mod read;
mod scrub;
mod state;
#[cfg(test)]
pub(super) mod tests;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use self::{
    engine::{Engine, keys, overflow::Records, txn},
    open::opening::{self, Opened},
    read::{
        figures, history, kept, list, outbox, records,
        view::{Bounds, Pending, View},
    },
    scrub::{report::SharedReport, thread as scrub_thread, verify},
    write::writer::{self, Op, Reply, Writer},
};
use super::{
    Answer, Audit, Census, Claimed, ComingQuery, Condition, Copies, Decision, ExecutionQuery, Figures,
    HandlerVersion, History, HistoryPage, HistoryQuery, Informed, KeptSource, NameSearch, Now, Outbox,
    OutboxQuery, Output, Page, Removal, Report, SourceHash, Sources, StoreError, SuccessorDecision,
    TaskQuery, TaskView, Tasks, Upkeep, VersionNote, WaitingAlerts,
    copy::{Cursor, Import, Part},
    disk::{CommitClock, directory::Lock},
    nodes::Leftovers,
    ready,
};
use crate::{
    allocator,
    domain::{
        Millis,
        activity::{Bucket, Size},
        alerts::Delivery,
        execution::{Execution, Line},
        facts::{Task, TaskStatus},
        ids::{ExecutionId, TaskId},
        step::Step,
    },
};

pub use self::{open::opening::OpenError, scrub::verify::Verified};
pub use super::disk::directory::LockError;

/// Operations that may wait for the writer, a few groups' worth. Callers wait while the queue is full.
const QUEUE: usize = 4096;
/// The timing of the scrub, and the bounds of lists.
#[derive(Debug, Clone, Copy)]
struct Tuning {
    /// The scrub runs before the store opens as long as it costs no more than this (bytes read, plus a
    /// fixed cost per entry): about 20,000 tasks, a fraction of a second.
    scrubbed_at_once: usize,
    /// The pause between two later parts of the scrub.
    pause: Duration,
    bounds: Bounds,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { scrubbed_at_once: 32 * 1024 * 1024, pause: scrub_thread::PAUSE, bounds: Bounds::default() }
    }
}

/// A store in a directory.
pub struct SledStore {
    db: Engine,
    view: View,
    ops: mpsc::Sender<Op>,
    now: Now,
    report: SharedReport,
    commits: Arc<CommitClock>,
    leftovers: Leftovers,
    _lock: Lock,
}

impl SledStore {
    /// Opens the store in `directory` (made if it is missing) with about `cache` bytes of page cache and
    /// starts its writer, which reads the time from `now`. A small store is scrubbed before this returns, a
    /// large one while it serves.
    ///
    /// # Errors
    /// When another process has the store open, its files cannot be read, or acknowledged records are lost.
    pub fn open(directory: &Path, cache: u64, now: Now) -> Result<Self, OpenError> {
        Self::open_tuned(directory, cache, now, Tuning::default())
    }

    fn open_tuned(directory: &Path, cache: u64, now: Now, tuning: Tuning) -> Result<Self, OpenError> {
        let Tuning { scrubbed_at_once, pause, bounds } = tuning;
        let failed = |source: io::Error| OpenError::Io { path: directory.to_owned(), source };
        let report = SharedReport::default();
        let Opened { db, committer, lock, scrubbed } =
            opening::open(directory, cache, scrubbed_at_once, &report)?;
        let (ops, received) = mpsc::channel(QUEUE);
        let pending = Arc::new(Pending::default());
        let tree = Records::new(&db);
        let view =
            View::new(tree.clone(), pending.clone(), writer::quarantine_through(ops.downgrade()), bounds);
        let writer =
            Writer::new(tree, pending, directory, committer, report.clone(), now.clone()).map_err(failed)?;
        let commits = writer.commit_clock();
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer::run_or_stop(writer, received))
            .map_err(failed)?;
        if !scrubbed {
            allocator::give_back();
            let ops = ops.downgrade();
            thread::Builder::new()
                .name("store scrub".to_owned())
                .spawn(move || scrub_thread::scrub(&ops, pause))
                .map_err(failed)?;
        }
        Ok(Self { db, view, ops, now, report, commits, leftovers: Leftovers::default(), _lock: lock })
    }

    /// Whether `directory` holds a store.
    #[must_use]
    pub fn is_in(directory: &Path) -> bool {
        directory.join("db").exists()
    }

    /// Verifies every record and index of the closed store in `directory`; changes no record.
    ///
    /// # Errors
    /// When another process has the store open, or its files cannot be read.
    pub fn verify(directory: &Path, cache: u64) -> Result<Verified, OpenError> {
        verify::verify(directory, cache)
    }

    /// Hands an operation to the writer; see [`writer::operation`] for `work`.
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Writer) -> Result<Option<T>, StoreError> + Send + 'static,
    ) -> Answer<T> {
        self.send(|reply| writer::operation(reply, work))
    }

    fn send<T: Send + 'static>(&self, op: impl FnOnce(Reply<T>) -> Op) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let (ops, op) = (self.ops.clone(), op(reply));
        Box::pin(async move {
            ops.send(op).await.map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)?
        })
    }

    /// Reads many records on a thread that may block.
    fn read_blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&View) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<T> {
        let view = self.view.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || read(&view)).await;
            read.unwrap_or_else(|panic| {
                Err(StoreError::Backend { doing: "read the store", why: panic.to_string() })
            })
        })
    }
}

impl Tasks for SledStore {
    fn create(&self, task: Task, audit: Option<Audit>) -> Answer<()> {
        let task = Box::new(task);
        self.ask(move |writer| writer.create(&task, audit.as_ref()).map(Some))
    }

    fn change(
        &self,
        task: TaskId,
        mut decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
    ) -> Answer<Step> {
        self.ask(move |writer| writer.change(task, &mut decide, output.as_ref(), audit.as_ref()).map(Some))
    }

    fn claim(&self, ahead: Millis, most: usize, mut decide: Decision) -> Answer<Claimed> {
        self.ask(move |writer| writer.claim(ahead, most, &mut decide).map(Some))
    }

    fn inform_successors(&self, most: usize, mut decide: SuccessorDecision) -> Answer<Informed> {
        self.ask(move |writer| writer.inform_successors(most, &mut decide).map(Some))
    }

    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Answer<Task> {
        self.ask(move |writer| writer.delete(task, audit.as_ref()).map(Some))
    }

    fn find(&self, name: String) -> Answer<Option<TaskId>> {
        ready(records::find(&self.view, &name))
    }

    fn task(&self, id: TaskId) -> Answer<Option<Task>> {
        ready(records::get(&self.view, &keys::task(id)))
    }

    fn task_view(&self, id: TaskId, newest: usize) -> Answer<Option<TaskView>> {
        let read = || {
            let task = records::get(&self.view, &keys::task(id))?;
            task.map(|task| records::view(&self.view, task, newest)).transpose()
        };
        ready(read())
    }

    fn tasks(&self, query: TaskQuery) -> Answer<Page<TaskView>> {
        // Some lists read every name.
        self.read_blocking(move |view| list::tasks(view, &query))
    }

    fn keyed(&self) -> Answer<Vec<TaskId>> {
        self.read_blocking(records::keyed)
    }

    fn next_due(&self) -> Answer<Option<Millis>> {
        ready(records::next_due(&self.view))
    }
}

impl History for SledStore {
    fn append(&self, output: Output) -> Answer<()> {
        self.ask(move |writer| writer.append(&output).map(Some))
    }

    fn remove_history(&self, before: Millis, only_count: bool) -> Answer<Removal> {
        if only_count {
            return self.ask(move |writer| writer.count_history(before).map(Some));
        }
        let (mut removed, mut passed) = (Removal::default(), BTreeSet::new());
        self.ask(move |writer| writer.remove_history(before, &mut removed, &mut passed))
    }

    fn execution(&self, task: TaskId, id: ExecutionId) -> Answer<Option<Execution>> {
        ready(records::get(&self.view, &keys::execution(task, id)))
    }

    fn executions(&self, task: TaskId, query: ExecutionQuery) -> Answer<Page<Execution>> {
        ready(records::executions(&self.view, task, &query))
    }

    fn history(&self, query: HistoryQuery) -> Answer<HistoryPage> {
        self.read_blocking(move |view| history::page(view, &query))
    }

    fn find_by_name(&self, search: NameSearch) -> Answer<(Vec<Task>, bool)> {
        self.read_blocking(move |view| list::find_by_name(view, &search))
    }

    fn params(&self, task: TaskId, hash: String) -> Answer<Option<Map<String, Value>>> {
        ready(kept::params(&self.view, task, &hash))
    }

    fn locate(&self, id: ExecutionId) -> Answer<Option<TaskId>> {
        ready(history::locate(&self.view, id))
    }

    fn outputs(&self, ids: Vec<ExecutionId>, tail: Option<usize>) -> Answer<Vec<Vec<Line>>> {
        ready(ids.into_iter().map(|id| records::output(&self.view, id, tail)).collect())
    }

    fn running(&self) -> Answer<Vec<(TaskId, ExecutionId)>> {
        ready(records::running(&self.view))
    }
}

impl Sources for SledStore {
    fn note_version(&self, note: VersionNote) -> Answer<()> {
        self.ask(move |writer| writer.note_version(&note).map(Some))
    }

    fn versions(&self, handler: String) -> Answer<Vec<HandlerVersion>> {
        self.read_blocking(move |view| kept::versions(view, &handler))
    }

    fn source(&self, hash: SourceHash) -> Answer<Option<KeptSource>> {
        ready(kept::source(&self.view, &hash))
    }
}

impl Figures for SledStore {
    fn activity(&self, size: Size, from: Millis, until: Millis) -> Answer<Vec<Bucket>> {
        self.read_blocking(move |view| figures::activity(view, size, from, until))
    }

    fn status_counts(&self) -> Answer<Vec<(TaskStatus, u64)>> {
        ready(figures::status_counts(&self.view))
    }

    fn census(&self, most: usize) -> Answer<Census> {
        self.read_blocking(move |view| figures::census(view, most))
    }

    fn coming(&self, query: ComingQuery) -> Answer<Vec<(Millis, Task)>> {
        self.read_blocking(move |view| figures::coming(view, &query))
    }
}

impl Outbox for SledStore {
    fn deliveries(&self, query: OutboxQuery) -> Answer<Vec<Delivery>> {
        self.read_blocking(move |view| outbox::deliveries(view, &query))
    }

    fn settle(&self, old: Vec<Delivery>, new: Vec<Delivery>) -> Answer<()> {
        self.ask(move |writer| writer.settle(&old, &new).map(Some))
    }

    fn waiting(&self) -> Answer<BTreeMap<String, WaitingAlerts>> {
        self.read_blocking(outbox::waiting)
    }

    fn next_alarm(&self) -> Answer<Option<(Millis, TaskId)>> {
        ready(outbox::next_alarm(&self.view))
    }

    fn alarmed(&self, after: Option<TaskId>, limit: usize) -> Answer<Vec<Task>> {
        self.read_blocking(move |view| outbox::alarmed(view, after, limit))
    }
}

impl Copies for SledStore {
    fn export(&self, from: Cursor) -> Answer<Part> {
        self.ask(move |writer| writer.export(from.clone()).map(Some))
    }

    fn import(&self, import: Import) -> Answer<()> {
        self.ask(move |writer| writer.import(&import))
    }
}

impl Upkeep for SledStore {
    fn statistics(&self, detailed: bool) -> Answer<Map<String, Value>> {
        let db = self.db.clone();
        self.read_blocking(move |view| {
            let bytes = db.size_on_disk().map_err(txn::backend("measure the store"))?;
            records::statistics(view, bytes, detailed)
        })
    }

    fn condition(&self) -> Answer<Condition> {
        let (db, commits) = (self.db.clone(), self.commits.times());
        self.read_blocking(move |_| {
            let bytes = db.size_on_disk().map_err(txn::backend("measure the store"))?;
            Ok(Condition { bytes, commits })
        })
    }

    fn report(&self) -> Report {
        self.report.get()
    }

    fn close(&self) -> Answer<()> {
        self.send(writer::closing)
    }
}
