//! The committer: turns a group of writes into a batch, keeps the store's numbers in step with it,
//! and lets the check go on beside it.

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
            scrub::{report::Shared, scrubber::Check},
            write::{
                acknowledged::{AckFile, LastAck},
                totals::Totals,
            },
        },
    },
};

pub(crate) struct Committer {
    totals: Totals,
    mark: AckFile,
    marked: LastAck,
    check: Option<Check>,
    report: Shared,
}

impl Committer {
    pub(crate) fn open(tree: &Records, directory: &Path, report: Shared) -> io::Result<Self> {
        let (mark, marked) = AckFile::open(directory)?;
        let totals = tree.get(&Totals::key())?.and_then(|bytes| Totals::decode(&bytes)).unwrap_or_default();
        let check = Some(Check::new(report.clone(), marked != LastAck::Nothing));
        Ok(Self { totals, mark, marked, check, report })
    }

    /// What has been acknowledged but is not there.
    pub(crate) fn behind(&self) -> Option<String> {
        match self.marked {
            LastAck::Commit(number) if number > self.totals.sequence => Some(format!(
                "the last change in them has the number {}, but {number} had been acknowledged",
                self.totals.sequence
            )),
            _ => None,
        }
    }

    /// Whether there have never been any numbers.
    pub(crate) fn is_new(&self) -> bool {
        self.totals.sequence == 0
    }

    /// The batch that writes a group, and the numbers that are right after it.
    pub(crate) fn batch(&mut self, tree: &Records, group: &Writes) -> EngineResult<Batch> {
        let mut batch = Batch::default();
        // A piece that is set aside must not take one with it that a value gets anew.
        let piece = |(key, _): &(&Vec<u8>, _)| key[0] == keys::PIECE;
        let (pieces, values): (Vec<_>, Vec<_>) = group.iter().partition(piece);
        for (key, new) in pieces.into_iter().chain(values) {
            let noted = self.check.is_some() && Check::watches(key[0]);
            let looked_at = noted || Totals::counts(key[0]) || keys::may_be_large(key);
            let old = if looked_at { tree.get(key)? } else { None };
            let (old, new) = (old.as_deref(), new.as_deref());
            self.totals.change(key, old, new);
            if let Some(check) = &mut self.check {
                check.note(key, old, new);
            }
            tree.write(&mut batch, key, old, new)?;
        }
        self.totals.sequence += 1;
        batch.insert(Totals::key(), self.totals.encode());
        Ok(batch)
    }

    /// The last batch is on the disk.
    pub(crate) fn durable(&self) -> io::Result<()> {
        self.mark.write(self.totals.sequence)
    }

    /// What there is now is where the next start may begin.
    pub(crate) fn settled(&self) -> io::Result<()> {
        self.durable().and_then(|()| self.mark.sync())
    }

    /// Does a part of the check beside a group; what it cost, and nothing once all is checked.
    /// A check that fails, or in which sled panics, is over: the files cannot be read as a whole.
    pub(crate) fn check(&mut self, txn: &mut Txn<'_>) -> Result<Option<usize>, StoreError> {
        let Some(check) = &mut self.check else { return Ok(None) };
        // A check that has panicked is not used any more, and its writes are not either.
        let part = catch_unwind(AssertUnwindSafe(|| check.part(txn, &mut self.totals)));
        let cost = part.unwrap_or_else(|panic| {
            Err(StoreError::Backend { doing: "check the store", why: line_of(&*panic) })
        });
        match cost {
            Ok(Some(_)) => {}
            Ok(None) => {
                self.report.done(check.tasks());
                self.check = None;
            }
            Err(ref error) => {
                self.report.failed(error);
                self.check = None;
            }
        }
        cost
    }

    /// Tasks by the numbers.
    pub(crate) fn tasks(&self) -> u64 {
        self.totals.count(keys::TASK)
    }
}
