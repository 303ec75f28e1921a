//! The writer: the only thread that changes the store.
//!
//! Operations that wait together form a group and are committed together: one batch, one `flush`, one
//! `fdatasync`, and only then the answers. In sled 0.34 `flush` ends in `sync_file_range`, which does not
//! flush the device's own cache, hence the second sync.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{Millis, activity::Tally, panic::line_of},
    store::{
        Now, StoreError,
        disk::CommitClock,
        disk::{LEAST_FREE, free_bytes},
        sled::{
            engine::{
                overflow::Records,
                txn::{Txn, Writes},
            },
            open::files::Files,
            read::view::{Pending, Quarantine},
            scrub::report::SharedReport,
            write::{apply, commit::Committer, state},
        },
    },
};

/// Operations in a group at most: enough for every runner to end and start at once many times over, few
/// enough that an operation does not wait long for the others.
const GROUP: usize = 512;
/// A group with more bytes than this takes no further operation.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// Commits between two measurements of the free space; while space is low every commit measures it.
const SPACE_EVERY: u32 = 16;

/// The channel for an operation's answer.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;
/// An operation: does all or a part of its work, within the next commit.
pub(crate) type Op = Box<dyn FnMut(&mut Writer) -> Progress + Send>;

/// Whether an operation needs another commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The operation only waits for its commit.
    Done,
    /// The next commit calls the operation again.
    More,
}

/// Makes an operation that answers `reply` once its commit is durable. As long as `work` returns `None`,
/// the next commit calls it again.
pub(crate) fn operation<T: Send + 'static>(
    reply: Reply<T>,
    mut work: impl FnMut(&mut Writer) -> Result<Option<T>, StoreError> + Send + 'static,
) -> Op {
    let mut reply = Some(reply);
    Box::new(move |writer| {
        let Some(result) = work(writer).transpose() else { return Progress::More };
        writer.answers.extend(reply.take().map(|reply| answer(reply, result)));
        Progress::Done
    })
}

/// Makes the operation after which the writer ends.
pub(crate) fn closing(reply: Reply<()>) -> Op {
    let mut reply = Some(reply);
    Box::new(move |writer| {
        writer.closing = reply.take();
        Progress::Done
    })
}

/// An answer that waits for its commit.
type Answer = Box<dyn FnOnce() + Send>;

fn answer<T: Send + 'static>(reply: Reply<T>, result: Result<T, StoreError>) -> Answer {
    Box::new(move || {
        // The caller may have dropped the answer; the change stays.
        let _ = reply.send(result);
    })
}

pub(crate) struct Writer {
    pub(super) tree: Records,
    pending: Arc<Pending>,
    files: Files,
    directory: PathBuf,
    pub(super) committer: Committer,
    pub(super) report: SharedReport,
    pub(super) now: Now,
    /// The writes of the operations since the last commit.
    pub(super) group: Writes,
    group_bytes: usize,
    /// The ends in the group.
    pub(super) activity: Tally,
    answers: Vec<Answer>,
    /// Set once the store is to close; no later operation is taken.
    closing: Option<Reply<()>>,
    /// Whether the history of deleted tasks may be left to remove.
    pub(super) garbage: bool,
    /// The earliest time at which an entry of handlers is no longer shown.
    expiry: Option<Millis>,
    low_space: bool,
    commits: u32,
    clock: Arc<CommitClock>,
}

impl Writer {
    pub(crate) fn new(
        tree: Records,
        pending: Arc<Pending>,
        directory: &Path,
        committer: Committer,
        report: SharedReport,
        now: Now,
    ) -> io::Result<Self> {
        Ok(Self {
            tree,
            pending,
            files: Files::open(directory)?,
            directory: directory.to_owned(),
            committer,
            report,
            now,
            group: BTreeMap::new(),
            group_bytes: 0,
            activity: Tally::default(),
            answers: Vec::new(),
            closing: None,
            garbage: true,
            expiry: Some(Millis::MIN),
            low_space: false,
            commits: 0,
            clock: Arc::default(),
        })
    }

    /// The counts of the durations of commits.
    pub(crate) fn commit_clock(&self) -> Arc<CommitClock> {
        self.clock.clone()
    }

