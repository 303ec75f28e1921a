//! The committer: turns a group of writes into a batch, keeps the totals in step with it, and scrubs
//! between commits.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use crate::{
    domain::panic::line_of,
    store::{
        StoreError,
        sled::{
            engine::{
                Batch, EngineResult, keys,
                overflow::Records,
                txn::{Txn, Writes},
            },
            scrub::{report::SharedReport, scrubber::Scrubber},
            write::{
                acknowledged::{AckFile, LastAck},
                figures::totals::Totals,
            },
        },
    },
};

pub(crate) struct Committer {
    totals: Totals,
    ack_file: AckFile,
    last_ack: LastAck,
    /// None once the scrub is over.
    scrubber: Option<Scrubber>,
    report: SharedReport,
}

impl Committer {
    pub(crate) fn open(tree: &Records, directory: &Path, report: SharedReport) -> io::Result<Self> {
        let (ack_file, last_ack) = AckFile::open(directory)?;
        let totals = tree.get(&Totals::key())?.and_then(|bytes| Totals::decode(&bytes)).unwrap_or_default();
        let scrubber = Some(Scrubber::new(report.clone(), last_ack != LastAck::Nothing));
        Ok(Self { totals, ack_file, last_ack, scrubber, report })
    }

    /// Describes the loss if the last acknowledged commit is not in the store.
    pub(crate) fn lost_commits(&self) -> Option<String> {
        match self.last_ack {
            LastAck::Commit(number) if number > self.totals.sequence => Some(format!(
                "the last change in the store has the number {}, but the change with the number {number} had \
                 been acknowledged",
                self.totals.sequence
            )),
            _ => None,
        }
    }

    /// Whether the store has no totals yet.
    pub(crate) fn is_new(&self) -> bool {
        self.totals.sequence == 0
    }

    /// Makes the batch that writes a group and the totals after it.
    pub(crate) fn batch(&mut self, tree: &Records, group: &Writes) -> EngineResult<Batch> {
        let mut batch = Batch::default();
        // Write overflow pieces before values: quarantining an old piece must not delete the piece that a
        // rewritten value has just put under the same key.
        let piece = |(key, _): &(&Vec<u8>, _)| key[0] == keys::PIECE;
        let (pieces, values): (Vec<_>, Vec<_>) = group.iter().partition(piece);
        for (key, new) in pieces.into_iter().chain(values) {
            let noted = self.scrubber.is_some() && Scrubber::watches(key[0]);
            let needs_old = noted || Totals::counts(key[0]) || keys::may_be_large(key);
            let old = if needs_old { tree.get(key)? } else { None };
            let (old, new) = (old.as_deref(), new.as_deref());
            self.totals.change(key, old, new);
            if let Some(scrubber) = &mut self.scrubber {
                scrubber.note(key, old, new);
            }
            tree.write(&mut batch, key, old, new)?;
        }
        self.totals.sequence += 1;
        batch.insert(Totals::key(), self.totals.encode());
        Ok(batch)
    }

    /// Writes the number of the last batch to the acknowledged file. Call when the batch is on the disk.
    pub(crate) fn acknowledge(&self) -> io::Result<()> {
        self.ack_file.write(self.totals.sequence)
    }

    /// As [`acknowledge`](Self::acknowledge), and syncs the file.
    pub(crate) fn acknowledge_synced(&self) -> io::Result<()> {
        self.acknowledge().and_then(|()| self.ack_file.sync())
    }

    /// Does a part of the scrub; returns its cost, `None` once the scrub is done. A failure, or a panic of
    /// sled, ends the scrub: the files cannot be read as a whole.
    pub(crate) fn scrub(&mut self, txn: &mut Txn<'_>) -> Result<Option<usize>, StoreError> {
        let Some(scrubber) = &mut self.scrubber else { return Ok(None) };
        // After a panic neither the scrubber nor its writes are used.
        let part = catch_unwind(AssertUnwindSafe(|| scrubber.part(txn, &mut self.totals)));
        let cost = part.unwrap_or_else(|panic| {
            Err(StoreError::Backend { doing: "check the store", why: line_of(&*panic) })
        });
        match cost {
            Ok(Some(_)) => {}
            Ok(None) => {
                self.report.end(scrubber.tasks());
                self.scrubber = None;
            }
            Err(ref error) => {
                self.report.fail(error);
                self.scrubber = None;
            }
        }
        cost
    }

    /// The number of tasks by the totals.
    pub(crate) fn tasks(&self) -> u64 {
        self.totals.count(keys::TASK)
    }
}
