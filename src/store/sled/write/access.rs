//! Writes of tokens and sessions.

use serde::{Serialize, de::DeserializeOwned};

use crate::store::{
    AccessChange, Audit, StoreError,
    sled::{
        engine::{keys, txn::Txn},
        write::{audit, writer::Writer},
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

/// Replaces a record that is still the first one by the second one.
fn replace<T: Serialize + DeserializeOwned + PartialEq>(
    txn: &mut Txn<'_>,
    key: Vec<u8>,
    (before, after): &(T, T),
) -> Result<(), StoreError> {
    if txn.record(&key)?.as_ref() == Some(before) { txn.put_record(key, after) } else { Ok(()) }
}
