//! Export: reads a part of a copy in the writer's thread, so that the records of a part agree.
//!
//! A task is read together with the rows of its executions in progress and the ids of its other rows.
//! The other rows no longer change, so later parts read them and their output; a row removed by then is
//! left out. The steps are read together with the task, because they must agree with its occurrences; its
//! entries are read after it and may be newer.

use std::ops::Bound;

use crate::{
    domain::{
        access::record::TokenRecord,
        activity::Bucket,
        alerts::Delivery,
        binding::Binding,
        execution::Execution,
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{
        Audit, Entry, FinishedStep, Output, Owner, Runs, StoreError,
        copy::{Cursor, KeptParams, KeptVersion, Left, Part, Quarantined, Record},
        sled::{
            engine::{
                Bytes, chunks::chunks, figures as figure_keys, keys, overflow::Records, record, rows,
                txn::backend,
            },
            write::state::decode_account,
        },
    },
};

/// The copied kinds, in this order; rows, output, steps and entries come with their tasks, and the entries
/// that all share come first.
const KINDS: [u8; 9] = [
    keys::TASK,
    keys::AUDIT,
    keys::VALUE,
    keys::BINDING,
    keys::ACTIVITY,
    keys::TOKEN,
    keys::OUTBOX,
    keys::VERSION,
    keys::QUARANTINE,
];
/// The kinds that come with their tasks.
const WITH_TASKS: [u8; 3] = [keys::STEP, keys::ENTRY, keys::PARAMS];
/// Bytes and steps of a part: a few milliseconds in which the writer serves no other operation.
const BYTES: usize = 128 * 1024;
const STEPS: usize = 256;

/// Reads the part that begins at `from`.
pub(crate) fn part(tree: &Records, from: Cursor) -> Result<Part, StoreError> {
    let mut reader = Reader { tree, cursor: from, records: Vec::new(), bytes: 0 };
    if reader.cursor.after.is_empty() {
        reader.begin()?;
    }
    for _ in 0..STEPS {
        if reader.bytes > BYTES {
            break;
        }
        if !reader.step()? {
            return Ok(Part { records: reader.records, rest: None });
        }
    }
    Ok(Part { records: reader.records, rest: Some(reader.cursor) })
}

struct Reader<'a> {
    tree: &'a Records,
    cursor: Cursor,
    records: Vec<Record>,
    bytes: usize,
}

