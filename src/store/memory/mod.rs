//! The store in memory, for tests: what every backend does, in the most obvious way.
//!
//! What survives the process is a [`Disk`]; a [`MemoryStore`] is one process that has it open.
//! An operation has two halves, so that a test can let something happen between them: asked
//! with [`prepare`]'s functions it decides and says what to write, and [`disk::Data::write`]
//! writes that, all of it or nothing. Whoever takes the halves apart must not prepare a second
//! operation before the first is written.
//!
//! There is no index: every question looks at everything, so this is for few tasks.

mod copy;
pub(crate) mod disk;
mod list;
pub(crate) mod prepare;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Map, Value, json};

use self::{
    disk::Disk,
    prepare::{Operation, Prepared},
};
use super::{
    Audit, Commit, Decision, ExecutionQuery, Output, Page, Removal, Report, Store, StoreError, TaskQuery,
    copy::{Cursor, Import, Part},
};
use crate::domain::{
    Millis,
    execution::{Execution, Line},
    facts::{Task, TaskStatus},
    ids::{ExecutionId, TaskId},
    step::Step,
};

/// A process that has a disk open.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    disk: Arc<Disk>,
    closed: Arc<AtomicBool>,
    report: Report,
}

impl MemoryStore {
    /// Opens a disk, an empty one or one that was written before.
    pub(crate) fn open(disk: &Arc<Disk>) -> Self {
        let mut data = disk.data();
        data.epoch += 1;
        data.held_back.clear();
        let report = Report { epoch: data.epoch, tasks: data.tasks.len() as u64, ..Report::default() };
        drop(data);
        Self { disk: disk.clone(), closed: Arc::default(), report }
    }

    fn perform<T: Send + 'static>(&self, operation: Operation<T>) -> Commit<T> {
        let store = self.clone();
        Box::pin(async move {
            store.is_open()?;
            // One lock for both halves: others may be doing the same in other threads.
            let mut data = store.disk.data();
            let Prepared { answer, writes } = operation(&data)?;
            data.write(writes);
            Ok(answer)
        })
    }

    fn is_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) { Err(StoreError::Closed) } else { Ok(()) }
    }
}

impl Store for MemoryStore {
    fn create(&self, task: Task, audit: Option<Audit>) -> Commit<()> {
        self.perform(prepare::create(task, audit))
    }

    fn change(
        &self,
        task: TaskId,
        decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
    ) -> Commit<Step> {
        self.perform(prepare::change(task, decide, output, audit))
    }

    fn claim(&self, until: Millis, most: usize, decide: Decision) -> Commit<Vec<Step>> {
        self.perform(prepare::claim(until, most, decide))
    }

    fn append(&self, output: Output) -> Commit<()> {
        self.perform(prepare::append(output))
    }

    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Commit<Task> {
        self.perform(prepare::delete(task, audit))
    }

    fn remove_history(&self, before: Millis, only_count: bool) -> Commit<Removal> {
        let store = self.clone();
        Box::pin(async move {
            if only_count {
                return store.perform(prepare::count_history(before)).await;
            }
            let mut total = Removal::default();
            loop {
                let part = store.perform(prepare::remove_history(before)).await?;
                if part == Removal::default() {
                    return Ok(total);
                }
                total.executions += part.executions;
                total.audit += part.audit;
                tokio::task::yield_now().await;
            }
        })
    }

    fn put(&self, key: String, value: Value) -> Commit<()> {
        self.perform(prepare::put(key, value))
    }

    fn export(&self, from: Cursor) -> Commit<Part> {
        self.perform(copy::export(from))
    }

    fn import(&self, import: Import) -> Commit<()> {
        self.perform(copy::import(import))
    }

    fn close(&self) -> Commit<()> {
        let store = self.clone();
        Box::pin(async move {
            if store.closed.swap(true, Ordering::SeqCst) { Err(StoreError::Closed) } else { Ok(()) }
        })
    }

    fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.disk.data().tasks.get(&id).cloned())
    }

    fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        Ok(list::tasks(&self.disk.data(), query))
    }

    fn execution(&self, task: TaskId, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        Ok(self.disk.data().rows.get(&(task, id)).cloned())
    }

    fn executions(&self, task: TaskId, query: &ExecutionQuery) -> Result<Page<Execution>, StoreError> {
        Ok(list::executions(&self.disk.data(), task, query))
    }

    fn output(&self, id: ExecutionId, tail: Option<usize>) -> Result<Vec<Line>, StoreError> {
        Ok(list::output(&self.disk.data(), id, tail))
    }

    fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        Ok(self.disk.data().due().map(|(due, _)| due).min())
    }

    fn running(&self) -> Result<Vec<(TaskId, ExecutionId)>, StoreError> {
        let data = self.disk.data();
        let running = data.tasks.values().flat_map(|task| {
            let mut running: Vec<_> = task.facts.running.iter().map(|r| (task.id, r.execution)).collect();
            running.sort_unstable();
            running
        });
        Ok(running.collect())
    }

    fn get(&self, key: &str) -> Result<Option<Value>, StoreError> {
        Ok(self.disk.data().values.get(key).cloned())
    }

    fn statistics(&self, detailed: bool) -> Result<Map<String, Value>, StoreError> {
        let data = self.disk.data();
        let kinds = [
            ("tasks", data.tasks.len()),
            ("executions", data.rows.len()),
            ("output", data.output.len()),
            ("audit", data.audit.len()),
            ("values", data.values.len()),
        ];
        let collections: Map<_, _> =
            kinds.into_iter().map(|(kind, count)| (kind.to_owned(), json!({ "count": count }))).collect();
        let mut answer = Map::new();
        answer.insert("bytesOnDisk".to_owned(), kinds.iter().map(|(_, count)| count).sum::<usize>().into());
        answer.insert("collections".to_owned(), collections.into());
        if detailed {
            let statuses = TaskStatus::ALL.into_iter().map(|status| {
                let count = data.tasks.values().filter(|task| task.status() == status).count();
                (status.name().to_owned(), count.into())
            });
            answer.insert("taskStatus".to_owned(), Value::Object(statuses.collect()));
        }
        Ok(answer)
    }

    fn report(&self) -> Report {
        self.report.clone()
    }
}

mod tests {
    use std::{
        collections::BTreeMap,
        path::{Path, PathBuf},
        sync::{Mutex, PoisonError},
    };

    use super::*;
    use crate::store::contract::passes;

    /// The disk that "lies in" a directory.
    fn open(directory: &Path) -> Arc<dyn Store> {
        static DISKS: Mutex<BTreeMap<PathBuf, Arc<Disk>>> = Mutex::new(BTreeMap::new());
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::new(MemoryStore::open(disks.entry(directory.to_owned()).or_default()))
    }

    passes!(super::open);
}
