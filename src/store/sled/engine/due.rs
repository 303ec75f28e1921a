//! The index of due times. Tasks of priority 0 lie in one range; those of each other priority lie in a range of
//! their own, so that a claim without them looks at one empty range only.

use crate::domain::{Millis, facts::Task};

/// Tasks of priority 0 by due time.
pub(crate) const PLAIN: u8 = b'd';
/// Tasks of another priority by priority, highest first, and due time.
pub(crate) const RANKED: u8 = b'D';

/// Encodes a time so that the byte order is the order of time, before 1970 too.
pub(crate) fn millis(time: Millis) -> [u8; 8] {
    (time.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// Decodes the first eight bytes; the reverse of [`millis`].
pub(crate) fn read_millis(bytes: &[u8]) -> Option<Millis> {
    let bytes: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// The priorities, highest first.
pub(crate) fn priorities() -> impl Iterator<Item = i8> {
    (-10..=10).rev()
}

/// The prefix of the due times of a priority's tasks.
pub(crate) fn prefix(priority: i8) -> Vec<u8> {
    match priority {
        0 => vec![PLAIN],
        _ => vec![RANKED, 127_u8.wrapping_sub(priority.cast_unsigned())],
    }
}

pub(crate) fn key(task: &Task, time: Millis) -> Vec<u8> {
    [&prefix(task.definition.priority)[..], &millis(time), &task.id.to_bytes()].concat()
}

/// The range of the due times of a priority's tasks up to and including `time`.
pub(crate) fn until(priority: i8, time: Millis) -> std::ops::Range<Vec<u8>> {
    let prefix = prefix(priority);
    let end = [&prefix[..], &millis(time.saturating_add(1))].concat();
    prefix..end
}

/// Whether a key is in the index.
pub(crate) fn contains(key: &[u8]) -> bool {
    key[0] == PLAIN || key[0] == RANKED
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{definition::Definition, draft::tests::definition, ids::TaskId};

    fn task(id: u128, priority: i8) -> Task {
        let definition = Definition { priority, ..definition("@hourly") };
        Task::new(TaskId::from_bytes(id.to_be_bytes()), definition, 0)
    }

    proptest! {
        #[test]
        fn the_order_of_key_bytes_is_that_of_priority_and_time(
            a in any::<i64>(), b in any::<i64>(), x in any::<u128>(), y in any::<u128>(),
            p in -10_i8..=10, q in -10_i8..=10,
        ) {
            let (first, second) = (task(x, p), task(y, p));
            prop_assert_eq!(key(&first, a).cmp(&key(&second, b)), (a, x).cmp(&(b, y)));
            prop_assert_eq!(until(p, a).contains(&key(&second, b)), b <= a || a == i64::MAX);
            if p != 0 && q != 0 && p != q {
                prop_assert_eq!(key(&first, a).cmp(&key(&task(y, q), b)), q.cmp(&p));
            }
        }
    }
}
