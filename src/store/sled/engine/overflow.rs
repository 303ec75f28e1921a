//! Overflow: a value of more than [`INLINE`] bytes is stored in pieces of at most that many, and a head
//! with their length and checksum is stored under its key.
//!
//! sled keeps up to sixteen neighbours in a page, and stores a page of more than a quarter of a log
//! segment in a file of its own (a blob). Blobs are not ordered with the log: after a loss of power the
//! log may refer to a missing blob, and sled goes on with the rest of the batch; and sled removes a
//! replaced blob before its replacement is certain to be on the disk. With pieces this small no page grows
//! large enough for a blob.

use std::ops::{Range, RangeBounds};

use sled::{Batch, IVec, Tree};

use crate::store::sled::engine::{
    keys::{after_prefix, may_be_large, owner, piece},
    reads::Reads,
    record::{self, OVERFLOW},
};

/// The largest value stored without pieces, and the size of a piece, in bytes.
const INLINE: usize = 32 * 1024;
const HEAD: usize = 13;

/// A key and its value.
type Entry = sled::Result<(IVec, IVec)>;

/// The tree, read and written in whole values.
#[derive(Clone)]
pub(crate) struct Records(Tree, Reads);

impl Records {
    pub(crate) fn new(tree: &Tree) -> Self {
        Self(tree.clone(), Reads::default())
    }

    /// Counts of what was read through this and its clones.
    #[cfg(test)]
    pub(crate) fn reads(&self) -> &Reads {
        &self.1
    }

    pub(crate) fn get(&self, key: &[u8]) -> sled::Result<Option<IVec>> {
        self.1.note(key);
        self.0.get(key).and_then(|value| self.assemble(key, value))
    }

    pub(crate) fn contains_key(&self, key: &[u8]) -> sled::Result<bool> {
        self.1.note_key();
        self.0.contains_key(key)
    }

    pub(crate) fn range(
        &self,
        range: impl RangeBounds<Vec<u8>>,
    ) -> impl DoubleEndedIterator<Item = Entry> + '_ {
        self.0.range(range).filter_map(|entry| {
            self.1.note_found(&entry);
            entry
                .and_then(|(key, value)| Ok(self.assemble(&key, Some(value))?.map(|value| (key, value))))
                .transpose()
        })
    }

    pub(crate) fn scan_prefix(&self, prefix: &[u8]) -> impl DoubleEndedIterator<Item = Entry> + use<'_> {
        self.range(prefix.to_vec()..after_prefix(prefix))
    }

    pub(crate) fn range_keys(
        &self,
        range: Range<Vec<u8>>,
    ) -> impl DoubleEndedIterator<Item = sled::Result<IVec>> + use<> {
        let reads = self.1.clone();
        self.0.range(range).keys().inspect(move |_| reads.note_key())
    }

    pub(crate) fn prefix_keys(
        &self,
        prefix: &[u8],
    ) -> impl DoubleEndedIterator<Item = sled::Result<IVec>> + use<> {
        self.range_keys(prefix.to_vec()..after_prefix(prefix))
    }

    pub(crate) fn apply(&self, batch: Batch) -> sled::Result<()> {
        self.0.apply_batch(batch)
    }

    pub(crate) fn flush(&self) -> sled::Result<usize> {
        self.0.flush()
    }

    /// Adds the write of a value, or its removal (`None`), to a batch. `old` is the current value if the
    /// key [may be large](may_be_large).
    pub(crate) fn write(
        &self,
        batch: &mut Batch,
        key: &[u8],
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> sled::Result<()> {
        let large = new.filter(|new| may_be_large(key) && new.len() > INLINE);
        let had_pieces = |old: &[u8]| old.len() > INLINE || record::payload(old).is_err();
        if large.is_some() || may_be_large(key) && old.is_some_and(had_pieces) {
            for piece in self.pieces(key) {
                batch.remove(piece?.0);
            }
        }
        match (large, new) {
            (Some(value), _) => {
                batch.insert(key, &head(value)[..]);
                for (number, bytes) in (0..).zip(value.chunks(INLINE)) {
                    batch.insert(piece(key, number), bytes);
                }
            }
            (None, Some(value)) => batch.insert(key, value),
            (None, None) => batch.remove(key),
        }
        Ok(())
    }

    /// Assembles a value from its pieces if `found` is a head. If head and pieces do not match, the
    /// result is the head followed by the pieces, which never verifies as a record.
    fn assemble(&self, key: &[u8], mut found: Option<IVec>) -> sled::Result<Option<IVec>> {
        loop {
            let Some(value) = found.as_ref().filter(|value| may_be_large(key) && may_be_head(value)) else {
                return Ok(found);
            };
            let mut pieces = Vec::new();
            for piece in self.pieces(key) {
                pieces.extend_from_slice(&piece?.1);
            }
            if pieces.len() > INLINE && head(&pieces)[..] == **value {
                return Ok(Some(pieces.into()));
            }
            // Either the writer has just replaced the value, or the value is damaged.
            let again = self.0.get(key)?;
            if again == found {
                return Ok(Some([value, &pieces[..]].concat().into()));
            }
            found = again;
        }
    }

    /// The pieces of a value, in order.
    fn pieces(&self, key: &[u8]) -> impl Iterator<Item = Entry> + use<> {
        let [first, last] = [0, u16::MAX].map(|number| piece(key, number.into()));
        let length = first.len();
        // Skip pieces of longer keys: with zeros after `key` they sort between its pieces.
        self.0
            .range(first..=last)
            .filter(move |entry| entry.as_ref().map_or(true, |(key, _)| key.len() == length))
    }

    /// Whether the value of an overflow piece is missing.
    pub(crate) fn is_stray(&self, piece: &[u8]) -> sled::Result<bool> {
        let Some(owner) = owner(piece).filter(|owner| may_be_large(owner)) else { return Ok(true) };
        Ok(!self.0.get(owner)?.is_some_and(|value| may_be_head(&value)))
    }
}

/// The head of a large value: version, length and CRC32C of the value.
fn head(value: &[u8]) -> [u8; HEAD] {
    let mut bytes = [OVERFLOW; HEAD];
    bytes[1..9].copy_from_slice(&(value.len() as u64).to_be_bytes());
    bytes[9..].copy_from_slice(&crc32c::crc32c(value).to_be_bytes());
    bytes
}

/// Whether a value has the length of a head and is no record; true for a damaged head too.
fn may_be_head(value: &[u8]) -> bool {
    value.len() == HEAD && record::payload(value).is_err()
}
