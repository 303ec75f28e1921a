//! Import of a copy into an empty store. A marker in the store says that the copy is not complete.

use crate::domain::alerts::Delivery;
use crate::store::{
    SourceHash, StoreError,
    copy::{KeptParams, KeptVersion, Record},
    sled::{
        engine::{figures as figure_keys, keys, outbox, rows, txn::Txn},
        write::{self, apply, audit, state},
    },
};

/// Kinds of which an empty store has no entries.
const KINDS: [u8; 15] = [
    keys::TASK,
    keys::EXECUTION,
    keys::OUTPUT,
    keys::AUDIT,
    keys::VALUE,
    keys::ENTRY,
    keys::STEP,
    keys::BINDING,
    keys::ACTIVITY,
    keys::TOKEN,
    keys::OUTBOX,
    keys::PARAMS,
    keys::SOURCE,
    keys::VERSION,
    keys::QUARANTINE,
];
/// Keys removed per commit when an import is abandoned.
const AT_ONCE: usize = 4096;

/// The key of the marker.
pub(crate) fn marker() -> Vec<u8> {
    keys::meta("importing")
}

/// Imports the next records. They come grouped by task: the task, its executions with their output, its
/// steps and entries, then the next task.
pub(crate) fn records(txn: &mut Txn<'_>, records: &[Record]) -> Result<(), StoreError> {
    if txn.get(&marker())?.is_none() {
        for kind in KINDS {
            if !txn.prefixed(&[kind], 1)?.is_empty() {
                return Err(StoreError::NotEmpty);
            }
        }
        txn.put(marker(), Vec::new());
    }
    records.iter().try_for_each(|record| add(txn, record))
}

fn add(txn: &mut Txn<'_>, record: &Record) -> Result<(), StoreError> {
    match record {
        Record::Task(task) => {
            ensure_absent(txn, &keys::task(task.id), || task.id.to_string())?;
            apply::create(txn, task)
        }
        Record::Execution(row) => {
            ensure_absent(txn, &keys::execution(row.task_id, row.id), || row.id.to_string())?;
            apply::write_row(txn, row)
        }
        Record::Output(output) => {
            let (id, chunk) = (output.execution, output.chunk);
            ensure_absent(txn, &keys::output(id, chunk, 0), || {
                format!("piece {chunk} of the output of {id}")
            })?;
            apply::append(txn, output)
        }
        Record::Audit(record) => audit::add(txn, record),
        Record::Value { key, value } => {
            ensure_absent(txn, &keys::value(key), || format!("the value \"{key}\""))?;
            txn.put_record(keys::value(key), value)
        }
        Record::Step { task, scheduled_for, step } => {
            let key = keys::step(*task, *scheduled_for, &step.name);
            ensure_absent(txn, &key, || format!("the step \"{}\"", step.name))?;
            txn.put_record(key, step)
        }
        Record::Version { owner, version } => state::import_version(txn, *owner, *version),
        Record::Entry { owner, key, entry } => {
            ensure_absent(txn, &keys::entry(*owner, key), || format!("the entry \"{key}\""))?;
            state::import_entry(txn, *owner, key, entry)
        }
        Record::Binding(binding) => {
            let key = keys::binding(&binding.name);
            ensure_absent(txn, &key, || format!("the {} {}", binding.kind().word(), binding.name))?;
            txn.put_record(key, binding)
        }
        Record::Activity { span, bucket } => {
            let key = figure_keys::activity(*span, bucket.start);
            ensure_absent(txn, &key, || format!("the activity from {} on", bucket.start))?;
            txn.put_record(key, bucket)
        }
        Record::Token(token) => {
            let key = keys::token(token.id);
            ensure_absent(txn, &key, || token.id.to_string())?;
            txn.put_record(key, token)
        }
        Record::Alert(delivery) => add_alert(txn, delivery),
        Record::Params(kept) => add_params(txn, kept),
        Record::Source(version) => add_version(txn, version),
        Record::Quarantine(found) => {
            let mut key = keys::quarantine(&found.key);
            // A key may have been quarantined more than once.
            while txn.get(&key)?.is_some() {
                key.push(0);
            }
            txn.put(key, found.bytes.clone());
            Ok(())
        }
    }
}

fn add_alert(txn: &mut Txn<'_>, delivery: &Delivery) -> Result<(), StoreError> {
    ensure_absent(txn, &outbox::delivery(delivery), || delivery.alert.id.to_string())?;
    write::outbox::put(txn, delivery)
}

fn add_params(txn: &mut Txn<'_>, kept: &KeptParams) -> Result<(), StoreError> {
    let key = rows::params(kept.task, kept.time, &kept.hash);
    ensure_absent(txn, &key, || format!("the parameters {}", kept.hash))?;
    txn.put_record(key, &kept.params)
}

fn add_version(txn: &mut Txn<'_>, version: &KeptVersion) -> Result<(), StoreError> {
    let KeptVersion { handler, hash, runs, text } = version;
    let Ok(hash) = SourceHash::try_from(&hash[..]) else {
        let why = format!("a version of {handler} has no SHA-256");
        return Err(StoreError::Backend { doing: "import", why });
    };
    let key = rows::version(handler, &hash);
    ensure_absent(txn, &key, || format!("a version of {handler}"))?;
    txn.put_record(key, runs)?;
    text.as_ref().map_or(Ok(()), |text| txn.put_record(rows::source_of(&hash, handler), text))
}

fn ensure_absent(txn: &Txn<'_>, key: &[u8], describe: impl Fn() -> String) -> Result<(), StoreError> {
    match txn.get(key)? {
        Some(_) => Err(StoreError::Backend { doing: "import", why: format!("{} occurs twice", describe()) }),
        None => Ok(()),
    }
}

/// Removes the marker: the store may be opened.
pub(crate) fn complete(txn: &mut Txn<'_>) -> Result<(), StoreError> {
    txn.remove(marker());
    Ok(())
}

/// Removes a part of the imported entries; whether more are left.
pub(crate) fn abandon(txn: &mut Txn<'_>) -> Result<bool, StoreError> {
    if txn.get(&marker())?.is_none() {
        return Ok(false);
    }
    // Overflow pieces go with their values; the last range is for pieces without one.
    let piece = vec![keys::PIECE];
    for range in [
        Vec::new()..vec![keys::META],
        keys::after_prefix(&[keys::META])..piece.clone(),
        keys::after_prefix(&piece)..vec![u8::MAX; 64],
        piece.clone()..keys::after_prefix(&piece),
    ] {
        let keys = txn.keys(range, AT_ONCE)?;
        if !keys.is_empty() {
            keys.into_iter().for_each(|key| txn.remove(key));
            return Ok(true);
        }
    }
    txn.remove(marker());
    Ok(false)
}
