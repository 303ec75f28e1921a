//! The simulated disk, which survives a simulated process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use serde_json::{Map, Value};

use crate::{
    domain::{
        Millis,
        access::{
            record::{TokenHash, TokenRecord},
            session::Session,
        },
        activity::{Bucket, Tally},
        alerts::{AlertId, Delivery},
        binding::{Binding, Rewrite},
        draft::KEPT_APART,
        execution::{Execution, ExecutionStatus, Line},
        facts::Task,
        ids::{ExecutionId, NodeId, TaskId, TokenId},
        lock::lock,
    },
    store::{
        AccessChange, Audit, AuditPlace, Entry, FinishedStep, KEPT_VERSIONS, Node, Output, Owner, Place,
        Runs, SourceHash, Span, StoreError, VersionNote,
        bindings::rewritten,
        copy::{KeptParams, KeptVersion, Quarantined, Record},
        figures,
    },
};

/// The place, the channel where there is an order by it, the id.
pub(crate) type DeliveryKey = (Place, String, AlertId);

pub(crate) fn delivery_key(delivery: &Delivery) -> DeliveryKey {
    let place = Place::of(delivery);
    let channel = if place == Place::Over { String::new() } else { delivery.alert.channel.clone() };
    (place, channel, delivery.alert.id)
}

/// The key of a bucket: there is one of the present minute.
pub(super) fn activity_key(span: Span, start: Millis) -> (Span, Millis) {
    (span, if span == Span::Present { 0 } else { start })
}

/// The first half of an operation.
pub(crate) type Operation<T> = Box<dyn FnOnce(&Data) -> Result<Prepared<T>, StoreError> + Send>;

/// The writes of an operation, and its answer once they are applied.
pub(crate) struct Prepared<T> {
    pub(crate) answer: T,
    pub(crate) writes: Vec<Write>,
}

/// A disk that processes open one after the other.
#[derive(Default)]
pub(crate) struct Disk(Mutex<Data>);

/// The records on a disk.
#[derive(Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Data {
    pub(crate) epoch: u64,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    pub(crate) rows: BTreeMap<(TaskId, ExecutionId), Execution>,
    pub(crate) output: BTreeMap<(ExecutionId, u32), Vec<Line>>,
    pub(crate) audit: BTreeMap<AuditPlace, Audit>,
    /// The number of the last audit record.
    pub(crate) audits: u64,
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) entries: BTreeMap<(Owner, String), Entry>,
    /// The last version given to an owner's entries.
    pub(crate) versions: BTreeMap<Owner, u64>,
    pub(crate) steps: BTreeMap<(TaskId, Millis, String), FinishedStep>,
    /// In the order of their names.
    pub(crate) bindings: Vec<Binding>,
    /// Long parameters of runs, by their task, the time of the first run, and their hash.
    pub(crate) params: BTreeMap<(TaskId, Millis, String), Map<String, Value>>,
    pub(crate) versions_of_handlers: BTreeMap<(String, SourceHash), (Runs, Option<String>)>,
    pub(crate) activity: BTreeMap<(Span, Millis), Bucket>,
    pub(crate) tokens: BTreeMap<TokenId, TokenRecord>,
    pub(crate) sessions: BTreeMap<TokenHash, Session>,
    pub(crate) outbox: BTreeMap<DeliveryKey, Delivery>,
    pub(crate) quarantined: Vec<Quarantined>,
    /// Whether an import has begun and is neither complete nor abandoned.
    pub(crate) importing: bool,
    /// Tasks left out of claims because a decision failed, until they are changed or the store is reopened.
    pub(crate) held_back: BTreeSet<TaskId>,
    /// The processes that share the disk, and have shared it.
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    /// The node of each execution in progress.
    pub(crate) owners: BTreeMap<ExecutionId, NodeId>,
    /// The concurrency key of each execution in progress that has a slot of one.
    pub(crate) slots: BTreeMap<ExecutionId, String>,
    /// The executions in progress that are to end, each with the one who wishes it.
    pub(crate) wishes: BTreeMap<ExecutionId, String>,
    /// The node whose turn a chore is, and until when.
    pub(crate) turns: BTreeMap<&'static str, (NodeId, Millis)>,
    /// How often the disk was replaced by a copy.
    pub(crate) replaced: u64,
}

