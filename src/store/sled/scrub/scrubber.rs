//! The scrubber: verifies every record, and compares indexes and counters with the tasks. A record that
//! does not verify is quarantined, an index or counter that differs is rebuilt.
//!
//! The scrubber visits one range of keys after the other, in parts small enough for the time between two
//! commits, and adds up checksums of the entries. Each commit reports its changes to entries already
//! visited ([`Scrubber::note`]), so that the sums always describe the current store. The comparison needs
//! one pass and constant memory; only an index that differs is repaired entry by entry ([`repair`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    domain::{execution::Execution, facts::Task},
    store::{
        Audit, Entry, StoreError,
        sled::{
            engine::{
                Bytes, audit, due, figures as figure_keys, keys, record, rows,
                txn::{Txn, backend},
            },
            scrub::{accounts::Accounts, repair, report::SharedReport},
            write::figures::totals::{KINDS, Sum, Totals},
        },
    },
};

/// The kinds in the order of the visit: tasks, then their indexes, rows, then theirs, then the other records.
const WALK: &[u8] = &[
    keys::TASK,
    keys::NAME,
    due::PLAIN,
    due::RANKED,
    keys::STATUS,
    keys::HANDLER,
    keys::TAG,
    keys::FOLLOWER,
    keys::UNTOLD,
    keys::KEYED,
    keys::UPDATED,
    keys::RUNNING,
    keys::ALARM,
    keys::FIRING,
    keys::EXECUTION,
    rows::OUTCOME,
    rows::BY_HANDLER,
    rows::LOCATION,
    keys::OUTPUT,
    keys::AUDIT,
    audit::BY_TASK,
    keys::VALUE,
    keys::ENTRY,
    keys::STEP,
    keys::BINDING,
    keys::ACTIVITY,
    keys::TOKEN,
    keys::SESSION,
    keys::OUTBOX,
    keys::PARAMS,
    keys::SOURCE,
    keys::VERSION,
    keys::PIECE,
];
/// The last index in [`WALK`]: after it indexes and counters can be compared with the tasks.
const LAST_INDEX: u8 = keys::FIRING;
/// The last index of rows: after it they can be compared with the rows.
const LAST_ROW_INDEX: u8 = rows::LOCATION;
/// The last index of audit records: after it they can be compared with the records.
const LAST_AUDIT_INDEX: u8 = audit::BY_TASK;
/// The cost of a part at most, in bytes read plus [`ENTRY`] for every entry: about two milliseconds.
const PART: usize = 160 * 1024;
const ENTRY: usize = 48;

pub(crate) struct Scrubber {
    /// The index of the current kind in [`WALK`], and the last key visited there.
    index: usize,
    after: Option<Vec<u8>>,
    found: BTreeMap<u8, Sum>,
    expected: BTreeMap<u8, Sum>,
    /// The expected values of the task counters.
    counters: BTreeMap<Vec<u8>, u64>,
    accounts: Accounts,
    /// Whether an entry was missing in the index by expiry.
    unindexed: bool,
    /// Records that do not verify and are not quarantined yet, by kind.
    bad: BTreeMap<u8, u64>,
    repairs: VecDeque<repair::IndexRepair>,
    /// The mark to set once the repairs under way have built indexes that an earlier version did not have.
    builds: Option<Vec<u8>>,
    report: SharedReport,
    /// Whether the totals are reliable, so that a difference from them is a loss.
    has_totals: bool,
}

impl Scrubber {
    pub(crate) fn new(report: SharedReport, has_totals: bool) -> Self {
        Self {
            index: 0,
            after: None,
            found: BTreeMap::new(),
            expected: BTreeMap::new(),
            counters: BTreeMap::new(),
            accounts: Accounts::default(),
            unindexed: false,
            bad: BTreeMap::new(),
            repairs: VecDeque::new(),
            builds: None,
            report,
            has_totals,
        }
    }

