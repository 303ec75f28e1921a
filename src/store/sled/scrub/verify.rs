//! Verification of a closed store: a whole scrub without its repairs, and a check of the history.
//!
//! sled itself may rewrite its files when it opens them.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use serde_json::Value;

use crate::{
    domain::{
        Millis,
        access::{record::TokenRecord, session::Session},
        activity::Bucket,
        alerts::Delivery,
        binding::Binding,
        execution::Execution,
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{
        Audit, FinishedStep, Owner, Runs, StoreError,
        copy::{Counts, Record},
        disk::directory::Lock,
        sled::{
            copy::import,
            engine::{
                audit,
                chunks::chunks,
                figures as figure_keys, keys, outbox,
                overflow::Records,
                record, rows,
                txn::{Txn, Writes, backend, read_counter},
            },
            open::{
                opening::{self, OpenError},
                recover_files,
            },
            scrub::{
                report::{SharedReport, describe, describe_owner},
                scrubber::is_per_schedule,
            },
            write::{commit::Committer, state::decode_account},
        },
    },
};

/// The result of a verification.
#[derive(Debug, Default)]
pub struct Verified {
    /// Numbers of records of each kind.
    pub counts: Counts,
    /// Records quarantined by earlier starts.
    pub quarantined: Vec<String>,
    /// Records and index entries that a start would quarantine, repair or miss, and faults of the history.
    pub problems: Vec<String>,
}

pub(crate) fn verify(directory: &Path, cache: u64) -> Result<Verified, OpenError> {
    let _lock = Lock::take(directory)?;
    // Without this, sled may not open the files of a killed process.
    recover_files::prepare(directory)
        .map_err(|source| OpenError::Io { path: directory.to_owned(), source })?;
    opening::catch_panic(directory, || {
        let db = opening::open_tree(directory, cache).map_err(|error| opening::explain(directory, error))?;
        if db.contains_key(import::marker()).map_err(|error| opening::explain(directory, error))? {
            return Err(OpenError::HalfImported { path: directory.to_owned() });
        }
        let report = SharedReport::default();
        let tree = Records::new(&db);
        let committer = Committer::open(&tree, directory, report.clone())
            .map_err(|source| OpenError::Io { path: directory.to_owned(), source })?;
        inspect(&tree, committer, &report)
            .map_err(|error| OpenError::Damaged { path: directory.to_owned(), why: error.to_string() })
    })
}

fn inspect(tree: &Records, mut committer: Committer, report: &SharedReport) -> Result<Verified, StoreError> {
    let mut verified = Verified::default();
    verified.problems.extend(committer.lost_commits());
    let nothing = Writes::new();
    let mut differences = Vec::new();
    // A store of 0.1.0 has no numbers of tasks per schedule yet; a start counts them.
    let counted = tree.prefix_keys(&figure_keys::CENSUS).next().is_some();
    // A start builds the indexes of rows in a store of an earlier version.
    let has_audit_index = tree.contains_key(&audit::complete()).map_err(backend("read the store"))?;
    let has_row_indexes = tree.contains_key(&rows::complete()).map_err(backend("read the store"))?;
    loop {
        let mut txn = Txn::new(tree, &nothing);
        let more = committer.scrub(&mut txn)?.is_some();
        differences.extend(
            txn.into_writes()
                .into_iter()
                .filter(|(key, _)| counted || !is_per_schedule(key))
                .filter(|(key, _)| has_row_indexes || rows::INDEXES.iter().all(|(index, _)| key[0] != *index))
                .filter(|(key, _)| has_audit_index || key[0] != audit::BY_TASK)
                .filter_map(|(key, value)| describe_repair(&key, value.as_deref())),
        );
        if !more {
            break;
        }
    }
    let found = report.get();
    verified.problems.extend(found.missing.into_iter().chain(found.quarantined).chain(differences));
    verified.counts.tasks = found.tasks;
    let rows = executions(tree, &mut verified)?;
    output(tree, &rows, &mut verified)?;
    for entry in tree.scan_prefix(&[keys::AUDIT]) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        verified.counts.audit += 1;
        if record::payload(&bytes).is_ok() {
            verified.decode::<Audit>(&key, &bytes);
        }
    }
    verified.counts.values = tree.prefix_keys(&[keys::VALUE]).count() as u64;
    state(tree, &mut verified)?;
    bindings(tree, &mut verified)?;
    activity(tree, &mut verified)?;
    access(tree, &mut verified)?;
    alerts(tree, &mut verified)?;
    kept(tree, &mut verified)?;
    for entry in tree.scan_prefix(&[keys::QUARANTINE]) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        verified.counts.quarantined += 1;
        verified.quarantined.push(format!("{} ({} bytes)", describe(&key[1..]), bytes.len()));
    }
    Ok(verified)
}

