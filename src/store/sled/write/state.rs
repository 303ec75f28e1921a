//! Writes of the state of handlers: entries with their accounts, and finished steps.

use crate::{
    domain::{Millis, execution::Execution, facts::Task, ids::TaskId},
    store::{
        Edit, Edited, Entry, Fence, FinishedStep, Owner, RunNote, StateError, StoreError,
        sled::{
            engine::{
                keys,
                record::{self, BadRecord},
                txn::Txn,
            },
            write::audit,
        },
        state::{self, Account, Outcome},
    },
};

/// Entries that one change removes because their time has passed, or because their task is deleted.
const REMOVED_AT_ONCE: usize = 256;
/// Versions that a rebuilt account leaves out: those of removed entries are not known any more.
const VERSIONS_LEFT_OUT: u64 = 1 << 20;

pub(crate) fn encode_account(account: Account) -> Vec<u8> {
    let numbers = [account.entries, account.bytes, account.version].map(u64::to_be_bytes);
    record::encode_bytes(&numbers.concat())
}

pub(crate) fn decode_account(bytes: &[u8]) -> Result<Account, BadRecord> {
    let payload = record::payload(bytes)?;
    let number = |at: usize| payload.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    match (number(0), number(8), number(16), payload.len()) {
        (Some(entries), Some(bytes), Some(version), 24) => Ok(Account { entries, bytes, version }),
        _ => Err(BadRecord::Short(bytes.len())),
    }
}

/// The account that belongs to the entries found, given the stored one.
pub(crate) fn right_account(found: Account, stored: Option<&[u8]>) -> Account {
    let version = match stored.map(decode_account) {
        Some(Ok(stored)) => stored.version.max(found.version),
        _ => found.version + VERSIONS_LEFT_OUT,
    };
    Account { version, ..found }
}

/// The bytes that a stored entry counts as.
pub(crate) fn size_of(key: &str, record: &[u8]) -> u64 {
    state::size(key, record.len().saturating_sub(record::HEAD))
}

fn read_account(txn: &Txn<'_>, owner: Owner) -> Result<Account, StoreError> {
    let Some(bytes) = txn.get(&keys::account(owner))? else { return Ok(Account::default()) };
    decode_account(&bytes).map_err(|e| StoreError::Backend { doing: "verify an account", why: e.to_string() })
}

fn ensure_in_progress(txn: &Txn<'_>, fence: Fence) -> Result<(), StoreError> {
    match txn.get(&keys::running(fence.task, fence.execution))? {
        Some(_) => Ok(()),
        None => Err(StateError::NotRunning(fence.execution).into()),
    }
}

/// Edits an entry. When the owner has too many, those whose time has passed go first.
pub(crate) fn edit(txn: &mut Txn<'_>, edit: &Edit, now: Millis) -> Result<Edited, StoreError> {
    match (edit.fence, edit.owner) {
        (Some(fence), _) => ensure_in_progress(txn, fence)?,
        (None, Owner::Task(task)) if txn.get(&keys::task(task))?.is_none() => {
            return Err(StoreError::NotFound);
        }
        (None, _) => {}
    }
    match try_edit(txn, edit, now) {
        Err(StoreError::State(StateError::TooManyEntries(_) | StateError::TooManyBytes { .. })) => {
            expire(txn, now)?;
            try_edit(txn, edit, now)
        }
        result => result,
    }
}

fn try_edit(txn: &mut Txn<'_>, edit: &Edit, now: Millis) -> Result<Edited, StoreError> {
    let (owner, key) = (edit.owner, edit.key.as_str());
    let stored = keys::entry(owner, key);
    let size = txn.get(&stored)?.map(|bytes| size_of(key, &bytes));
    let old: Option<Entry> = txn.record(&stored)?;
    let Outcome { account, entry } =
        match state::decide(edit, old.as_ref().zip(size), read_account(txn, owner)?, now)? {
            Ok(outcome) => outcome,
            Err(unchanged) => return Ok(unchanged),
        };
    let (before, after) =
        (old.as_ref().and_then(|old| old.expires_at), entry.as_ref().and_then(|new| new.expires_at));
    if let Some(time) = before.filter(|_| before != after) {
        txn.remove(keys::expiry(time, owner, key));
    }
    if let Some(time) = after.filter(|_| before != after) {
        txn.put(keys::expiry(time, owner, key), Vec::new());
    }
    txn.put(keys::account(owner), encode_account(account));
    edit.audit_of(old.as_ref(), entry.as_ref()).map_or(Ok(()), |record| audit::add(txn, &record))?;
    Ok(match entry {
        Some(entry) => {
            txn.put_record(stored, &entry)?;
            Edited::Set(entry)
        }
        None => {
            txn.remove(stored);
            Edited::Removed
        }
    })
}

