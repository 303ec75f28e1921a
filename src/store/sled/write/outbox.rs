//! Writes of alerts.

use crate::{
    domain::alerts::{Alert, Delivery},
    store::{
        StoreError,
        sled::engine::{outbox, txn::Txn},
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
