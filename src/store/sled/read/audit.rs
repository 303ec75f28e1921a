//! Reads of the audit.

use crate::store::{
    AuditPage, AuditQuery, StoreError,
    sled::{
        engine::{audit, keys, txn::backend},
        read::{
            records::{decode, get},
            view::View,
        },
    },
};

/// Reads a part of the audit, newest first.
pub(crate) fn audits(tree: &View, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    let prefix = query.task.map_or_else(|| vec![keys::AUDIT], audit::of_task);
    let range = audit::range(&prefix, (query.from, query.until), query.before);
    if query.task.is_none() {
        let found = tree.range(range).rev().filter_map(|entry| {
            let (key, bytes) = match entry.map_err(backend("scan the store")) {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            let bytes = tree.durable_value(&key, bytes)?;
            Some(Ok((audit::place_of(&key)?, decode(tree, &key, &bytes))))
        });
        return AuditPage::fill(query, found);
    }
    let found = tree.range(range).rev().filter_map(|entry| {
        let place = match entry.map_err(backend("scan the store")) {
            Ok((key, _)) => audit::place_of(&key)?,
            Err(error) => return Some(Err(error)),
        };
        Some(get(tree, &audit::record(place)).map(|record| (place, record)))
    });
    let mut page = AuditPage::fill(query, found)?;
    // Until the index is built, records of before it are missing.
    page.complete &= tree.contains_key(&audit::complete()).map_err(backend("read the store"))?;
    Ok(page)
}
