//! The check: every record is verified, and what follows from the tasks (indexes, counters) is
//! compared with what it should be. What differs is mended, what does not verify set aside.
//!
//! It walks over one range of keys after the other, in parts small enough to be done between
//! two commits. What is found is added up; a commit tells what it changes of what has been
//! passed already ([`Check::note`]), so that the sums are always those of one moment. The
//! comparison needs one pass and no memory; only an index that differs is mended entry by
//! entry ([`repair`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    domain::facts::Task,
    store::{
        StoreError,
        sled::{
            engine::{
                Bytes, keys, record,
                txn::{Txn, backend},
            },
            scrub::{repair, report::Shared},
            write::totals::{KINDS, Sum, Totals},
        },
    },
};

/// Records before what is made of them, tasks first.
const WALK: [u8; 12] = [
    keys::TASK,
    keys::NAME,
    keys::DUE,
    keys::STATUS,
    keys::HANDLER,
    keys::UPDATED,
    keys::RUNNING,
    keys::EXECUTION,
    keys::OUTPUT,
    keys::AUDIT,
    keys::VALUE,
    keys::PIECE,
];
/// After this place of the walk everything that follows from tasks is known.
const LAST_INDEX: u8 = keys::RUNNING;
/// What a part may cost: bytes, and so many more for every entry. Some two milliseconds.
const PART: usize = 160 * 1024;
const ENTRY: usize = 48;

pub(crate) struct Check {
    /// The place in [`WALK`], and the last key seen there.
    place: usize,
    after: Option<Vec<u8>>,
    found: BTreeMap<u8, Sum>,
    expected: BTreeMap<u8, Sum>,
    /// Tasks by the counter that counts them.
    counters: BTreeMap<Vec<u8>, u64>,
    /// Records that do not verify and are still there, by kind.
    bad: BTreeMap<u8, u64>,
    mends: VecDeque<repair::Mend>,
    report: Shared,
    /// Whether sums that differ are problems: not in a store whose numbers are not known.
    numbered: bool,
}

impl Check {
    pub(crate) fn new(report: Shared, numbered: bool) -> Self {
        Self {
            place: 0,
            after: None,
            found: BTreeMap::new(),
            expected: BTreeMap::new(),
            counters: BTreeMap::new(),
            bad: BTreeMap::new(),
            mends: VecDeque::new(),
            report,
            numbered,
        }
    }

    /// Does a part, and says how much it cost; nothing when all is done.
    pub(crate) fn part(
        &mut self,
        txn: &mut Txn<'_>,
        totals: &mut Totals,
    ) -> Result<Option<usize>, StoreError> {
        if let Some(mend) = self.mends.front_mut() {
            if mend.part(txn)? {
                self.mends.pop_front();
            }
            return Ok(Some(PART));
        }
        let Some(kind) = WALK.get(self.place).copied() else { return Ok(None) };
        let from = self.after.as_ref().map_or_else(|| vec![kind], |key| [&key[..], &[0]].concat());
        let mut cost = 0;
        for entry in txn.tree().range(from..keys::after_prefix(&[kind])) {
            let (key, value) = entry.map_err(backend("scan the store"))?;
            self.see(txn, totals, &key, &value)?;
            cost += ENTRY + key.len() + value.len();
            self.after = Some(key.to_vec());
            if cost > PART {
                return Ok(Some(cost));
            }
        }
        self.compare(totals, kind);
        if kind == LAST_INDEX {
            self.settle(txn)?;
        }
        (self.place, self.after) = (self.place + 1, None);
        Ok(Some(cost))
    }

    fn see(
        &mut self,
        txn: &mut Txn<'_>,
        totals: &mut Totals,
        key: &Bytes,
        value: &Bytes,
    ) -> Result<(), StoreError> {
        if key[0] == keys::PIECE {
            if txn.tree().is_stray(key).map_err(backend("read the store"))? {
                repair::quarantine(txn, key, value)?;
                self.report.quarantine(key, "what it belongs to is not there");
            }
            return Ok(());
        }
        let Err(why) = self.count(key, value, Sum::add, 1) else { return Ok(()) };
        *self.bad.entry(key[0]).or_default() += 1;
        totals.blur(key[0]);
        // Not one that is being replaced.
        if txn.get(key)?.as_ref() == Some(value) {
            repair::quarantine(txn, key, value)?;
            self.report.quarantine(key, &why);
        }
        Ok(())
    }

