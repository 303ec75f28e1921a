//! Keys of the audit: records by time, and the index of those about each task.

use super::keys::{AUDIT, Entry, join, last_task, millis, read_millis};
use crate::{
    domain::{Millis, ids::TaskId},
    store::{Audit, AuditPlace},
};

/// Audit records by task, time and number.
pub(crate) const BY_TASK: u8 = b'i';

/// The indexes that follow from audit records alone, and their names.
pub(crate) const INDEXES: [(u8, &str); 1] = [(BY_TASK, "audit by task")];

/// The key of the mark of a store in which every record is in the index.
pub(crate) fn complete() -> Vec<u8> {
    super::keys::meta("audit-index")
}

pub(crate) fn record(AuditPlace { time, number }: AuditPlace) -> Vec<u8> {
    join(AUDIT, &[&millis(time), &number.to_be_bytes()])
}

/// The prefix of the records about a task.
pub(crate) fn of_task(task: TaskId) -> Vec<u8> {
    join(BY_TASK, &[&task.to_bytes()])
}

pub(crate) fn of_task_at(task: TaskId, place: AuditPlace) -> Vec<u8> {
    [&of_task(task)[..], &record(place)[1..]].concat()
}

/// The place at the end of the key of a record or of its entry in the index.
pub(crate) fn place_of(key: &[u8]) -> Option<AuditPlace> {
    let (time, number) = key.get(key.len().checked_sub(16)?..)?.split_at_checked(8)?;
    Some(AuditPlace { time: read_millis(time)?, number: u64::from_be_bytes(number.try_into().ok()?) })
}

/// The index entry of the record under a key; none if it is about no task.
pub(crate) fn entries(key: &[u8], audit: &Audit) -> Vec<Entry> {
    let entry = audit.task_id.zip(place_of(key)).map(|(task, place)| (of_task_at(task, place), Vec::new()));
    entry.into_iter().collect()
}

/// The task in a key of the index.
pub(crate) fn task_of(key: &[u8]) -> Option<TaskId> {
    key.get(..17).and_then(last_task)
}

/// The range of the places from `from` up to and including `until`, below `before`, as suffixes of keys.
pub(crate) fn range(
    prefix: &[u8],
    (from, until): (Millis, Millis),
    before: Option<AuditPlace>,
) -> std::ops::Range<Vec<u8>> {
    let at = |place: AuditPlace| [prefix, &record(place)[1..]].concat();
    let first = at(AuditPlace { time: from, number: 0 });
    let end = match until.checked_add(1) {
        Some(time) => at(AuditPlace { time, number: 0 }),
        None => super::keys::after_prefix(prefix),
    };
    let end = before.map_or(end.clone(), |before| at(before).min(end));
    first.clone()..end.max(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_places(a: i64, b: i64, m: u64, n: u64, task: u128) {
            let task = TaskId::from_bytes(task.to_be_bytes());
            let (first, second) = (AuditPlace { time: a, number: m }, AuditPlace { time: b, number: n });
            prop_assert_eq!(record(first).cmp(&record(second)), first.cmp(&second));
            prop_assert_eq!(place_of(&record(first)), Some(first));
            let entry = of_task_at(task, first);
            prop_assert_eq!((place_of(&entry), task_of(&entry)), (Some(first), Some(task)));
            let within = range(&of_task(task), (a.min(b), b), Some(AuditPlace { time: b, number: n }));
            prop_assert_eq!(within.contains(&entry), first < second && a >= a.min(b) && a <= b);
        }
    }
}
