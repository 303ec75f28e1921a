//! The writer: the one thread that changes the store.
//!
//! Operations that wait together are committed together: one batch, one `flush`, one
//! `fdatasync`, and only then the answers. In sled 0.34 `flush` ends in `sync_file_range`,
//! which leaves the device's own cache alone, hence the second sync.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{
        Millis,
        facts::Task,
        ids::TaskId,
        panic::line_of,
        step::{Refused, Step},
    },
    store::{
        Audit, Decision, Output, Removal, StoreError,
        copy::{Cursor, Import, Part},
        sled::{
            copy::{export, import},
            engine::{
                keys,
                overflow::Records,
                txn::{Txn, Writes},
            },
            open::files::Files,
            read::view::Pending,
            scrub::{repair, report::Shared},
            write::{apply, commit::Committer},
        },
        space::{LEAST_FREE, free_bytes},
    },
};

/// How many operations may share a commit: enough for every runner to end and start at once
/// many times over, few enough that nobody waits long for the others.
const GROUP: usize = 512;
/// And how many bytes they may have written before no more are taken into it.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// The free space is looked at once in so many commits, and before each while there is too little.
const LOOK: u32 = 16;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked to do, and where the answer goes.
pub(crate) enum Op {
    Create {
        task: Box<Task>,
        audit: Option<Audit>,
        reply: Reply<()>,
    },
    Change {
        task: TaskId,
        decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
        reply: Reply<Step>,
    },
    Claim {
        until: Millis,
        most: usize,
        decide: Decision,
        reply: Reply<Vec<Step>>,
    },
    Append {
        output: Output,
        reply: Reply<()>,
    },
    Delete {
        task: TaskId,
        audit: Option<Audit>,
        reply: Reply<Task>,
    },
    RemoveHistory {
        before: Millis,
        only_count: bool,
        sofar: Removal,
        passed: BTreeSet<Vec<u8>>,
        reply: Reply<Removal>,
    },
    Put {
        key: String,
        value: Value,
        reply: Reply<()>,
    },
    Export {
        from: Cursor,
        reply: Reply<Part>,
    },
    Import {
        import: Import,
        reply: Reply<()>,
    },
    /// A part of the check; whether there is more.
    Check {
        reply: Reply<bool>,
    },
    /// If it does not verify.
    Quarantine {
        key: Vec<u8>,
        reply: Reply<()>,
    },
    Close {
        reply: Reply<()>,
    },
}

/// An answer that waits for its commit.
type Answer = Box<dyn FnOnce() + Send>;

fn later<T: Send + 'static>(reply: Reply<T>, result: Result<T, StoreError>) -> Answer {
    Box::new(move || {
        // Whoever asked may be gone; the change stands all the same.
        let _ = reply.send(result);
    })
}

pub(crate) struct Writer {
    tree: Records,
    pending: Arc<Pending>,
    files: Files,
    directory: PathBuf,
    committer: Committer,
    report: Shared,
    /// What the operations since the last commit write.
    group: Writes,
    group_bytes: usize,
    answers: Vec<Answer>,
    garbage: bool,
    low_space: bool,
    commits: u32,
}

impl Writer {
    pub(crate) fn new(
        tree: Records,
        pending: Arc<Pending>,
        directory: &Path,
        committer: Committer,
        report: Shared,
    ) -> io::Result<Self> {
        Ok(Self {
            tree,
            pending,
            files: Files::open(directory)?,
            directory: directory.to_owned(),
            committer,
            report,
            group: BTreeMap::new(),
            group_bytes: 0,
            answers: Vec::new(),
            garbage: true,
            low_space: false,
            commits: 0,
        })
    }

    /// Serves until it is told to close or everybody who could ask is gone.
    pub(crate) fn run(mut self, mut ops: mpsc::Receiver<Op>) {
        // Too long for one commit: a part of one of them is in each, beside what others ask for.
        let mut unfinished = VecDeque::new();
        let mut closing = None;
        while closing.is_none() || !unfinished.is_empty() {
            let mut next = match closing {
                Some(_) => None,
                None if self.garbage || !unfinished.is_empty() => ops.try_recv().ok(),
                None => match ops.blocking_recv() {
                    Some(op) => Some(op),
                    None => break,
                },
            };
            self.look_at_space();
            if let Some(op) = unfinished.pop_front() {
                unfinished.extend(self.perform(op));
            }
            let mut taken = 0;
            while let Some(op) = next.take() {
                taken += 1;
                match op {
                    Op::Close { reply } => closing = Some(reply),
                    op => unfinished.extend(self.perform(op)),
                }
                if taken < GROUP && self.group_bytes < GROUP_BYTES && closing.is_none() {
                    next = ops.try_recv().ok();
                }
            }
            if self.garbage {
                self.garbage = self.in_txn(apply::sweep).unwrap_or(false);
            }
            self.commit();
        }
        if let Err(error) = self.committer.settled() {
            tracing::warn!(%error, "the mark of the store could not be synced");
        }
        // Whoever is told that the store is closed may open the directory again.
        drop(self);
        if let Some(reply) = closing {
            let _ = reply.send(Ok(()));
        }
    }

