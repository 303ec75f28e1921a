//! The tree as records lie in it: one of more than [`INLINE`] bytes in pieces of at most that
//! many, and under its key a head that tells what they make together.
//!
//! sled keeps up to sixteen neighbours in a page, and a page of more than a quarter of a segment
//! of its log becomes a file of its own. Such files stand outside the order of the log: after a
//! loss of power the log may be there without one, and sled goes on with the rest of the batch;
//! and one that was replaced is removed before what replaces it is sure to be on the disk. Of
//! pieces this small no page grows so large, so there are no such files.

use std::ops::{Range, RangeBounds};

use sled::{Batch, IVec, Tree};

use super::{keys, txn::after_prefix};

/// What lies in the tree whole, in bytes, and how large a piece is.
const INLINE: usize = 32 * 1024;
/// The version byte of a head, which is that of no record.
pub(super) const VERSION: u8 = 2;
const HEAD: usize = 17;

/// Kinds of which a value may be that large.
const KINDS: [u8; 5] = [keys::TASK, keys::EXECUTION, keys::AUDIT, keys::VALUE, keys::SET_ASIDE];

/// A key and its value.
type Entry = sled::Result<(IVec, IVec)>;

#[derive(Clone)]
pub(super) struct Records(Tree);

impl Records {
    pub(super) fn new(tree: &Tree) -> Self {
        Self(tree.clone())
    }

    pub(super) fn get(&self, key: &[u8]) -> sled::Result<Option<IVec>> {
        self.0.get(key).and_then(|value| self.whole(key, value))
    }

    pub(super) fn contains_key(&self, key: &[u8]) -> sled::Result<bool> {
        self.0.contains_key(key)
    }

    pub(super) fn range(
        &self,
        range: impl RangeBounds<Vec<u8>>,
    ) -> impl DoubleEndedIterator<Item = Entry> + '_ {
        self.0.range(range).filter_map(|entry| {
            entry
                .and_then(|(key, value)| Ok(self.whole(&key, Some(value))?.map(|value| (key, value))))
                .transpose()
        })
    }

    pub(super) fn scan_prefix(&self, prefix: &[u8]) -> impl DoubleEndedIterator<Item = Entry> + use<'_> {
        self.range(prefix.to_vec()..after_prefix(prefix))
    }

    pub(super) fn range_keys(
        &self,
        range: Range<Vec<u8>>,
    ) -> impl DoubleEndedIterator<Item = sled::Result<IVec>> + use<> {
        self.0.range(range).keys()
    }

    pub(super) fn prefix_keys(
        &self,
        prefix: &[u8],
    ) -> impl DoubleEndedIterator<Item = sled::Result<IVec>> + use<> {
        self.range_keys(prefix.to_vec()..after_prefix(prefix))
    }

    pub(super) fn apply(&self, batch: Batch) -> sled::Result<()> {
        self.0.apply_batch(batch)
    }

    pub(super) fn flush(&self) -> sled::Result<usize> {
        self.0.flush()
    }

    /// The value of which `found` may be the head. One that does not come out as its head says
    /// is what was found of it, and verifies as no record.
    fn whole(&self, key: &[u8], mut found: Option<IVec>) -> sled::Result<Option<IVec>> {
        loop {
            let Some(head) = found.as_deref().filter(|_| may_be_large(key)).and_then(Head::read) else {
                return Ok(found);
            };
            let mut value = Vec::new();
            for number in 0..head.pieces() {
                value.extend_from_slice(&self.0.get(piece(key, number))?.unwrap_or_default());
            }
            if Head::of(&value) == head {
                return Ok(Some(value.into()));
            }
            // Either the writer has replaced it in the meantime, or it is damaged.
            let again = self.0.get(key)?;
            if again == found {
                return Ok(Some([&head.encode()[..], &value].concat().into()));
            }
            found = again;
        }
    }

    /// The keys of values of which there are pieces, but not the head, or too many of them.
    pub(super) fn strays(&self) -> sled::Result<Vec<Vec<u8>>> {
        let mut strays = Vec::new();
        for found in self.prefix_keys(&[keys::PIECE]) {
            let found = found?;
            let Some((key @ [_, ..], number)) = found[1..].split_last_chunk() else { continue };
            let head = self.0.get(key)?.as_deref().and_then(Head::read);
            if head.is_none_or(|head| head.pieces() <= u32::from_be_bytes(*number) as usize) {
                strays.push(key.to_vec());
            }
        }
        strays.dedup();
        Ok(strays)
    }
}

/// Adds to a batch that a value is written or, `None`, removed; `old` is what is there.
pub(super) fn write(batch: &mut Batch, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
    let large = new.filter(|new| may_be_large(key) && new.len() > INLINE);
    match (large, new) {
        (Some(value), _) => batch.insert(key, &Head::of(value).encode()[..]),
        (None, Some(value)) => batch.insert(key, value),
        (None, None) => batch.remove(key),
    }
    let pieces = large.map_or(0, |value| value.len().div_ceil(INLINE));
    for (number, bytes) in large.unwrap_or_default().chunks(INLINE).enumerate() {
        batch.insert(piece(key, number), bytes);
    }
    let before = old.filter(|_| may_be_large(key)).map_or(0, pieces_of);
    for number in pieces..before {
        batch.remove(piece(key, number));
    }
}

/// Whether what is written needs the old value ([`write`]).
pub(super) fn may_be_large(key: &[u8]) -> bool {
    key.first().is_some_and(|kind| KINDS.contains(kind))
}

/// In how many pieces a value that was read may lie.
fn pieces_of(value: &[u8]) -> usize {
    // It begins with its head if it is damaged.
    let damaged = value.get(..HEAD).and_then(Head::read).map_or(0, Head::pieces);
    if value.len() > INLINE { damaged.max(value.len().div_ceil(INLINE)) } else { damaged }
}

fn piece(key: &[u8], number: usize) -> Vec<u8> {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    [&[keys::PIECE], key, &number.to_be_bytes()].concat()
}

/// The version, a CRC32C of what follows, the length of the value, the value's CRC32C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    length: u64,
    checksum: u32,
}

impl Head {
    fn of(value: &[u8]) -> Self {
        Self { length: value.len() as u64, checksum: crc32c::crc32c(value) }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEAD] = bytes.try_into().ok()?;
        let head = Self {
            length: u64::from_be_bytes(bytes[5..13].try_into().ok()?),
            checksum: u32::from_be_bytes(bytes[13..].try_into().ok()?),
        };
        (head.encode() == *bytes).then_some(head)
    }

    fn encode(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[0] = VERSION;
        bytes[5..13].copy_from_slice(&self.length.to_be_bytes());
        bytes[13..].copy_from_slice(&self.checksum.to_be_bytes());
        let own = crc32c::crc32c(&bytes[5..]);
        bytes[1..5].copy_from_slice(&own.to_be_bytes());
        bytes
    }

    fn pieces(self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX).div_ceil(INLINE)
    }
}
