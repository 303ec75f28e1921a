//! Entries that handlers keep.

use super::super::{
    group::{Failure, Group, Needs},
    operation::Work,
};
use crate::{
    domain::Millis,
    store::{
        Edit, Edited, Entry, Owner,
        postgres::{
            connection::{Id, args, query},
            documents::{decode, encode},
        },
        state::{self, Account, Outcome},
    },
};

/// The id of the owner of entries.
pub(crate) fn owner_id(owner: Owner) -> Id {
    match owner {
        Owner::Shared => Id([0; 16]),
        Owner::Task(task) => Id(task.to_bytes()),
    }
}

/// Edits an entry.
pub(crate) struct EditEntry(pub(crate) Edit);

/// Removes the owner's entries that are no longer shown, in parts, and counts them out.
const EXPIRE: &str = "WITH o AS MATERIALIZED (SELECT owner, key FROM #entry WHERE expires <= $1
          AND ($2::uuid IS NULL OR owner = $2) ORDER BY expires LIMIT $3),
      g AS (DELETE FROM #entry e USING o WHERE e.owner = o.owner AND e.key = o.key RETURNING e.owner, e.size),
      s AS (SELECT owner, count(*) AS n, sum(size)::int8 AS bytes FROM g GROUP BY owner),
      a AS (UPDATE #account a SET entries = a.entries - s.n, bytes = a.bytes - s.bytes FROM s
        WHERE a.owner = s.owner)
    SELECT count(*) FROM g";

impl Work for EditEntry {
    type Answer = Edited;

    fn needs(&self) -> Needs {
        let fenced = self.0.fence.map(|fence| fence.task);
        let owner = Option::from(self.0.owner);
        Needs { tasks: fenced.into_iter().chain(owner).collect(), ..Needs::default() }
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Edited, Failure> {
        let edit = &self.0;
        match (edit.fence, edit.owner) {
            (Some(fence), _) => group.ensure_in_progress(fence).await?,
            (None, Owner::Task(task)) => drop(group.task(task).await?),
            (None, Owner::Shared) => {}
        }
        let (owner, key) = (owner_id(edit.owner), edit.key.clone().into_bytes());
        let make = "INSERT INTO #account (owner, entries, bytes, version) VALUES ($1, 0, 0, 0) ON CONFLICT DO NOTHING";
        let lock = "SELECT entries, bytes, version FROM #account WHERE owner = $1 FOR UPDATE";
        let read = "SELECT entry, size FROM #entry WHERE owner = $1 AND key = $2";
        let asked = vec![
            query(make, args![owner]),
            query("SELECT 1 FROM #account WHERE owner = $1 FOR UPDATE", args![owner]),
            query(EXPIRE, args![group.now, owner, i64::MAX]),
            query(lock, args![owner]),
            query(read, args![owner, key.clone()]),
        ];
        let found = group.all(asked).await?;
        let number =
            |column: usize| found[3].first().map_or(0, |row| row.get::<_, i64>(column)).unsigned_abs();
        let account = Account { entries: number(0), bytes: number(1), version: number(2) };
        let old: Option<(Entry, u64)> = match found[4].first() {
            Some(row) => Some((decode(row.get(0))?, row.get::<_, i64>(1).unsigned_abs())),
            None => None,
        };
        let decided =
            state::decide(edit, old.as_ref().map(|(entry, size)| (entry, *size)), account, group.now)
                .map_err(crate::store::StoreError::from)?;
        let Outcome { account, entry } = match decided {
            Err(unchanged) => return Ok(unchanged),
            Ok(outcome) => outcome,
        };
        let old = old.map(|(entry, _)| entry);
        group.writes.audits.extend(edit.audit_of(old.as_ref(), entry.as_ref()));
        let write = match &entry {
            Some(entry) => {
                let document = encode(entry)?;
                let size = state::size(&edit.key, document.len());
                let put = "INSERT INTO #entry (owner, key, expires, size, entry) VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (owner, key) DO UPDATE SET expires = excluded.expires, size = excluded.size,
                      entry = excluded.entry";
                query(put, args![owner, key, entry.expires_at, size, document])
            }
            None => query("DELETE FROM #entry WHERE owner = $1 AND key = $2", args![owner, key]),
        };
        let count = "UPDATE #account SET entries = $2, bytes = $3, version = $4 WHERE owner = $1";
        let count = query(count, args![owner, account.entries, account.bytes, account.version]);
        group.all(vec![write, count]).await?;
        let expiry = entry.as_ref().and_then(|entry| entry.expires_at);
        group.expiry = group.expiry.into_iter().chain(expiry).min();
        Ok(entry.map_or(Edited::Removed, Edited::Set))
    }
}

/// Removes a part of the entries whose time has passed; the earliest time of those that are left.
pub(in crate::store::postgres::write) async fn expire(
    group: &mut Group<'_>,
    most: i64,
) -> Result<Option<Millis>, Failure> {
    let now: Millis = group.now;
    let remove = query(EXPIRE, args![now, None::<crate::domain::ids::TaskId>, most]);
    let next = query("SELECT min(expires) FROM #entry WHERE expires IS NOT NULL", args![]);
    let found = group.all(vec![remove, next]).await?;
    Ok(found[1].first().and_then(|row| row.get(0)))
}
