//! Entries, bindings, tokens, sessions and the audit.

use std::sync::Arc;

use super::sql::{Sql, all_of};
pub(crate) use crate::store::postgres::write::operations::owner_id;
use crate::{
    domain::{
        Millis,
        access::{record::TokenRecord, session::Session},
        binding::Binding,
    },
    store::{
        AuditPage, AuditPlace, AuditQuery, Entry, EntryPage, EntryQuery, Owner, StoreError,
        postgres::{
            connection::{Readers, args, query},
            documents::decode,
            write::operations::BINDINGS,
        },
    },
};

/// The time that is given, or else the database's.
const LIVE: &str =
    "(expires IS NULL OR expires > coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000)::int8))";

pub(crate) async fn entry(
    readers: Arc<Readers>,
    owner: Owner,
    key: String,
    now: Option<Millis>,
) -> Result<Option<Entry>, StoreError> {
    let text = format!("SELECT entry FROM #entry WHERE owner = $1 AND {LIVE} AND key = $3");
    let rows = readers.rows(query(text, args![owner_id(owner), now, key.into_bytes()])).await?;
    rows.first().map(|row| decode(row.get(0))).transpose()
}

pub(crate) async fn entries(
    readers: Arc<Readers>,
    owner: Owner,
    asked: EntryQuery,
    now: Option<Millis>,
) -> Result<EntryPage, StoreError> {
    let text = format!(
        "SELECT key, entry FROM #entry WHERE owner = $1 AND {LIVE} AND key >= $3 AND ($4::bytea IS NULL OR key < $4)
           AND ($5::bytea IS NULL OR key > $5) ORDER BY key LIMIT $6"
    );
    let prefix = asked.prefix.into_bytes();
    let end = after_prefix(&prefix);
    let after = asked.after.map(String::into_bytes);
    let all = args![owner_id(owner), now, prefix, end, after, asked.limit.saturating_add(1)];
    let rows = readers.rows(query(text, all)).await?;
    let mut entries = Vec::new();
    for row in rows.iter().take(asked.limit) {
        let key = String::from_utf8_lossy(row.get::<_, &[u8]>(0)).into_owned();
        entries.push((key, decode(row.get(1))?));
    }
    Ok(EntryPage { entries, more: rows.len() > asked.limit })
}

/// The smallest bytes after all that begin with a prefix; `None` if there are none.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

pub(crate) async fn bindings(readers: Arc<Readers>) -> Result<Vec<Binding>, StoreError> {
    let rows = readers.rows(query(BINDINGS, args![])).await?;
    rows.iter().map(|row| decode(row.get(0))).collect()
}

pub(crate) async fn tokens(readers: Arc<Readers>) -> Result<Vec<TokenRecord>, StoreError> {
    let rows = readers.rows(query("SELECT token FROM #token ORDER BY id", args![])).await?;
    rows.iter().map(|row| decode(row.get(0))).collect()
}

pub(crate) async fn sessions(readers: Arc<Readers>) -> Result<Vec<Session>, StoreError> {
    let rows = readers.rows(query("SELECT session FROM #session ORDER BY hash", args![])).await?;
    rows.iter().map(|row| decode(row.get(0))).collect()
}

pub(crate) async fn audits(readers: Arc<Readers>, asked: AuditQuery) -> Result<AuditPage, StoreError> {
    let mut sql = Sql::default();
    let mut conditions =
        vec![format!("time >= {}", sql.arg(asked.from)), format!("time <= {}", sql.arg(asked.until))];
    if let Some(before) = asked.before {
        let place = (sql.arg(before.time), sql.arg(before.number));
        conditions.push(format!("(time, number) < ({}, {})", place.0, place.1));
    }
    conditions.extend(asked.task.map(|task| format!("task = {}", sql.arg(task))));
    let is_filtered = asked.actor.is_some() || asked.action.is_some();
    // One more than the page, or than are looked at.
    let most = if is_filtered { AuditQuery::MOST_LOOKED_AT } else { asked.limit } + 1;
    let limit = sql.arg(most);
    let text = format!(
        "SELECT time, number, row FROM #audit WHERE {} ORDER BY time DESC, number DESC LIMIT {limit}",
        all_of(&conditions)
    );
    let rows = readers.rows(sql.query(text)).await?;
    let records = rows.iter().map(|row| {
        let place = AuditPlace { time: row.get(0), number: row.get::<_, i64>(1).unsigned_abs() };
        Ok((place, decode(row.get(2)).ok()))
    });
    AuditPage::fill(&asked, records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_after_all_that_begin_with_it() {
        assert_eq!(after_prefix(b""), None);
        assert_eq!(after_prefix(b"a"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(&[b'a', 0xff]), Some(b"b".to_vec()));
        assert_eq!(after_prefix(&[0xff]), None);
    }
}
