//! The scrub of the accounts: entries and bytes of each owner, compared with the entries found.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::{
    Entry, Owner, StoreError,
    sled::{
        engine::{
            keys, record,
            txn::{Txn, backend},
        },
        write::state::{decode_account, encode_account, right_account, size_of},
    },
    state::Account,
};

/// The accounts that belong to the entries found so far.
#[derive(Default)]
pub(crate) struct Accounts(BTreeMap<Owner, Account>);

impl Accounts {
    /// Counts an entry that was found or written (`delta` 1), or removed (-1).
    ///
    /// # Errors
    /// Why the entry does not verify.
    pub(crate) fn count(&mut self, key: &[u8], value: &[u8], delta: i64) -> Result<(), String> {
        let (owner, name) = keys::entry_of(key).ok_or("the key is none of an entry")?;
        let entry: Entry = record::decode(value).map_err(|error| error.to_string())?;
        let account = self.0.entry(owner).or_default();
        account.entries = account.entries.saturating_add_signed(delta);
        let bytes = size_of(name, value).cast_signed();
        account.bytes = account.bytes.saturating_add_signed(delta * bytes);
        account.version = account.version.max(entry.version);
        Ok(())
    }

    /// Rewrites the accounts that differ; whether there were any. Call when all entries have been visited.
    pub(crate) fn compare(&self, txn: &mut Txn<'_>) -> Result<bool, StoreError> {
        let mut stored = BTreeMap::new();
        for entry in txn.tree().scan_prefix(&keys::ACCOUNTS) {
            let (key, bytes) = entry.map_err(backend("scan the store"))?;
            match keys::account_of(&key) {
                Some(owner) => drop(stored.insert(owner, bytes)),
                None => txn.remove(key.to_vec()),
            }
        }
        let owners: BTreeSet<Owner> = stored.keys().chain(self.0.keys()).copied().collect();
        let mut wrong = false;
        for owner in owners {
            let found = self.0.get(&owner).copied().unwrap_or_default();
            let is = stored.get(&owner).map(|bytes| &bytes[..]);
            let should = right_account(found, is);
            let decoded = is.and_then(|bytes| decode_account(bytes).ok());
            if decoded == Some(should) {
                continue;
            }
            wrong = true;
            // The group may have changed the account since.
            let current = txn.get(&keys::account(owner))?.and_then(|bytes| decode_account(&bytes).ok());
            let (current, before) = (current.unwrap_or(should), decoded.unwrap_or(should));
            let shift = |current: u64, before: u64, should: u64| (current + should).saturating_sub(before);
            let account = Account {
                entries: shift(current.entries, before.entries, should.entries),
                bytes: shift(current.bytes, before.bytes, should.bytes),
                version: current.version.max(should.version),
            };
            txn.put(keys::account(owner), encode_account(account));
        }
        Ok(wrong)
    }
}