impl Reader<'_> {
    /// Begins with the shared entries.
    fn begin(&mut self) -> Result<(), StoreError> {
        // Before every key of a kind.
        self.cursor.after = vec![0];
        self.account(Owner::Shared)
    }

    /// Reads the next row, chunks or entry; false when none was left.
    fn step(&mut self) -> Result<bool, StoreError> {
        if let Some(left) = self.cursor.left.pop_front() {
            match (left, keys::last_task(&self.cursor.after)) {
                (Left::Entries(after), _) => self.entries(after)?,
                (Left::Row(id), Some(task)) => self.row(task, id)?,
                (Left::Output(id, chunk), Some(_)) => self.output(id, chunk)?,
                (Left::Row(_) | Left::Output(..), None) => {}
            }
            return Ok(true);
        }
        let Some((key, bytes)) = self.next_entry()? else { return Ok(false) };
        self.cursor.after = key.to_vec();
        self.bytes += bytes.len();
        match key[0] {
            keys::TASK => self.task(&key, &bytes)?,
            keys::QUARANTINE => {
                self.quarantine(&key[1..], &bytes);
                if let Some(task) = keys::task_of(&key[1..]).filter(|_| key.get(1) == Some(&keys::TASK)) {
                    self.quarantine_history(task)?;
                }
            }
            keys::VERSION => self.version(&key, &bytes)?,
            _ => self.audit_or_value(&key, &bytes),
        }
        Ok(true)
    }

    fn next_entry(&self) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        let after = &self.cursor.after;
        let at = KINDS.iter().position(|kind| after.first() == Some(kind));
        for (index, kind) in KINDS.iter().enumerate().skip(at.unwrap_or(0)) {
            let begin = match at {
                Some(at) if at == index => Bound::Excluded(after.clone()),
                _ => Bound::Included(vec![*kind]),
            };
            let found = self.tree.range((begin, Bound::Excluded(keys::after_prefix(&[*kind])))).next();
            if let Some(entry) = found.transpose().map_err(backend("scan the store"))? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn task(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        let Some(task) = record::decode::<Task>(bytes).ok().filter(|task| keys::task(task.id) == key) else {
            self.quarantine(key, bytes);
            return keys::last_task(key).map_or(Ok(()), |task| self.quarantine_history(task));
        };
        let id = task.id;
        // The rows that may still change.
        let open: Vec<ExecutionId> = task
            .facts
            .running
            .iter()
            .flat_map(|run| [Some(run.execution), run.skipped.as_ref().map(|skip| skip.execution)])
            .flatten()
            .collect();
        self.records.push(Record::Task(Box::new(task)));
        for row in &open {
            self.row(id, *row)?;
        }
        for key in self.tree.prefix_keys(&keys::executions(id)) {
            let key = key.map_err(backend("scan the store"))?;
            let row = keys::last_execution(&key).filter(|row| !open.contains(row));
            self.cursor.left.extend(row.map(Left::Row));
        }
        for entry in self.tree.scan_prefix(&keys::task_steps(id)) {
            let (key, bytes) = entry.map_err(backend("scan the store"))?;
            self.finished_step(&key, &bytes);
        }
        for entry in self.tree.scan_prefix(&rows::task_params(id)) {
            let (key, bytes) = entry.map_err(backend("scan the store"))?;
            self.params(id, &key, &bytes);
        }
        self.account(Owner::Task(id))
    }

    fn params(&mut self, task: TaskId, key: &[u8], bytes: &[u8]) {
        self.bytes += bytes.len();
        let time = key.get(17..).and_then(keys::read_millis);
        match (time, rows::hash_of(key), record::decode(bytes)) {
            (Some(time), Some(hash), Ok(params)) => {
                let kept = KeptParams { task, time, hash: hash.to_owned(), params };
                self.records.push(Record::Params(kept));
            }
            _ => self.quarantine(key, bytes),
        }
    }

    /// Reads a version of a handler, with its source. A source that does not verify is left out.
    fn version(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        let (Some((handler, hash)), Ok(runs)) = (rows::version_of(key), record::decode::<Runs>(bytes)) else {
            self.quarantine(key, bytes);
            return Ok(());
        };
        let source = self.tree.get(&rows::source_of(&hash, handler)).map_err(backend("read the store"))?;
        let text: Option<String> = source.as_ref().and_then(|bytes| record::decode(bytes).ok());
        self.bytes += text.as_ref().map_or(0, String::len);
        let version = KeptVersion { handler: handler.to_owned(), hash: hash.to_vec(), runs, text };
        self.records.push(Record::Source(version));
        Ok(())
    }

    fn finished_step(&mut self, key: &[u8], bytes: &[u8]) {
        self.bytes += bytes.len();
        match (keys::step_of(key), record::decode::<FinishedStep>(bytes)) {
            (Some((task, scheduled_for)), Ok(step)) if keys::step(task, scheduled_for, &step.name) == key => {
                self.records.push(Record::Step { task, scheduled_for, step });
            }
            _ => self.quarantine(key, bytes),
        }
    }

    /// Reads the last version of an owner's entries; later parts read the entries.
    fn account(&mut self, owner: Owner) -> Result<(), StoreError> {
        let found = self.tree.get(&keys::account(owner)).map_err(backend("read the store"))?;
        let Some(bytes) = found else { return Ok(()) };
        // A start rebuilds a damaged account from the entries.
        if let Ok(account) = decode_account(&bytes) {
            self.records.push(Record::Version { owner, version: account.version });
        }
        self.cursor.left.push_back(Left::Entries(keys::entries(owner)));
        Ok(())
    }

    /// Reads entries after a key until the part is full.
    fn entries(&mut self, after: Vec<u8>) -> Result<(), StoreError> {
        let end = keys::after_prefix(after.get(..17).unwrap_or(&after));
        for found in self.tree.range((Bound::Excluded(after), Bound::Excluded(end))) {
            let (key, bytes) = found.map_err(backend("scan the store"))?;
            self.bytes += bytes.len();
            match (keys::entry_of(&key), record::decode::<Entry>(&bytes)) {
                (Some((owner, name)), Ok(entry)) => {
                    self.records.push(Record::Entry { owner, key: name.to_owned(), entry });
                }
                _ => self.quarantine(&key, &bytes),
            }
            if self.bytes > BYTES {
                self.cursor.left.push_front(Left::Entries(key.to_vec()));
                break;
            }
        }
        Ok(())
    }

    fn row(&mut self, task: TaskId, id: ExecutionId) -> Result<(), StoreError> {
        let key = keys::execution(task, id);
        let Some(bytes) = self.tree.get(&key).map_err(backend("read the store"))? else { return Ok(()) };
        self.bytes += bytes.len();
        match record::decode::<Execution>(&bytes) {
            Ok(row) if row.id == id && row.task_id == task => {
                self.records.push(Record::Execution(Box::new(row)));
                self.cursor.left.push_front(Left::Output(id, 0));
            }
            _ => {
                self.quarantine(&key, &bytes);
                self.quarantine_all(&keys::outputs(id))?;
            }
        }
        Ok(())
    }

    /// Reads chunks of output from `first` on until the part is full.
    fn output(&mut self, id: ExecutionId, first: u32) -> Result<(), StoreError> {
        let range = keys::output(id, first, 0)..keys::after_prefix(&keys::outputs(id));
        let mut first = true;
        for chunk in chunks(self.tree.range(range)) {
            let chunk = chunk.map_err(backend("scan the store"))?;
            let Some(number) = chunk.number() else { continue };
            if !first && self.bytes > BYTES {
                self.cursor.left.push_front(Left::Output(id, number));
                return Ok(());
            }
            first = false;
            self.bytes += chunk.len();
            match chunk.lines() {
                Ok(lines) => {
                    self.records.push(Record::Output(Output { execution: id, chunk: number, lines }));
                }
                Err(_) => chunk.records.iter().for_each(|(key, bytes)| self.quarantine(key, bytes)),
            }
        }
        Ok(())
    }

    fn audit_or_value(&mut self, key: &[u8], bytes: &[u8]) {
        let record = match key[0] {
            keys::AUDIT => record::decode::<Audit>(bytes).ok().map(Record::Audit),
            keys::BINDING => record::decode::<Binding>(bytes).ok().map(Record::Binding),
            keys::ACTIVITY => figure_keys::span_of(key).and_then(|span| {
                let bucket = record::decode::<Bucket>(bytes).ok()?;
                (figure_keys::activity(span, bucket.start) == key)
                    .then_some(Record::Activity { span, bucket })
            }),
            keys::TOKEN => record::decode::<TokenRecord>(bytes).ok().map(|t| Record::Token(Box::new(t))),
            keys::OUTBOX => record::decode::<Delivery>(bytes).ok().map(|it| Record::Alert(Box::new(it))),
            _ => std::str::from_utf8(&key[1..]).ok().and_then(|name| {
                let value = record::decode(bytes).ok()?;
                Some(Record::Value { key: name.to_owned(), value })
            }),
        };
        match record {
            Some(record) => self.records.push(record),
            None => self.quarantine(key, bytes),
        }
    }

    /// Copies the history and the state of a task whose record is damaged as records in quarantine, so that it is not
    /// lost.
    fn quarantine_history(&mut self, task: TaskId) -> Result<(), StoreError> {
        for entry in self.tree.scan_prefix(&keys::executions(task)) {
            let (key, bytes) = entry.map_err(backend("scan the store"))?;
            self.quarantine(&key, &bytes);
            if let Some(id) = keys::last_execution(&key) {
                self.quarantine_all(&keys::outputs(id))?;
            }
        }
        for kind in WITH_TASKS {
            self.quarantine_all(&[&[kind], &task.to_bytes()[..]].concat())?;
        }
        Ok(())
    }

    fn quarantine_all(&mut self, prefix: &[u8]) -> Result<(), StoreError> {
        for entry in self.tree.scan_prefix(prefix) {
            let (key, bytes) = entry.map_err(backend("scan the store"))?;
            self.quarantine(&key, &bytes);
        }
        Ok(())
    }

    fn quarantine(&mut self, key: &[u8], bytes: &[u8]) {
        self.bytes += bytes.len();
        self.records.push(Record::Quarantine(Quarantined { key: key.to_vec(), bytes: bytes.to_vec() }));
    }
}