/// One write of an operation.
pub(crate) enum Write {
    Task(Box<Task>),
    Row(Box<Execution>),
    Output(Output),
    Audit(Audit),
    Value(String, Option<Value>),
    /// An owner's entry (`None`: removed) and the last version given.
    Entry(Owner, String, Option<Entry>, u64),
    /// Removes the entries that are no longer shown at this time.
    Expire(Millis),
    Params(KeptParams),
    Version(VersionNote),
    /// Adds ends that were written at this time.
    Activity(Millis, Box<Tally>),
    Step(TaskId, Millis, FinishedStep),
    /// Removes the steps of an occurrence.
    RemoveSteps(TaskId, Millis),
    /// All bindings anew.
    Bindings(Vec<Binding>),
    Access(AccessChange),
    Delivery(Box<Delivery>),
    RemoveDelivery(DeliveryKey),
    /// Removes the oldest rows beyond the task's `keepExecutions`, never one in progress.
    Prune(TaskId),
    RemoveTask(TaskId),
    RemoveRow(TaskId, ExecutionId),
    RemoveAudit(AuditPlace),
    HoldBack(TaskId),
    OfNode(NodeWrite),
    /// Adds records of a copy.
    Import(Vec<Record>),
    CompleteImport,
    AbandonImport,
}

/// A write about the nodes that share the disk.
pub(crate) enum NodeWrite {
    New(Box<Node>),
    /// A node lives at this time.
    Beat(NodeId, Millis),
    /// A node has so many runs under way.
    Busy(NodeId, u32),
    /// A node is gone since this time, and why.
    Gone(NodeId, Millis, String),
    Wish(ExecutionId, String),
    /// An execution has a slot of a concurrency key.
    Slot(ExecutionId, String),
    /// A chore is a node's until this time.
    Turn(&'static str, NodeId, Millis),
}

impl Disk {
    pub(crate) fn data(&self) -> MutexGuard<'_, Data> {
        lock(&self.0)
    }
}

