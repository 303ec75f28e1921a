//! Totals: the number of records of each kind, a checksum over them and the number of the last commit.
//!
//! sled silently drops the part of its log that it cannot read. Every commit writes the totals together
//! with the records, so that a scrub of all records reveals missing, old and surplus ones. A loss of the
//! totals themselves shows in the [`acknowledged`](super::super::acknowledged) file.

use crate::store::sled::engine::{keys, record};

/// The counted kinds: their records cannot be rebuilt from others.
///
/// New kinds go to the end: the totals of an older release have fewer kinds.
pub(crate) const KINDS: [(u8, &str); 15] = [
    (keys::TASK, "tasks"),
    (keys::EXECUTION, "executions"),
    (keys::OUTPUT, "pieces of output"),
    (keys::AUDIT, "audit records"),
    (keys::VALUE, "values"),
    (keys::ENTRY, "entries of handlers"),
    (keys::STEP, "steps"),
    (keys::BINDING, "secrets and variables"),
    (keys::ACTIVITY, "figures of activity"),
    (keys::TOKEN, "tokens"),
    (keys::SESSION, "sessions"),
    (keys::OUTBOX, "alerts"),
    (keys::PARAMS, "long parameters"),
    (keys::SOURCE, "sources"),
    (keys::VERSION, "versions of handlers"),
];

/// The number of entries and a checksum over them, independent of their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    hash: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.hash = self.hash.wrapping_add(hash(key, value));
    }

    pub(crate) fn take(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.hash = self.hash.wrapping_sub(hash(key, value));
    }
}