    /// Scrubs a part and returns its cost; `None` once the scrub is done.
    pub(crate) fn part(
        &mut self,
        txn: &mut Txn<'_>,
        totals: &mut Totals,
    ) -> Result<Option<usize>, StoreError> {
        if let Some(repair) = self.repairs.front_mut() {
            if repair.part(txn)? {
                self.repairs.pop_front();
            }
            return Ok(Some(PART));
        }
        if let Some(mark) = self.builds.take() {
            txn.put(mark, Vec::new());
            return Ok(Some(ENTRY));
        }
        let Some(kind) = WALK.get(self.index).copied() else { return Ok(None) };
        let from = self.after.as_ref().map_or_else(|| vec![kind], |key| [&key[..], &[0]].concat());
        let mut cost = 0;
        for entry in txn.tree().range(from..keys::after_prefix(&[kind])) {
            let (key, value) = entry.map_err(backend("scan the store"))?;
            self.visit(txn, totals, &key, &value)?;
            cost += ENTRY + key.len() + value.len();
            self.after = Some(key.to_vec());
            if cost > PART {
                return Ok(Some(cost));
            }
        }
        // Compare with the tree after the repairs of this part.
        if kind == keys::ENTRY && txn.has_writes() {
            return Ok(Some(cost));
        }
        self.compare(totals, kind);
        match kind {
            LAST_INDEX => self.compare_with_tasks(txn)?,
            LAST_ROW_INDEX => self.compare_with_rows(txn)?,
            LAST_AUDIT_INDEX => self.compare_with_audit(txn)?,
            keys::ENTRY => self.compare_with_entries(txn)?,
            _ => {}
        }
        (self.index, self.after) = (self.index + 1, None);
        Ok(Some(cost))
    }

    fn visit(
        &mut self,
        txn: &mut Txn<'_>,
        totals: &mut Totals,
        key: &Bytes,
        value: &Bytes,
    ) -> Result<(), StoreError> {
        if key[0] == keys::PIECE {
            if txn.tree().is_stray(key).map_err(backend("read the store"))? {
                repair::quarantine(txn, key, value)?;
                self.report.quarantine(key, "the value it belongs to is missing");
            }
            return Ok(());
        }
        let Err(why) = self.count(key, value, Sum::add, 1) else { return self.index_expiry(txn, key, value) };
        *self.bad.entry(key[0]).or_default() += 1;
        totals.blur(key[0]);
        // A record that the current group replaces is not quarantined.
        if txn.get(key)?.as_ref() == Some(value) {
            repair::quarantine(txn, key, value)?;
            self.report.quarantine(key, &why);
        }
        Ok(())
    }

