//! Secrets, variables, tokens and sessions.

use super::super::{
    group::{Failure, Group},
    operation::Work,
};
use crate::{
    domain::{
        access::record::TokenRecord,
        binding::{Binding, Rewrite as Replaced},
    },
    store::{
        AccessChange, Audit, Rewriting, StoreError,
        access::{ensure_names_differ, gives_names},
        bindings::rewritten,
        postgres::{
            connection::{Query, args, query},
            documents::{decode, encode},
        },
    },
};

/// Reads all bindings in the order of their names.
pub(crate) const BINDINGS: &str = "SELECT binding FROM #binding ORDER BY name";

/// Changes bindings.
pub(crate) struct Rewrite {
    pub(crate) decide: Rewriting,
    pub(crate) audit: Option<Audit>,
}

impl Work for Rewrite {
    type Answer = Vec<Binding>;

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Vec<Binding>, Failure> {
        // No other server decides by the same bindings at the same time.
        let lock = query("SELECT 1 FROM #cluster FOR UPDATE", args![]);
        let found = group.all(vec![lock, query(BINDINGS, args![])]).await?;
        let bindings: Vec<Binding> =
            found[1].iter().map(|row| decode(row.get(0))).collect::<Result<_, _>>()?;
        let changes = (self.decide)(&bindings, group.now).map_err(StoreError::from)?;
        let writes = changes.iter().map(write_binding).collect::<Result<Vec<_>, _>>()?;
        if !writes.is_empty() {
            group.all(writes).await?;
        }
        group.writes.audits.extend(self.audit.clone());
        Ok(rewritten(bindings, &changes))
    }
}

/// The statement of a change of a binding.
pub(crate) fn write_binding(change: &Replaced) -> Result<Query, StoreError> {
    Ok(match change {
        Replaced::Put(binding) => query(
            "INSERT INTO #binding (name, binding) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET binding = excluded.binding",
            args![binding.name.clone(), encode(binding)?],
        ),
        Replaced::Remove(name) => query("DELETE FROM #binding WHERE name = $1", args![name.clone()]),
    })
}

/// Changes tokens and sessions.
pub(crate) struct ChangeAccess {
    pub(crate) changes: Vec<AccessChange>,
    pub(crate) audit: Option<Audit>,
}

impl Work for ChangeAccess {
    type Answer = ();

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        if gives_names(&self.changes) {
            // Nodes change tokens one after the other.
            let lock = query("SELECT 1 FROM #cluster FOR UPDATE", args![]);
            let read = query("SELECT token FROM #token", args![]);
            let found = group.all(vec![lock, read]).await?.pop().unwrap_or_default();
            let tokens =
                found.iter().map(|row| decode::<TokenRecord>(row.get(0))).collect::<Result<Vec<_>, _>>()?;
            ensure_names_differ(tokens, &self.changes)?;
        }
        let writes = self.changes.iter().map(write_access).collect::<Result<Vec<_>, _>>()?;
        group.all(writes).await?;
        group.writes.audits.extend(self.audit.clone());
        Ok(())
    }
}

fn write_access(change: &AccessChange) -> Result<Query, StoreError> {
    Ok(match change {
        AccessChange::PutToken(token) => query(
            "INSERT INTO #token (id, token) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET token = excluded.token",
            args![token.id, encode(token)?],
        ),
        AccessChange::RemoveToken(id) => query("DELETE FROM #token WHERE id = $1", args![*id]),
        AccessChange::PutSession(session) => query(
            "INSERT INTO #session (hash, session) VALUES ($1, $2)
             ON CONFLICT (hash) DO UPDATE SET session = excluded.session",
            args![session.hash.0.to_vec(), encode(session)?],
        ),
        AccessChange::RemoveSession(hash) => {
            query("DELETE FROM #session WHERE hash = $1", args![hash.0.to_vec()])
        }
        AccessChange::UseToken(used) => query(
            "UPDATE #token SET token = $3 WHERE id = $1 AND token = $2",
            args![used.0.id, encode(&used.0)?, encode(&used.1)?],
        ),
        AccessChange::UseSession(used) => query(
            "UPDATE #session SET session = $3 WHERE hash = $1 AND session = $2",
            args![used.0.hash.0.to_vec(), encode(&used.0)?, encode(&used.1)?],
        ),
    })
}
