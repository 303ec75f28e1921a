//! Writes of tokens and sessions.

use crate::store::{
    AccessChange, Audit, StoreError,
    sled::{
        engine::keys,
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
        if changes
            .iter()
            .any(|change| matches!(change, AccessChange::PutToken(_) | AccessChange::PutSession(_)))
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
                }
            }
            given.map_or(Ok(()), |record| audit::add(txn, record))
        })
    }
}
