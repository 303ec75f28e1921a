//! Writes of alerts.

use crate::{
    domain::alerts::{Alert, Delivery},
    store::{
        StoreError,
        sled::{
            engine::{outbox, txn::Txn},
            write::writer::Writer,
        },
    },
};

/// Adds the alerts of a step.
pub(super) fn add(txn: &mut Txn<'_>, alerts: &[Alert]) -> Result<(), StoreError> {
    for alert in alerts {
        put(txn, &Delivery::new(alert.clone()))?;
    }
    Ok(())
}

pub(crate) fn put(txn: &mut Txn<'_>, delivery: &Delivery) -> Result<(), StoreError> {
    txn.put_record(outbox::delivery(delivery), delivery)
}

impl Writer {
    /// Removes `old` deliveries and writes `new` ones.
    pub(crate) fn settle(&mut self, old: &[Delivery], new: &[Delivery]) -> Result<(), StoreError> {
        self.in_txn(|txn| {
            old.iter().for_each(|delivery| txn.remove(outbox::delivery(delivery)));
            new.iter().try_for_each(|delivery| put(txn, delivery))
        })
    }
}