impl Data {
    /// Applies all writes in their order.
    pub(crate) fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Task(task) => {
                    self.held_back.remove(&task.id);
                    self.tasks.insert(task.id, *task);
                }
                Write::Row(row) => self.put_row(*row),
                Write::Output(Output { execution, chunk, lines }) => {
                    self.output.insert((execution, chunk), lines);
                }
                Write::Audit(audit) => {
                    self.audits += 1;
                    self.audit.insert(AuditPlace { time: audit.time, number: self.audits }, audit);
                }
                Write::Value(key, value) => self.put_value(key, value),
                Write::Entry(owner, key, entry, version) => {
                    self.versions.insert(owner, version);
                    match entry {
                        Some(entry) => self.entries.insert((owner, key), entry),
                        None => self.entries.remove(&(owner, key)),
                    };
                }
                Write::Expire(now) => self.entries.retain(|_, entry| entry.is_live(now)),
                Write::Params(kept) => self.keep_params(kept),
                Write::Version(note) => self.note_version(note),
                Write::Activity(now, tally) => {
                    // A disk in memory does not fail.
                    let _ = figures::add(self, now, &tally);
                }
                Write::Step(task, time, step) => {
                    self.steps.insert((task, time, step.name.clone()), step);
                }
                Write::RemoveSteps(task, time) => {
                    self.steps.retain(|(owner, of, _), _| (*owner, *of) != (task, time));
                }
                Write::Bindings(bindings) => self.bindings = bindings,
                Write::Access(change) => self.change_access(change),
                Write::Delivery(delivery) => drop(self.outbox.insert(delivery_key(&delivery), *delivery)),
                Write::RemoveDelivery(key) => drop(self.outbox.remove(&key)),
                Write::Prune(task) => self.prune(task),
                Write::RemoveTask(task) => self.remove_task(task),
                Write::RemoveRow(task, row) => self.remove_row(task, row),
                Write::RemoveAudit(place) => drop(self.audit.remove(&place)),
                Write::HoldBack(task) => {
                    self.held_back.insert(task);
                }
                Write::OfNode(write) => self.write_of_node(write),
                Write::Import(records) => {
                    self.importing = true;
                    records.into_iter().for_each(|record| self.import(record));
                }
                Write::CompleteImport => self.importing = false,
                Write::AbandonImport => {
                    let nodes = std::mem::take(&mut self.nodes);
                    *self = Self { epoch: self.epoch, nodes, ..Self::default() };
                }
            }
        }
    }

    /// Whether there is no record of any kind.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            tasks,
            rows,
            output,
            audit,
            values,
            bindings,
            entries,
            versions,
            steps,
            params,
            versions_of_handlers,
            activity,
            tokens,
            outbox,
            quarantined,
            ..
        } = self;
        tasks.is_empty()
            && rows.is_empty()
            && output.is_empty()
            && audit.is_empty()
            && values.is_empty()
            && entries.is_empty()
            && versions.is_empty()
            && steps.is_empty()
            && bindings.is_empty()
            && params.is_empty()
            && versions_of_handlers.is_empty()
            && activity.is_empty()
            && tokens.is_empty()
            && outbox.is_empty()
            && quarantined.is_empty()
    }

    fn put_value(&mut self, key: String, value: Option<Value>) {
        match value {
            Some(value) => self.values.insert(key, value),
            None => self.values.remove(&key),
        };
    }

    fn import(&mut self, record: Record) {
        match record {
            Record::Task(task) => self.write(vec![Write::Task(task)]),
            Record::Execution(row) => self.write(vec![Write::Row(row)]),
            Record::Output(output) => self.write(vec![Write::Output(output)]),
            Record::Audit(audit) => self.write(vec![Write::Audit(audit)]),
            Record::Value { key, value } => self.write(vec![Write::Value(key, Some(value))]),
            Record::Entry { owner, key, entry } => {
                self.entries.insert((owner, key), entry);
            }
            Record::Version { owner, version } => {
                self.versions.insert(owner, version);
            }
            Record::Step { task, scheduled_for, step } => {
                self.write(vec![Write::Step(task, scheduled_for, step)]);
            }
            Record::Binding(binding) => {
                self.bindings = rewritten(std::mem::take(&mut self.bindings), &[Rewrite::Put(binding)]);
            }
            Record::Params(kept) => self.keep_params(kept),
            Record::Source(KeptVersion { handler, hash, runs, text }) => {
                if let Ok(hash) = SourceHash::try_from(&hash[..]) {
                    self.versions_of_handlers.insert((handler, hash), (runs, text));
                }
            }
            Record::Activity { span, bucket } => {
                self.activity.insert(activity_key(span, bucket.start), bucket);
            }
            Record::Token(token) => self.change_access(AccessChange::PutToken(token)),
            Record::Alert(delivery) => self.write(vec![Write::Delivery(delivery)]),
            Record::Quarantine(found) => self.quarantined.push(found),
        }
    }

    fn change_access(&mut self, change: AccessChange) {
        match change {
            AccessChange::PutToken(token) => drop(self.tokens.insert(token.id, *token)),
            AccessChange::RemoveToken(id) => drop(self.tokens.remove(&id)),
            AccessChange::PutSession(session) => drop(self.sessions.insert(session.hash, *session)),
            AccessChange::RemoveSession(hash) => drop(self.sessions.remove(&hash)),
            AccessChange::UseToken(used) => {
                let (before, after) = *used;
                self.tokens.entry(after.id).and_modify(|token| {
                    if *token == before {
                        *token = after;
                    }
                });
            }
            AccessChange::UseSession(used) => {
                let (before, after) = *used;
                self.sessions.entry(after.hash).and_modify(|session| {
                    if *session == before {
                        *session = after;
                    }
                });
            }
        }
    }

    /// The rows of a task, oldest first.
    pub(crate) fn rows_of(&self, task: TaskId) -> impl DoubleEndedIterator<Item = &Execution> {
        let all = ExecutionId::from_bytes([0; 16])..=ExecutionId::from_bytes([0xff; 16]);
        self.rows.range((task, *all.start())..=(task, *all.end())).map(|(_, row)| row)
    }

    /// The entries of an owner in the order of their keys.
    pub(crate) fn entries_of(&self, owner: Owner) -> impl Iterator<Item = (&String, &Entry)> {
        let from = self.entries.range((owner, String::new())..);
        from.take_while(move |((of, _), _)| *of == owner).map(|((_, key), entry)| (key, entry))
    }

    /// Due times of the tasks that have one and are not held back.
    pub(crate) fn due(&self) -> impl Iterator<Item = (Millis, TaskId)> {
        let tasks = self.tasks.values().filter(|task| !self.held_back.contains(&task.id));
        tasks.filter_map(|task| Some((task.due()?, task.id)))
    }

    /// The executions in progress, by task.
    pub(super) fn running(&self) -> Vec<(TaskId, ExecutionId)> {
        let running = self.tasks.values().flat_map(|task| {
            let mut running: Vec<_> = task.facts.running.iter().map(|r| (task.id, r.execution)).collect();
            running.sort_unstable();
            running
        });
        running.collect()
    }

    fn put_row(&mut self, row: Execution) {
        if row.status == ExecutionStatus::Running {
            self.owners.extend(row.node.map(|node| (row.id, node)));
        } else {
            self.owners.remove(&row.id);
            self.slots.remove(&row.id);
            self.wishes.remove(&row.id);
        }
        self.rows.insert((row.task_id, row.id), row);
    }

    fn write_of_node(&mut self, write: NodeWrite) {
        match write {
            NodeWrite::New(node) => drop(self.nodes.insert(node.id, *node)),
            NodeWrite::Beat(id, now) => {
                if let Some(node) = self.nodes.get_mut(&id) {
                    (node.seen, node.beat) = (now, node.beat + 1);
                }
            }
            NodeWrite::Busy(id, busy) => {
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.busy = busy;
                }
            }
            NodeWrite::Gone(id, now, why) => {
                if let Some(node) = self.nodes.get_mut(&id) {
                    (node.gone, node.why) = (Some(now), Some(why));
                }
            }
            NodeWrite::Wish(execution, who) => drop(self.wishes.insert(execution, who)),
            NodeWrite::Slot(execution, key) => drop(self.slots.insert(execution, key)),
            NodeWrite::Turn(chore, node, until) => drop(self.turns.insert(chore, (node, until))),
        }
    }

    fn remove_task(&mut self, task: TaskId) {
        self.tasks.remove(&task);
        let rows: Vec<_> = self.rows_of(task).map(|row| row.id).collect();
        rows.into_iter().for_each(|row| self.remove_row(task, row));
        self.entries.retain(|(owner, _), _| *owner != Owner::Task(task));
        self.versions.remove(&Owner::Task(task));
        self.steps.retain(|(owner, ..), _| *owner != task);
        self.params.retain(|(owner, ..), _| *owner != task);
    }

    fn keep_params(&mut self, KeptParams { task, time, hash, params }: KeptParams) {
        let kept: Vec<_> = self.params.keys().filter(|(owner, ..)| *owner == task).cloned().collect();
        if kept.iter().any(|(.., other)| *other == hash) {
            return;
        }
        for key in kept.iter().take((kept.len() + 1).saturating_sub(KEPT_APART)) {
            self.params.remove(key);
        }
        self.params.insert((task, time, hash), params);
    }

    fn note_version(&mut self, VersionNote { handler, hash, source, runs }: VersionNote) {
        let key = (handler.clone(), hash);
        let earlier = self.versions_of_handlers.remove(&key);
        let (runs, text) = match earlier {
            Some((earlier, text)) => (earlier.and(runs), source.or(text)),
            None => (runs, source),
        };
        let of_handler = |((of, _), _): &(&(String, SourceHash), &(Runs, Option<String>))| *of == handler;
        let others = self.versions_of_handlers.iter().filter(of_handler);
        let mut others: Vec<_> = others.map(|(key, (runs, _))| (runs.last_seen, key.clone())).collect();
        others.sort();
        for (_, oldest) in others.iter().take((others.len() + 1).saturating_sub(KEPT_VERSIONS)) {
            self.versions_of_handlers.remove(oldest);
        }
        self.versions_of_handlers.insert(key, (runs, text));
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
