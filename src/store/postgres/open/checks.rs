//! Checks of the server before the store uses it.

use super::super::{
    connection::{Connection, args, query},
    fail,
};
use crate::store::StoreError;

/// The oldest version of the server, as it tells it itself: 13.
const OLDEST: i64 = 130_000;

/// Databases that take PostgreSQL's protocol and keep its promises otherwise, each with a part of its version's text.
const OTHERS: [(&str, &str); 2] = [("CockroachDB", "CockroachDB"), ("-YB-", "YugabyteDB")];

/// The name of a database that is not PostgreSQL, by the text of its version.
fn other_than_postgres(version: &str) -> Option<&'static str> {
    OTHERS.iter().find(|(part, _)| version.contains(part)).map(|(_, name)| *name)
}

/// Refuses a database that only speaks as PostgreSQL does.
async fn check_kind(connection: &Connection) -> Result<(), StoreError> {
    let asked = connection.rows(query("SELECT version()", args![])).await;
    let rows = asked.map_err(|error| fail("ask the database for its version", &error))?;
    let version: String = rows.first().map(|row| row.get(0)).unwrap_or_default();
    match other_than_postgres(&version) {
        None => Ok(()),
        Some(name) => Err(StoreError::Backend {
            doing: "open the store",
            why: format!("the database is {name}, with which isochron was never tried: use PostgreSQL"),
        }),
    }
}

/// Refuses a server that cannot keep the store, and warns of one that keeps it badly.
pub(crate) async fn check(connection: &Connection) -> Result<(), StoreError> {
    check_kind(connection).await?;
    let setting = |name: &'static str| query("SELECT current_setting($1, true)", args![name]);
    let asked = vec![
        setting("server_version_num"),
        setting("server_encoding"),
        setting("fsync"),
        setting("synchronous_commit"),
        query("SELECT pg_is_in_recovery()", args![]),
        query("SELECT current_setting('max_connections')::int8 - count(*) FROM pg_stat_activity", args![]),
    ];
    let found =
        connection.all(asked).await.map_err(|error| fail("ask the database for its settings", &error))?;
    let text =
        |at: usize| found[at].first().and_then(|row| row.get::<_, Option<String>>(0)).unwrap_or_default();
    let refuse = |why: String| Err(StoreError::Backend { doing: "open the store", why });
    let version: i64 = text(0).parse().unwrap_or_default();
    if version < OLDEST {
        return refuse(format!(
            "the database is PostgreSQL {}; 13 is the oldest that can be used",
            version / 10_000
        ));
    }
    if text(1) != "UTF8" {
        return refuse(format!("the database has the encoding {}: make one with UTF8", text(1)));
    }
    if found[4].first().is_some_and(|row| row.get(0)) {
        return refuse("the server is a standby, which can only be read: name the primary".to_owned());
    }
    for (at, name) in [(2, "fsync"), (3, "synchronous_commit")] {
        if text(at) == "off" {
            tracing::warn!(
                setting = name,
                "the database loses acknowledged changes when its machine fails: set it to on"
            );
        }
    }
    let left: i64 = found[5].first().map_or(i64::MAX, |row| row.get(0));
    if left < 8 {
        tracing::warn!(left, "the database takes few further connections: raise max_connections");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::other_than_postgres;

    #[test]
    fn databases_that_only_speak_as_postgresql_does_are_known_by_their_version() {
        for (version, name) in [
            ("PostgreSQL 15.18 (Debian 15.18-1) on x86_64-pc-linux-gnu, compiled by gcc", None),
            ("CockroachDB CCL v24.3.1 (x86_64-pc-linux-gnu, built 2024/12/09)", Some("CockroachDB")),
            ("PostgreSQL 15.2-YB-2.25.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang", Some("YugabyteDB")),
        ] {
            assert_eq!(other_than_postgres(version), name, "{version}");
        }
    }
}