/// Verifies entries and steps: each has its task, and each step an occurrence that goes on.
fn state(tree: &Records, verified: &mut Verified) -> Result<(), StoreError> {
    let contains = |key: Vec<u8>| tree.contains_key(&key).map_err(backend("read the store"));
    let mut last = None;
    for key in tree.prefix_keys(&[keys::ENTRY]) {
        let key = key.map_err(backend("scan the store"))?;
        verified.counts.entries += 1;
        let Some((Owner::Task(task), _)) = keys::entry_of(&key) else { continue };
        if last.replace(task) != Some(task) && !contains(keys::task(task))? && !contains(keys::garbage(task))?
        {
            verified.problems.push(format!("{task}: the task is missing, but has entries"));
        }
    }
    let mut open: Option<(TaskId, Vec<Millis>)> = None;
    for found in tree.scan_prefix(&[keys::STEP]) {
        let (key, bytes) = found.map_err(backend("scan the store"))?;
        verified.counts.steps += 1;
        if record::payload(&bytes).is_ok() {
            verified.decode::<FinishedStep>(&key, &bytes);
        }
        let Some((task, time)) = keys::step_of(&key) else { continue };
        if open.as_ref().is_none_or(|(of, _)| *of != task) {
            let found = tree.get(&keys::task(task)).map_err(backend("read the store"))?;
            let found = found.and_then(|bytes| record::decode::<Task>(&bytes).ok());
            open = Some((task, found.map(|task| task.facts.open_times().collect()).unwrap_or_default()));
        }
        let goes_on = open.as_ref().is_some_and(|(_, times)| times.contains(&time));
        if !goes_on && !contains(keys::garbage(task))? {
            verified.problems.push(format!("{}: the occurrence does not go on", describe(&key)));
        }
    }
    Ok(())
}

/// Counts and decodes secrets and variables. A record that does not verify has been reported.
fn bindings(tree: &Records, verified: &mut Verified) -> Result<(), StoreError> {
    for entry in tree.scan_prefix(&[keys::BINDING]) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        if record::payload(&bytes).is_err() {
            continue;
        }
        if let Some(binding) = verified.decode::<Binding>(&key, &bytes) {
            if keys::binding(&binding.name) != *key {
                verified
                    .problems
                    .push(format!("{}: the record is stored under another name", describe(&key)));
            }
            verified.counts.add(&Record::Binding(binding));
        }
    }
    Ok(())
}

/// Counts and decodes long parameters, sources and versions of handlers.
fn kept(tree: &Records, verified: &mut Verified) -> Result<(), StoreError> {
    for kind in [keys::PARAMS, keys::VERSION, keys::SOURCE] {
        for entry in tree.scan_prefix(&[kind]) {
            let (key, bytes) = entry.map_err(backend("scan the store"))?;
            match kind {
                keys::PARAMS => verified.counts.params += 1,
                keys::VERSION => verified.counts.sources += 1,
                _ => {}
            }
            if record::payload(&bytes).is_err() {
                continue;
            }
            if kind == keys::VERSION {
                verified.decode::<Runs>(&key, &bytes);
            } else {
                verified.decode::<Value>(&key, &bytes);
            }
        }
    }
    Ok(())
}

/// Counts and decodes figures of activity: each lies under its own start.
fn activity(tree: &Records, verified: &mut Verified) -> Result<(), StoreError> {
    for entry in tree.scan_prefix(&[keys::ACTIVITY]) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        verified.counts.activity += 1;
        if record::payload(&bytes).is_err() {
            continue;
        }
        let Some(bucket) = verified.decode::<Bucket>(&key, &bytes) else { continue };
        if figure_keys::span_of(&key).is_none_or(|span| figure_keys::activity(span, bucket.start) != *key) {
            verified.problems.push(format!("{}: the record has another start", describe(&key)));
        }
    }
    Ok(())
}

/// Counts and decodes tokens and sessions. A record that does not verify has been reported.
fn access(tree: &Records, verified: &mut Verified) -> Result<(), StoreError> {
    for entry in tree.scan_prefix(&[keys::TOKEN]) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        if record::payload(&bytes).is_ok()
            && let Some(token) = verified.decode::<TokenRecord>(&key, &bytes)
        {
            if keys::token(token.id) != *key {
                verified.problems.push(format!("{}: the record is stored under another id", token.id));
            }
            verified.counts.add(&Record::Token(Box::new(token)));
        }
    }
    for entry in tree.scan_prefix(&[keys::SESSION]) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        if record::payload(&bytes).is_ok() {
            verified.decode::<Session>(&key, &bytes);
        }
    }
    Ok(())
}

/// Counts and decodes alerts. A record that does not verify has been reported.
fn alerts(tree: &Records, verified: &mut Verified) -> Result<(), StoreError> {
    for entry in tree.scan_prefix(&[keys::OUTBOX]) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        verified.counts.alerts += 1;
        if record::payload(&bytes).is_ok()
            && let Some(delivery) = verified.decode::<Delivery>(&key, &bytes)
            && outbox::delivery(&delivery) != *key
        {
            verified.problems.push(format!("{}: the alert is stored under another key", describe(&key)));
        }
    }
    Ok(())
}