    /// Does one operation; one that is too long for a single commit comes back with its rest.
    fn perform(&mut self, op: Op) -> Option<Op> {
        match op {
            Op::Create { task, audit, reply } => {
                let result = self.room().and_then(|()| {
                    self.in_txn(|txn| {
                        apply::create(txn, &task)?;
                        audit.as_ref().map_or(Ok(()), |audit| apply::audit(txn, audit))
                    })
                });
                self.answers.push(later(reply, result));
            }
            Op::Change { task, mut decide, output, audit, reply } => {
                let room = if audit.is_some() { self.room() } else { Ok(()) };
                let result = room.and_then(|()| {
                    self.in_txn(|txn| {
                        let old = apply::read_task(txn, task)?;
                        let step = decide(&old)?;
                        // Before the step, which may remove the row that it belongs to.
                        output.as_ref().map_or(Ok(()), |output| apply::append(txn, output))?;
                        apply::step(txn, &old, &step)?;
                        audit.as_ref().map_or(Ok(()), |audit| apply::audit(txn, audit))?;
                        Ok(step)
                    })
                });
                self.answers.push(later(reply, result));
            }
            Op::Claim { until, most, decide, reply } => {
                let result = self.claim(until, most, decide);
                self.answers.push(later(reply, result));
            }
            Op::Append { output, reply } => {
                let result = self.in_txn(|txn| apply::append(txn, &output));
                self.answers.push(later(reply, result));
            }
            Op::Delete { task, audit, reply } => {
                let result = self.in_txn(|txn| {
                    let task = apply::delete(txn, task)?;
                    audit.as_ref().map_or(Ok(()), |audit| apply::audit(txn, audit))?;
                    Ok(task)
                });
                self.garbage |= result.is_ok();
                self.answers.push(later(reply, result));
            }
            Op::RemoveHistory { before, only_count: true, reply, .. } => {
                let result = self.in_txn(|txn| apply::count_history(txn, before));
                self.answers.push(later(reply, result));
            }
            Op::RemoveHistory { before, only_count, mut sofar, mut passed, reply } => {
                match self.in_txn(|txn| apply::remove_history(txn, before, &mut passed)) {
                    Ok(None) => self.answers.push(later(reply, Ok(sofar))),
                    Ok(Some(part)) => {
                        sofar.executions += part.executions;
                        sofar.audit += part.audit;
                        return Some(Op::RemoveHistory { before, only_count, sofar, passed, reply });
                    }
                    Err(error) => self.answers.push(later(reply, Err(error))),
                }
            }
            Op::Put { key, value, reply } => {
                let result = self.in_txn(|txn| txn.put_record(keys::value(&key), &value));
                self.answers.push(later(reply, result));
            }
            Op::Export { from, reply } => {
                // Nothing is under way between two commits, so the tree is what is durable.
                let result = export::part(&self.tree, from);
                self.answers.push(later(reply, result));
            }
            Op::Import { import, reply } => {
                let result = match import {
                    Import::Records(records) => {
                        self.room().and_then(|()| self.in_txn(|txn| import::records(txn, &records)))
                    }
                    Import::Complete => self.in_txn(import::complete),
                    Import::Abandon => match self.in_txn(import::abandon) {
                        Ok(true) => return Some(Op::Import { import: Import::Abandon, reply }),
                        other => other.map(drop),
                    },
                };
                self.answers.push(later(reply, result));
            }
            Op::Check { reply } => {
                let result = self.check();
                self.answers.push(later(reply, result));
            }
            Op::Quarantine { key, reply } => {
                let result = self.quarantine(&key);
                self.answers.push(later(reply, result));
            }
            Op::Close { reply } => self.answers.push(later(reply, Ok(()))),
        }
        None
    }