    /// Adds an entry to the sums, or takes it away. The error says why the entry does not verify.
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
                    return Err("the record is stored under another task's key".to_owned());
                }
                for (key, value) in keys::index_entries(&task) {
                    with(self.expected.entry(key[0]).or_default(), &key, &value);
                }
                for (counter, share) in figure_keys::counters(&task) {
                    let count = self.counters.entry(counter).or_default();
                    *count = count.saturating_add_signed(delta * share.cast_signed());
                }
            }
            keys::EXECUTION => {
                record::payload(value).map_err(|error| error.to_string())?;
                if let Ok(row) = record::decode::<Execution>(value) {
                    for (key, value) in rows::entries(&row) {
                        with(self.expected.entry(key[0]).or_default(), &key, &value);
                    }
                }
            }
            keys::AUDIT => {
                record::payload(value).map_err(|error| error.to_string())?;
                if let Ok(found) = record::decode::<Audit>(value) {
                    for (entry, value) in audit::entries(key, &found) {
                        with(self.expected.entry(entry[0]).or_default(), &entry, &value);
                    }
                }
            }
            keys::ENTRY => self.accounts.count(key, value, delta)?,
            kind if Totals::counts(kind) => {
                record::payload(value).map_err(|error| error.to_string())?;
            }
            _ => {}
        }
        with(self.found.entry(key[0]).or_default(), key, value);
        Ok(())
    }

    /// Adds a sound entry to the index by expiry if it is missing there.
    fn index_expiry(&mut self, txn: &mut Txn<'_>, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let Some((owner, name)) = keys::entry_of(key).filter(|_| key[0] == keys::ENTRY) else {
            return Ok(());
        };
        let time = record::decode::<Entry>(value).ok().and_then(|entry| entry.expires_at);
        // An entry that the current group replaces has a new index entry, or none.
        if let Some(index) = time.map(|time| keys::expiry(time, owner, name))
            && txn.get(&index)?.is_none()
            && txn.get(key)?.as_deref() == Some(value)
        {
            txn.put(index, Vec::new());
            self.unindexed = true;
        }
        Ok(())
    }

    /// Compares the accounts with the entries. Call when all entries have been visited.
    fn compare_with_entries(&mut self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        if self.accounts.compare(txn)? && self.has_totals {
            self.report.add_rebuilt("accounts");
        }
        if self.unindexed && self.has_totals {
            self.report.add_rebuilt("expiry");
        }
        Ok(())
    }

    /// Whether a commit must report its changes to entries of a kind.
    pub(crate) fn watches(kind: u8) -> bool {
        WALK.contains(&kind)
    }

    /// Counts the change of an entry by a commit, if the entry has been visited. `None` means that there is
    /// no value.
    pub(crate) fn note(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        let Some(index) = WALK.iter().position(|kind| *kind == key[0]) else { return };
        let visited = index < self.index
            || index == self.index && self.after.as_deref().is_some_and(|after| key <= after);
        if !visited {
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
            Some(problem) if self.has_totals => self.report.add_missing(problem),
            None if bad > 0 => {}
            _ => totals.adopt(kind, found),
        }
    }

    fn differs(&self, index: u8) -> bool {
        let sum = |sums: &BTreeMap<u8, Sum>| sums.get(&index).copied().unwrap_or_default();
        sum(&self.found) != sum(&self.expected)
    }

    /// Compares the indexes of rows with the rows; builds them if the store is of an earlier version. Call
    /// when all rows and their indexes have been visited.
    fn compare_with_rows(&mut self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        self.builds = absent(txn, rows::complete())?;
        if self.builds.is_some() {
            self.repairs.push_back(repair::IndexRepair::of_rows(keys::RETENTION));
        }
        for (prefix, name) in rows::INDEXES {
            if self.differs(prefix) {
                if self.builds.is_none() {
                    self.report.add_rebuilt(name);
                }
                self.repairs.push_back(repair::IndexRepair::of_rows(prefix));
            }
        }
        Ok(())
    }

    /// Compares the index of the audit with its records; builds it if the store is of an earlier version. Call
    /// when all of both have been visited.
    fn compare_with_audit(&mut self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        self.builds = absent(txn, audit::complete())?;
        for (prefix, name) in audit::INDEXES {
            if self.differs(prefix) {
                if self.builds.is_none() {
                    self.report.add_rebuilt(name);
                }
                self.repairs.push_back(repair::IndexRepair::of_audit(prefix));
            }
        }
        Ok(())
    }

    /// Compares indexes and counters with the tasks. Call when all tasks and indexes have been visited.
    fn compare_with_tasks(&mut self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        for (prefix, name) in keys::INDEXES {
            if self.differs(prefix) {
                self.report.add_rebuilt(name);
                self.repairs.push_back(repair::IndexRepair::of_tasks(prefix));
            }
        }
        // The stored counters as of the last commit.
        let mut stored = BTreeMap::new();
        for prefix in figure_keys::TASK_COUNTERS {
            for entry in txn.tree().scan_prefix(&prefix) {
                let (key, value) = entry.map_err(backend("scan the store"))?;
                stored.insert(key.to_vec(), crate::store::sled::engine::txn::read_counter(&value));
            }
        }
        let counters: BTreeSet<Vec<u8>> = stored.keys().chain(self.counters.keys()).cloned().collect();
        // A store of 0.1.0 has no numbers of tasks per schedule yet.
        let older = !stored.keys().any(|key| key.starts_with(&figure_keys::CENSUS));
        let mut wrong = false;
        for key in counters {
            let [is, should] =
                [&stored, &self.counters].map(|all| all.get(&key).copied().unwrap_or_default());
            if is != should {
                wrong |= !(older && is_per_schedule(&key));
                txn.add(key, should.cast_signed().wrapping_sub(is.cast_signed()))?;
            }
        }
        if wrong && self.has_totals {
            self.report.add_rebuilt("counters");
        }
        Ok(())
    }

    /// The number of tasks visited that verify.
    pub(crate) fn tasks(&self) -> u64 {
        self.found.get(&keys::TASK).map_or(0, |sum| sum.count)
    }
}

/// The mark, if the store does not have it.
fn absent(txn: &Txn<'_>, mark: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(txn.get(&mark)?.is_none().then_some(mark))
}

/// Whether a counter is one per schedule.
pub(crate) fn is_per_schedule(key: &[u8]) -> bool {
    key.starts_with(&figure_keys::CENSUS) || key.starts_with(&figure_keys::USUAL)
}

const _: () = assert!(
    KINDS.len() + keys::INDEXES.len() + rows::INDEXES.len() + audit::INDEXES.len() + 1 == WALK.len(),
    "WALK has every kind"
);