/// Describes the fault of an index or a counter by the write that repairs it.
fn describe_repair(key: &[u8], value: Option<&[u8]>) -> Option<String> {
    if let Some(owner) = keys::account_of(key) {
        let should = value.and_then(|bytes| decode_account(bytes).ok()).unwrap_or_default();
        return Some(format!(
            "the account of the entries of {}: it should be {} entries, {} bytes",
            describe_owner(owner),
            should.entries,
            should.bytes
        ));
    }
    if let Some((_, owner, name)) = keys::expiry_of(key).filter(|_| key[0] == keys::EXPIRY) {
        let owner = describe_owner(owner);
        return Some(format!("index expiry: the entry for \"{name}\" of {owner} is missing"));
    }
    if key[0] == keys::COUNTER {
        let should = value.map_or(0, read_counter);
        return Some(format!(
            "counter {}: it should be {should}",
            String::from_utf8_lossy(&key[1..]).escape_debug()
        ));
    }
    let (_, index) = keys::INDEXES
        .into_iter()
        .chain(rows::INDEXES)
        .chain(audit::INDEXES)
        .find(|(prefix, _)| *prefix == key[0])?;
    let task = match key[0] {
        keys::NAME => format!("for \"{}\"", String::from_utf8_lossy(&key[1..])),
        keys::RUNNING => keys::task_of(key).map_or_else(String::new, |task| format!("for {task}")),
        audit::BY_TASK => audit::task_of(key).map_or_else(String::new, |task| format!("for {task}")),
        rows::OUTCOME | rows::BY_HANDLER | rows::LOCATION => {
            rows::execution_of(key).map_or_else(String::new, |id| format!("for {id}"))
        }
        _ => keys::last_task(key).map_or_else(String::new, |task| format!("for {task}")),
    };
    let fault = if value.is_some() { "is missing or wrong" } else { "does not belong there" };
    Some(format!("index {index}: the entry {task} {fault}"))
}

fn executions(tree: &Records, verified: &mut Verified) -> Result<HashSet<ExecutionId>, StoreError> {
    let mut rows = HashSet::new();
    let mut per_task: BTreeMap<TaskId, u64> = BTreeMap::new();
    for entry in tree.scan_prefix(&[keys::EXECUTION]) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        verified.counts.executions += 1;
        let (Some(task), Some(id)) = (keys::task_of(&key), keys::last_execution(&key)) else { continue };
        rows.insert(id);
        let known = per_task.contains_key(&task);
        *per_task.entry(task).or_default() += 1;
        let contains = |key: Vec<u8>| tree.contains_key(&key).map_err(backend("read the store"));
        if !known && !contains(keys::task(task))? && !contains(keys::garbage(task))? {
            verified.problems.push(format!("{task}: the task is missing, but has executions"));
        }
        if record::payload(&bytes).is_err() {
            // The scrub has reported the record.
            continue;
        }
        let Some(row) = verified.decode::<Execution>(&key, &bytes) else { continue };
        if (row.task_id, row.id) != (task, id) {
            verified
                .problems
                .push(format!("{}: the record is stored under another execution's key", describe(&key)));
        } else if !contains(keys::retention(row.created_at, task, id))? {
            verified
                .problems
                .push(format!("{}: the execution is missing in the index by age", describe(&key)));
        }
    }
    for (task, count) in per_task {
        let counted = tree.get(&keys::history_count(task)).map_err(backend("read the store"))?;
        let counted = counted.map_or(0, |bytes| read_counter(&bytes));
        if counted != count {
            verified
                .problems
                .push(format!("{task}: the counter says {counted} executions, the store has {count}"));
        }
    }
    Ok(rows)
}

fn output(tree: &Records, rows: &HashSet<ExecutionId>, verified: &mut Verified) -> Result<(), StoreError> {
    for chunk in chunks(tree.scan_prefix(&[keys::OUTPUT])) {
        let chunk = chunk.map_err(backend("scan the store"))?;
        let key = chunk.key();
        verified.counts.output += 1;
        if let (None, Err(error)) = (chunk.damaged().next(), chunk.lines()) {
            verified.problems.push(format!("{}: {error}", describe(key)));
        }
        if !key.get(1..17).and_then(keys::last_execution).is_some_and(|id| rows.contains(&id)) {
            verified.problems.push(format!("{}: the execution does not exist", describe(key)));
        }
    }
    Ok(())
}

impl Verified {
    fn decode<T: serde::de::DeserializeOwned>(&mut self, key: &[u8], bytes: &[u8]) -> Option<T> {
        record::decode(bytes)
            .inspect_err(|error| self.problems.push(format!("{}: {error}", describe(key))))
            .ok()
    }
}
