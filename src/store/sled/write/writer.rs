//! The writer: the one thread that changes the store.
//!
//! Operations that wait together are committed together: one batch, one `flush`, one
//! `fdatasync`, and only then the answers. In sled 0.34 `flush` ends in `sync_file_range`,
//! which leaves the device's own cache alone, hence the second sync.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::panic::line_of,
    store::{
        Now, StoreError,
        sled::{
            engine::{
                overflow::Records,
                txn::{Txn, Writes},
            },
            open::files::Files,
            read::view::Pending,
            scrub::report::Shared,
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

/// Where the answer to an operation goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;
/// An operation: does a part of its work, and says whether there is more to do in the next commit.
pub(crate) type Op = Box<dyn FnMut(&mut Writer) -> Progress + Send>;

/// Whether an operation is too long for a single commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It waits for its commit.
    Done,
    /// It is to be called again, in the next commit.
    More,
}

/// An operation that answers `reply` once its commit is durable. `work` returns nothing as long as it
/// is to be called again in the next commit.
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

/// The operation after which the writer serves no other.
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
        // The asker may be gone; the change stands all the same.
        let _ = reply.send(result);
    })
}

pub(crate) struct Writer {
    pub(super) tree: Records,
    pending: Arc<Pending>,
    files: Files,
    directory: PathBuf,
    pub(super) committer: Committer,
    pub(super) report: Shared,
    pub(super) now: Now,
    /// What the operations since the last commit write.
    pub(super) group: Writes,
    group_bytes: usize,
    answers: Vec<Answer>,
    /// The asker for an end; no operation is taken after it.
    closing: Option<Reply<()>>,
    pub(super) garbage: bool,
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
            answers: Vec::new(),
            closing: None,
            garbage: true,
            low_space: false,
            commits: 0,
        })
    }

    /// Serves until it is told to close or everybody who could ask is gone.
    pub(crate) fn run(mut self, mut ops: mpsc::Receiver<Op>) {
        // Operations too long for one commit: each commit has a part of one of them, beside what others ask for.
        let mut unfinished: VecDeque<Op> = VecDeque::new();
        while self.closing.is_none() || !unfinished.is_empty() {
            let mut next = match self.closing {
                Some(_) => None,
                None if self.garbage || !unfinished.is_empty() => ops.try_recv().ok(),
                None => match ops.blocking_recv() {
                    Some(op) => Some(op),
                    None => break,
                },
            };
            self.look_at_space();
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
            if self.garbage {
                self.garbage = self.in_txn(apply::sweep).unwrap_or(false);
            }
            self.commit();
        }
        if let Err(error) = self.committer.settled() {
            tracing::warn!(%error, "the mark of the store could not be synced");
        }
        // Once the store is said to be closed, its directory may be opened again.
        let closing = self.closing.take();
        drop(self);
        if let Some(reply) = closing {
            let _ = reply.send(Ok(()));
        }
    }

    pub(super) fn in_txn<T>(
        &mut self,
        operation: impl FnOnce(&mut Txn<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut txn = Txn::new(&self.tree, &self.group);
        let value = operation(&mut txn)?;
        let writes = txn.into_writes();
        self.join(writes);
        Ok(value)
    }

    pub(super) fn join(&mut self, writes: Writes) {
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

    /// Refuses a change that adds something while the disk is nearly full.
    pub(super) fn room(&self) -> Result<(), StoreError> {
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
