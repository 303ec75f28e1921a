//! Checks of the server before the store uses it.

use super::super::{
    connection::{Connection, args, query},
    fail,
};
use crate::store::StoreError;

/// The oldest version of the server, as it tells it itself: 13.
const OLDEST: i64 = 130_000;

/// Refuses a server that cannot keep the store, and warns of one that keeps it badly.
pub(crate) async fn check(connection: &Connection) -> Result<(), StoreError> {
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