    /// Serves operations until the store is closed or every sender is dropped.
    pub(crate) fn run(mut self, mut ops: mpsc::Receiver<Op>) {
        // Operations too long for one commit. Each commit does a part of one of them beside new operations.
        let mut unfinished: VecDeque<Op> = VecDeque::new();
        while self.closing.is_none() || !unfinished.is_empty() {
            let mut next = match self.closing {
                Some(_) => None,
                None if self.has_upkeep() || !unfinished.is_empty() => ops.try_recv().ok(),
                None => match ops.blocking_recv() {
                    Some(op) => Some(op),
                    None => break,
                },
            };
            self.measure_space();
            let goes_on = |op: &mut Op, writer: &mut Self| op(writer) == Progress::More;
            if let Some(mut op) = unfinished.pop_front()
                && goes_on(&mut op, &mut self)
            {
                unfinished.push_back(op);
            }
            let mut taken = 0;
            while let Some(mut op) = next.take() {
                taken += 1;
                if goes_on(&mut op, &mut self) {
                    unfinished.push_back(op);
                }
                if taken < GROUP && self.group_bytes < GROUP_BYTES && self.closing.is_none() {
                    next = ops.try_recv().ok();
                }
            }
            self.keep_up();
            self.keep_activity();
            self.commit();
        }
        if let Err(error) = self.committer.acknowledge_synced() {
            tracing::warn!(%error, "the store's file `mark` could not be synced");
        }
        // Drop first: a caller may open the directory again as soon as the store is closed.
        let closing = self.closing.take();
        drop(self);
        if let Some(reply) = closing {
            let _ = reply.send(Ok(()));
        }
    }

    /// Whether there are records to remove that no operation asks for.
    fn has_upkeep(&self) -> bool {
        self.garbage || self.expiry.is_some_and(|time| time <= (self.now)())
    }

    /// Removes a part of these records.
    fn keep_up(&mut self) {
        if self.garbage {
            self.garbage = self.in_txn(apply::sweep).unwrap_or(false);
        }
        if let Some(now) = self.expiry.map(|_| (self.now)()).filter(|now| self.expiry <= Some(*now)) {
            let swept = self.in_txn(|txn| {
                state::expire(txn, now)?;
                state::next_expiry(txn)
            });
            self.expiry = swept.unwrap_or_else(|error| {
                tracing::error!(%error, "entries whose time has passed cannot be removed");
                None
            });
        }
    }

    /// Notes the time of an entry that is new.
    pub(super) fn note_expiry(&mut self, time: Millis) {
        self.expiry = Some(self.expiry.map_or(time, |earliest| earliest.min(time)));
    }

    pub(super) fn in_txn<T>(
        &mut self,
        operation: impl FnOnce(&mut Txn<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut txn = Txn::new(&self.tree, &self.group);
        let value = operation(&mut txn)?;
        let writes = txn.into_writes();
        self.add_writes(writes);
        Ok(value)
    }

    pub(super) fn add_writes(&mut self, writes: Writes) {
        self.group_bytes += writes.values().flatten().map(Vec::len).sum::<usize>();
        self.group.extend(writes);
    }

    /// Measures the free space, not at every commit: a commit writes little compared with [`LEAST_FREE`].
    fn measure_space(&mut self) {
        if self.low_space || self.commits.is_multiple_of(SPACE_EVERY) {
            self.low_space = free_bytes(&self.directory).is_some_and(|free| free < LEAST_FREE);
        }
        self.commits = self.commits.wrapping_add(1);
    }

    /// Refuses the operation while the disk is nearly full. For operations that add records.
    pub(super) fn ensure_space(&self) -> Result<(), StoreError> {
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
            // The state of the disk is unknown, and a second sync could succeed without the pages that
            // failed. Only a restart shows which changes are durable.
            tracing::error!(%error, "the store could not be written to the disk; the server stops");
            std::process::exit(1);
        }
        for answer in self.answers.drain(..) {
            answer();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a duration is measured, and no decision depends on it")]
    fn write(&mut self, group: &Writes) -> io::Result<()> {
        let begun = Instant::now();
        let batch = self.committer.batch(&self.tree, group)?;
        self.pending.hide(&self.tree, group)?;
        self.tree.apply(batch)?;
        self.tree.flush()?;
        self.files.sync()?;
        self.committer.acknowledge()?;
        self.pending.show();
        self.clock.add(begun.elapsed());
        Ok(())
    }
}

/// Runs the writer, and stops the process if it panics: sled panics at damaged files, and without the
/// writer no operation would be answered and a group in progress would be lost silently.
pub(crate) fn run_or_stop(writer: Writer, ops: mpsc::Receiver<Op>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| writer.run(ops))) {
        let why = line_of(&*panic);
        tracing::error!(
            why,
            "the store's writer panicked; the server stops. If it happens again, `isochron store verify` says \
             which records are damaged"
        );
        std::process::exit(1);
    }
}

/// Asks the writer to put a record into quarantine. A busy writer drops the request; the next reader
/// of the record makes it again.
pub(crate) fn quarantine_through(ops: mpsc::WeakSender<Op>) -> Quarantine {
    Arc::new(move |key| {
        if let Some(ops) = ops.upgrade() {
            let (reply, key) = (oneshot::channel().0, key.to_vec());
            let _ = ops.try_send(operation(reply, move |writer| writer.quarantine(&key).map(Some)));
        }
    })
}