/// Removes some of the entries whose time has passed.
pub(crate) fn expire(txn: &mut Txn<'_>, now: Millis) -> Result<(), StoreError> {
    for index in txn.keys(keys::expired(now), REMOVED_AT_ONCE)? {
        if let Some((time, owner, key)) = keys::expiry_of(&index) {
            let stored = keys::entry(owner, key);
            let bytes = txn.get(&stored)?;
            let entry = bytes.as_deref().and_then(|bytes| record::decode::<Entry>(bytes).ok());
            if let Some(bytes) = bytes.filter(|_| entry.is_some_and(|entry| entry.expires_at == Some(time))) {
                uncount(txn, owner, size_of(key, &bytes))?;
                txn.remove(stored);
            }
        }
        txn.remove(index);
    }
    Ok(())
}

/// Takes an entry out of its owner's account.
pub(crate) fn uncount(txn: &mut Txn<'_>, owner: Owner, size: u64) -> Result<(), StoreError> {
    let account = read_account(txn, owner)?;
    let (entries, bytes) = (account.entries.saturating_sub(1), account.bytes.saturating_sub(size));
    txn.put(keys::account(owner), encode_account(Account { entries, bytes, ..account }));
    Ok(())
}

/// The earliest time at which an entry is no longer shown.
pub(crate) fn next_expiry(txn: &Txn<'_>) -> Result<Option<Millis>, StoreError> {
    let first = txn.prefixed(&[keys::EXPIRY], 1)?.pop();
    Ok(first.and_then(|key| keys::expiry_of(&key).map(|(time, ..)| time)))
}

/// Adds an entry of a copy.
pub(crate) fn import_entry(
    txn: &mut Txn<'_>,
    owner: Owner,
    key: &str,
    entry: &Entry,
) -> Result<(), StoreError> {
    let stored = keys::entry(owner, key);
    txn.put_record(stored.clone(), entry)?;
    let size = txn.get(&stored)?.map_or(0, |bytes| size_of(key, &bytes));
    let account = read_account(txn, owner)?;
    let account = Account {
        entries: account.entries + 1,
        bytes: account.bytes + size,
        version: account.version.max(entry.version),
    };
    txn.put(keys::account(owner), encode_account(account));
    if let Some(time) = entry.expires_at {
        txn.put(keys::expiry(time, owner, key), Vec::new());
    }
    Ok(())
}

/// Sets the last version that an owner's entries had in a copy.
pub(crate) fn import_version(txn: &mut Txn<'_>, owner: Owner, version: u64) -> Result<(), StoreError> {
    let account = read_account(txn, owner)?;
    let account = Account { version: account.version.max(version), ..account };
    txn.put(keys::account(owner), encode_account(account));
    Ok(())
}

pub(crate) fn finish_step(
    txn: &mut Txn<'_>,
    fence: Fence,
    scheduled_for: Millis,
    step: &FinishedStep,
) -> Result<(), StoreError> {
    ensure_in_progress(txn, fence)?;
    txn.put_record(keys::step(fence.task, scheduled_for, &step.name), step)
}

pub(crate) fn note_run(txn: &mut Txn<'_>, fence: Fence, note: RunNote) -> Result<(), StoreError> {
    ensure_in_progress(txn, fence)?;
    let key = keys::execution(fence.task, fence.execution);
    let row: Execution = txn.record(&key)?.ok_or(StoreError::NotFound)?;
    txn.put_record(key, &note.put_into(row))
}

/// Removes the steps of the occurrences that a step of the task ends.
pub(crate) fn remove_steps(txn: &mut Txn<'_>, old: &Task, new: &Task) -> Result<(), StoreError> {
    for time in old.facts.ended_by(&new.facts) {
        for key in txn.prefixed(&keys::steps(old.id, time), usize::MAX)? {
            txn.remove(key);
        }
    }
    Ok(())
}

/// Removes a part of the state of a deleted task; whether more may be left.
pub(crate) fn remove_part(txn: &mut Txn<'_>, task: TaskId) -> Result<bool, StoreError> {
    for key in txn.prefixed(&keys::task_steps(task), REMOVED_AT_ONCE)? {
        txn.remove(key);
    }
    let entries = txn.prefixed(&keys::entries(Owner::Task(task)), REMOVED_AT_ONCE)?;
    for key in &entries {
        let Some((bytes, (owner, name))) = txn.get(key)?.zip(keys::entry_of(key)) else { continue };
        if let Some(time) = record::decode::<Entry>(&bytes).ok().and_then(|entry| entry.expires_at) {
            txn.remove(keys::expiry(time, owner, name));
        }
        // The account agrees with the entries after each part: a start compares them.
        uncount(txn, owner, size_of(name, &bytes))?;
        txn.remove(key.clone());
    }
    let more = !entries.is_empty() || !txn.prefixed(&keys::task_steps(task), 1)?.is_empty();
    if !more {
        txn.remove(keys::account(Owner::Task(task)));
    }
    Ok(more)
}