/// Two CRC32C side by side: of the key, and of key and value. They reveal accidents, not forgeries.
fn hash(key: &[u8], value: &[u8]) -> u64 {
    let of_key = crc32c::crc32c(key);
    u64::from(of_key) << 32 | u64::from(crc32c::crc32c_append(of_key, value))
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The number of the last commit, from 1.
    pub(crate) sequence: u64,
    kinds: [Kind; KINDS.len()],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kind {
    sum: Sum,
    /// Whether the checksum is unknown because damaged records were replaced or removed.
    vague: bool,
}

const KIND_SIZE: usize = 17;
const SIZE: usize = 8 + KINDS.len() * KIND_SIZE;

impl Totals {
    pub(crate) fn key() -> Vec<u8> {
        // The name of the first release; its stores open by it.
        keys::meta("tally")
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIZE);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        for kind in &self.kinds {
            bytes.extend_from_slice(&kind.sum.count.to_be_bytes());
            bytes.extend_from_slice(&kind.sum.hash.to_be_bytes());
            bytes.push(u8::from(kind.vague));
        }
        record::encode_bytes(&bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let payload = record::payload(bytes).ok()?;
        let whole = payload.len() <= SIZE && payload.len() % KIND_SIZE == SIZE % KIND_SIZE;
        let kinds = whole.then_some(payload.len() / KIND_SIZE)?;
        let number = |at: usize| Some(u64::from_be_bytes(payload.get(at..at + 8)?.try_into().ok()?));
        let mut totals = Self { sequence: number(0)?, ..Self::default() };
        for (index, kind) in totals.kinds.iter_mut().take(kinds).enumerate() {
            let at = 8 + index * KIND_SIZE;
            kind.sum = Sum { count: number(at)?, hash: number(at + 8)? };
            kind.vague = payload[at + 16] != 0;
        }
        Some(totals)
    }

    /// Counts the change of a value from `old` to `new`; `None` means that there is no value.
    pub(crate) fn change(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        let Some(kind) = index_of(key[0]).map(|at| &mut self.kinds[at]) else { return };
        if let Some(old) = old {
            kind.sum.take(key, old);
            kind.vague |= record::payload(old).is_err();
        }
        if let Some(new) = new {
            kind.sum.add(key, new);
        }
    }

    /// Describes the difference between the totals of a kind and the records found, `found` verified and
    /// `bad` damaged ones.
    pub(crate) fn compare(&self, prefix: u8, found: Sum, bad: u64) -> Option<String> {
        let at = index_of(prefix)?;
        let (Kind { sum, vague }, name) = (self.kinds[at], KINDS[at].1);
        let count = found.count.wrapping_add(bad);
        if count < sum.count {
            Some(format!("{} of {} {name} are missing", sum.count - count, sum.count))
        } else if count > sum.count {
            Some(format!("there are {} {name} more than there should be", count - sum.count))
        } else if bad == 0 && !vague && found != sum {
            Some(format!("some {name} are not as they were written last"))
        } else {
            None
        }
    }

    /// Replaces the totals of a kind by the records found.
    pub(crate) fn adopt(&mut self, prefix: u8, found: Sum) {
        if let Some(at) = index_of(prefix) {
            self.kinds[at] = Kind { sum: found, vague: false };
        }
    }

    /// Marks the checksum of a kind as unknown until the next [`adopt`](Self::adopt).
    pub(crate) fn blur(&mut self, prefix: u8) {
        if let Some(at) = index_of(prefix) {
            self.kinds[at].vague = true;
        }
    }

    pub(crate) fn counts(prefix: u8) -> bool {
        index_of(prefix).is_some()
    }

    pub(crate) fn count(&self, prefix: u8) -> u64 {
        index_of(prefix).map_or(0, |at| self.kinds[at].sum.count)
    }
}

fn index_of(prefix: u8) -> Option<usize> {
    KINDS.iter().position(|(kind, _)| *kind == prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_lie_where_the_first_release_wrote_them() {
        assert_eq!(Totals::key(), b"mtally");
    }

    #[test]
    fn totals_of_a_release_with_fewer_kinds_are_read() {
        let mut totals = Totals { sequence: 9, ..Totals::default() };
        totals.change(b"t1", None, Some(&record::encode_bytes(b"task")));
        let payload = record::payload(&totals.encode()).expect("it verifies").to_vec();
        let older = record::encode_bytes(&payload[..8 + 5 * KIND_SIZE]);
        assert_eq!(Totals::decode(&older), Some(totals));
        assert_eq!(Totals::decode(&record::encode_bytes(&payload[..payload.len() - 1])), None);
        assert_eq!(Totals::decode(&record::encode_bytes(&[&payload[..], &[0; KIND_SIZE]].concat())), None);
    }

    #[test]
    fn what_is_missing_old_or_too_many_shows() {
        let mut totals = Totals::default();
        let old = record::encode_bytes(b"old");
        let new = record::encode_bytes(b"new");
        totals.change(b"t1", None, Some(&old));
        totals.change(b"t2", None, Some(&old));
        totals.change(b"t1", Some(&old), Some(&new));
        totals.change(b"d1", None, Some(b""));
        assert_eq!(Totals::decode(&totals.encode()), Some(totals.clone()));
        let sum = |entries: &[(&[u8], &[u8])]| {
            let mut sum = Sum::default();
            entries.iter().for_each(|(key, value)| sum.add(key, value));
            sum
        };
        let compare = |entries: &[(&[u8], &[u8])], bad| totals.compare(keys::TASK, sum(entries), bad);
        assert_eq!(compare(&[(b"t2", &old), (b"t1", &new)], 0), None);
        assert_eq!(compare(&[(b"t2", &old)], 1), None, "the other one is in quarantine");
        for (entries, words) in [
            (&[(&b"t2"[..], &old[..])][..], "1 of 2 tasks are missing"),
            (&[(b"t2", &old), (b"t1", &old)], "not as they were written last"),
            (&[(b"t1", &old), (b"t2", &new)], "not as they were written last"),
            (&[(b"t2", &old), (b"t1", &new), (b"t3", &new)], "1 tasks more"),
        ] {
            let problem = compare(entries, 0).unwrap_or_default();
            assert!(problem.contains(words), "{problem}");
        }
        // A damaged record is replaced: the checksum is unknown, the count is right.
        totals.change(b"t2", Some(b"damaged"), Some(&new));
        assert_eq!(totals.compare(keys::TASK, sum(&[(b"t2", &new), (b"t1", &new)]), 0), None);
    }
}
