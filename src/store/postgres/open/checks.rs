//! Checks of the server before the store uses it.

use super::super::{
    connection::{Connection, Dialect, args, query},
    fail,
};
use crate::store::StoreError;

/// The oldest version of the server, as it tells it itself: 13.
const OLDEST: i64 = 130_000;

/// Why a database cannot be used with the statements of a dialect, by the text of its version. PostgreSQL understands all
/// of them.
fn refusal(version: &str, dialect: &Dialect) -> Option<String> {
    let Dialect { name, database, .. } = Dialect::of_database(version);
    let fits = *name == dialect.name || *name == <&Dialect>::default().name;
    (!fits).then(|| {
        format!(
            "the database is {database}, with which isochron was never tried: use PostgreSQL, or set store.dialect to \
             {name} to try it without any promise"
        )
    })
}

async fn check_kind(connection: &Connection) -> Result<(), StoreError> {
    let asked = connection.rows(query("SELECT version()", args![])).await;
    let rows = asked.map_err(|error| fail("ask the database for its version", &error))?;
    let version: String = rows.first().map(|row| row.get(0)).unwrap_or_default();
    let dialect = connection.dialect();
    if let Some(why) = refusal(&version, dialect) {
        return Err(StoreError::Backend { doing: "open the store", why });
    }
    if dialect.name != <&Dialect>::default().name {
        let database = dialect.database;
        tracing::warn!(database, "store.dialect is for a database with which isochron was never tried");
    }
    Ok(())
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
        query(
            "SELECT current_setting('max_connections', true)::int8 - count(*) FROM pg_stat_activity",
            args![],
        ),
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
    let left: Option<i64> = found[5].first().and_then(|row| row.get(0));
    if let Some(left) = left.filter(|left| *left < 8) {
        tracing::warn!(left, "the database takes few further connections: raise max_connections");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Dialect, refusal};

    #[test]
    fn a_database_is_used_with_its_own_dialect_only_and_postgresql_with_any() {
        let postgres = "PostgreSQL 15.18 (Debian 15.18-1) on x86_64-pc-linux-gnu, compiled by gcc";
        let cockroach = "CockroachDB CCL v24.3.1 (x86_64-pc-linux-gnu, built 2024/12/09)";
        let yugabyte = "PostgreSQL 15.2-YB-2.25.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang";
        for (version, dialect, named) in [
            (postgres, "postgres", None),
            (postgres, "yugabyte", None),
            (postgres, "cockroach", None),
            (cockroach, "postgres", Some("CockroachDB")),
            (cockroach, "yugabyte", Some("set store.dialect to cockroach")),
            (cockroach, "cockroach", None),
            (yugabyte, "postgres", Some("set store.dialect to yugabyte")),
            (yugabyte, "yugabyte", None),
        ] {
            let said = refusal(version, Dialect::named(dialect).expect("a dialect"));
            match named {
                None => assert_eq!(said, None, "{dialect} on {version}"),
                Some(part) => assert!(said.as_ref().is_some_and(|said| said.contains(part)), "{said:?}"),
            }
        }
    }
}