    fn check(&mut self) -> Result<bool, StoreError> {
        let mut txn = Txn::new(&self.tree, &self.group);
        let more = self.committer.check(&mut txn)?;
        let writes = txn.into_writes();
        self.join(writes);
        Ok(more.is_some())
    }

    fn quarantine(&mut self, key: &[u8]) -> Result<(), StoreError> {
        let Some(why) = repair::problem(&Txn::new(&self.tree, &self.group), key)? else { return Ok(()) };
        self.report.quarantine(key, &why);
        self.in_txn(|txn| {
            let bytes = txn.get(key)?.unwrap_or_default();
            repair::quarantine(txn, key, &bytes)
        })
    }

    fn claim(&mut self, until: Millis, most: usize, mut decide: Decision) -> Result<Vec<Step>, StoreError> {
        let due = Txn::new(&self.tree, &self.group).keys(keys::due_until(until), most)?;
        let mut steps = Vec::new();
        for key in due {
            let Some(id) = keys::last_task(&key) else { continue };
            let result = self.in_txn(|txn| {
                let old = apply::read_task(txn, id)?;
                let step = decide(&old)?;
                apply::step(txn, &old, &step)?;
                Ok(step)
            });
            match result {
                Ok(step)
                    if step.task.due().is_some_and(|due| keys::due(due, id) == key)
                        && step.start.is_empty() =>
                {
                    // Deciding changed nothing: asking again would be a hot loop.
                    self.hold_back(key, id, "it is due but nothing follows from that");
                }
                Ok(step) => steps.push(step),
                Err(StoreError::Refused(Refused::NotYet)) => {}
                Err(error) => {
                    self.hold_back(key, id, &error.to_string());
                    self.quarantine(&keys::task(id))?;
                }
            }
        }
        Ok(steps)
    }

    /// Takes a task that cannot be decided about out of the due index, so that the others go on.
    fn hold_back(&mut self, key: Vec<u8>, task: TaskId, why: &str) {
        tracing::error!(%task, why, "a due task cannot be decided about and is held back until it is changed");
        self.group.insert(key, None);
    }

    fn in_txn<T>(
        &mut self,
        operation: impl FnOnce(&mut Txn<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut txn = Txn::new(&self.tree, &self.group);
        let value = operation(&mut txn)?;
        let writes = txn.into_writes();
        self.join(writes);
        Ok(value)
    }

    fn join(&mut self, writes: Writes) {
        self.group_bytes += writes.values().flatten().map(Vec::len).sum::<usize>();
        self.group.extend(writes);
    }

    /// Not at every commit: a commit writes little compared with the space that must be free.
    fn look_at_space(&mut self) {
        if self.low_space || self.commits.is_multiple_of(LOOK) {
            self.low_space = free_bytes(&self.directory).is_some_and(|free| free < LEAST_FREE);
        }
        self.commits = self.commits.wrapping_add(1);
    }

    fn room(&self) -> Result<(), StoreError> {
        if self.low_space {
            let path = self.directory.display().to_string();
            return Err(StoreError::NoSpace { path, least: LEAST_FREE });
        }
        Ok(())
    }

    fn commit(&mut self) {
        let group = std::mem::take(&mut self.group);
        self.group_bytes = 0;
        if !group.is_empty()
            && let Err(error) = self.write(&group)
        {
            // What the disk holds now is unknown, and asking again could lie: a later sync may
            // succeed without the pages that failed. Only a restart finds out.
            tracing::error!(%error, "the store could not be written to the disk; the server stops");
            std::process::exit(1);
        }
        for answer in self.answers.drain(..) {
            answer();
        }
    }

    fn write(&mut self, group: &Writes) -> io::Result<()> {
        let batch = self.committer.batch(&self.tree, group)?;
        self.pending.hide(&self.tree, group)?;
        self.tree.apply(batch)?;
        self.tree.flush()?;
        self.files.sync()?;
        self.committer.durable()?;
        self.pending.show();
        Ok(())
    }
}

/// Runs the writer. Should it panic, which is sled meeting damaged files, nobody could be
/// answered any more, and what is half done here would be lost silently: the process stops.
pub(crate) fn run_or_stop(writer: Writer, ops: mpsc::Receiver<Op>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| writer.run(ops))) {
        let why = line_of(&*panic);
        tracing::error!(
            why,
            "the store's writer panicked; the server stops. If it happens again, `isochron store verify` tells \
             what is damaged"
        );
        std::process::exit(1);
    }
}