    /// Adds an entry to what was found, or takes it away; says why it does not verify.
    fn count(
        &mut self,
        key: &[u8],
        value: &[u8],
        with: fn(&mut Sum, &[u8], &[u8]),
        delta: i64,
    ) -> Result<(), String> {
        match key[0] {
            keys::TASK => {
                let task: Task = record::decode(value).map_err(|error| error.to_string())?;
                if keys::task(task.id) != key {
                    return Err("it lies under another task's key".to_owned());
                }
                for (key, value) in keys::index_entries(&task) {
                    with(self.expected.entry(key[0]).or_default(), &key, &value);
                }
                for counter in keys::counters(&task) {
                    let count = self.counters.entry(counter).or_default();
                    *count = count.saturating_add_signed(delta);
                }
            }
            kind if Totals::counts(kind) => {
                record::payload(value).map_err(|error| error.to_string())?;
            }
            _ => {}
        }
        with(self.found.entry(key[0]).or_default(), key, value);
        Ok(())
    }

    /// Whether a commit has to say what it does to entries of a kind.
    pub(crate) fn watches(kind: u8) -> bool {
        WALK.contains(&kind)
    }

    /// A commit is about to replace a value or to remove it (`new` is `None`).
    pub(crate) fn note(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        let Some(place) = WALK.iter().position(|kind| *kind == key[0]) else { return };
        let passed = place < self.place
            || place == self.place && self.after.as_deref().is_some_and(|after| key <= after);
        if !passed {
            return;
        }
        if old.is_some_and(|old| self.count(key, old, Sum::take, -1).is_err())
            && let Some(bad) = self.bad.get_mut(&key[0])
        {
            *bad = bad.saturating_sub(1);
        }
        if new.is_some_and(|new| self.count(key, new, Sum::add, 1).is_err()) {
            *self.bad.entry(key[0]).or_default() += 1;
        }
    }

    fn compare(&mut self, totals: &mut Totals, kind: u8) {
        let found = self.found.get(&kind).copied().unwrap_or_default();
        let bad = self.bad.get(&kind).copied().unwrap_or_default();
        match totals.compare(kind, found, bad) {
            Some(problem) if self.numbered => self.report.missing(problem),
            None if bad > 0 => {}
            _ => totals.adopt(kind, found),
        }
    }

    /// All tasks and indexes have been seen: what differs?
    fn settle(&mut self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        for (prefix, name) in keys::INDEXES {
            let sum = |sums: &BTreeMap<u8, Sum>| sums.get(&prefix).copied().unwrap_or_default();
            if sum(&self.found) != sum(&self.expected) {
                self.report.rebuilt(name);
                self.mends.push_back(repair::Mend::new(prefix));
            }
        }
        // The counters that there are, as of the last commit, and those that there should be.
        let mut stored = BTreeMap::new();
        for prefix in keys::TASK_COUNTERS {
            for entry in txn.tree().scan_prefix(&prefix) {
                let (key, value) = entry.map_err(backend("scan the store"))?;
                stored.insert(key.to_vec(), crate::store::sled::engine::txn::read_counter(&value));
            }
        }
        let counters: BTreeSet<Vec<u8>> = stored.keys().chain(self.counters.keys()).cloned().collect();
        let mut wrong = false;
        for key in counters {
            let [is, should] =
                [&stored, &self.counters].map(|all| all.get(&key).copied().unwrap_or_default());
            if is != should {
                wrong = true;
                txn.add(key, should.cast_signed().wrapping_sub(is.cast_signed()))?;
            }
        }
        if wrong && self.numbered {
            self.report.rebuilt("counters");
        }
        Ok(())
    }

    /// How many of what was seen are tasks.
    pub(crate) fn tasks(&self) -> u64 {
        self.found.get(&keys::TASK).map_or(0, |sum| sum.count)
    }
}

const _: () = assert!(KINDS.len() + keys::INDEXES.len() + 1 == WALK.len(), "everything is walked over");
