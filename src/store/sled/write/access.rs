//! Writes of tokens and sessions.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    domain::access::record::TokenRecord,
    store::{
        AccessChange, Audit, StoreError,
        access::{ensure_names_differ, gives_names},
        sled::{
            engine::{keys, txn::Txn},
            write::{audit, writer::Writer},
        },
    },
};

impl Writer {
    /// Makes all the changes, with the audit record.
    pub(crate) fn change_access(
        &mut self,
        changes: &[AccessChange],
        given: Option<&Audit>,
    ) -> Result<(), StoreError> {
        // A token can be taken back while the disk is full.
        if !changes
            .iter()
            .all(|change| matches!(change, AccessChange::RemoveToken(_) | AccessChange::RemoveSession(_)))
        {
            self.ensure_space()?;
        }
        self.in_txn(|txn| {
            if gives_names(changes) {
                ensure_names_differ(tokens(txn)?, changes)?;
            }
            for change in changes {
                match change {
                    AccessChange::PutToken(token) => txn.put_record(keys::token(token.id), token)?,
                    AccessChange::RemoveToken(id) => txn.remove(keys::token(*id)),
                    AccessChange::PutSession(session) => {
                        txn.put_record(keys::session(session.hash), session)?;
                    }
                    AccessChange::RemoveSession(hash) => txn.remove(keys::session(*hash)),
                    AccessChange::UseToken(used) => replace(txn, keys::token(used.0.id), used)?,
                    AccessChange::UseSession(used) => replace(txn, keys::session(used.0.hash), used)?,
                }
            }
            given.map_or(Ok(()), |record| audit::add(txn, record))
        })
    }
}

/// All tokens: there are few.
fn tokens(txn: &Txn<'_>) -> Result<Vec<TokenRecord>, StoreError> {
    let keys = txn.prefixed(&[keys::TOKEN], usize::MAX)?;
    Ok(keys.iter().map(|key| txn.record(key)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Replaces a record that is still the first one by the second one.
fn replace<T: Serialize + DeserializeOwned + PartialEq>(
    txn: &mut Txn<'_>,
    key: Vec<u8>,
    (before, after): &(T, T),
) -> Result<(), StoreError> {
    if txn.record(&key)?.as_ref() == Some(before) { txn.put_record(key, after) } else { Ok(()) }
}
