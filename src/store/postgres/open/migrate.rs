//! The tables: made or changed by whichever server comes first.

use super::super::fail;
use crate::store::{
    StoreError,
    postgres::connection::{Connection, args, query, text_of},
};

/// The version of the tables that this build needs.
pub(crate) const VERSION: i64 = 1;
/// Tables that are so many versions ahead are used too: while servers are upgraded one by one, the next build changes
/// them first.
pub(crate) const AHEAD: i64 = 1;
/// The steps from one version to the next. A step only adds tables, indexes, and columns with a default, so that the
/// build before it goes on; tables that no build uses go two versions later. Each statement ends with its line, and may
/// have been made before: not every dialect makes them in one transaction.
const STEPS: &[(i64, &str)] = &[(1, include_str!("schema.sql"))];

/// The tables with records; `cluster`, `node` and `turn` have none.
pub(crate) const TABLES: &[&str] = &[
    "task",
    "task_name",
    "state",
    "running",
    "execution",
    "output",
    "counter",
    "activity",
    "audit",
    "value",
    "account",
    "entry",
    "step",
    "params",
    "binding",
    "token",
    "session",
    "alert",
    "version",
    "garbage",
    "set_aside",
];

/// Makes the tables, or brings them to this build's version.
///
/// # Errors
/// When they are newer than this build, or are to be changed by hand (`may_change` is false).
pub(crate) async fn migrate(connection: &Connection, may_change: bool) -> Result<(), StoreError> {
    migrate_by(connection, may_change, (VERSION, STEPS)).await
}

/// The same, for a build that needs another version.
pub(crate) async fn migrate_by(
    connection: &Connection,
    may_change: bool,
    build: (i64, &[(i64, &str)]),
) -> Result<(), StoreError> {
    // Several servers may start at once: the second finds the tables of the first.
    for _ in 0..3 {
        match attempt(connection, may_change, build).await {
            Err(Attempt::Raced) => {}
            Err(Attempt::Failed(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
    Err(StoreError::Backend { doing: "make the tables", why: "others make them at the same time".to_owned() })
}

enum Attempt {
    Raced,
    Failed(StoreError),
}

impl From<tokio_postgres::Error> for Attempt {
    fn from(error: tokio_postgres::Error) -> Self {
        let code = error.as_db_error().map(|error| error.code().code().to_owned());
        match code.as_deref() {
            // The schema, a table or its type is there by now.
            Some("23505" | "42P07" | "42P06" | "42710") => Self::Raced,
            _ => Self::Failed(fail("make the tables", &error)),
        }
    }
}

async fn attempt(
    connection: &Connection,
    may_change: bool,
    (needed, steps): (i64, &[(i64, &str)]),
) -> Result<(), Attempt> {
    let found = version(connection).await?;
    let refuse = |why: String| Err(Attempt::Failed(StoreError::Backend { doing: "open the store", why }));
    match found {
        Some(version) if version == needed => return Ok(()),
        Some(version) if version > needed + AHEAD => {
            return refuse(format!(
                "its tables have version {version}, and this build can use {needed} and {}: use the newer build",
                needed + AHEAD
            ));
        }
        Some(version) if version > needed => {
            tracing::info!(version, "the tables are those of the next build, with which this one goes on");
            return Ok(());
        }
        _ if !may_change => {
            return refuse(format!(
                "its tables have version {} and this build needs {needed}: run `isochron store migrate`",
                found.unwrap_or_default()
            ));
        }
        _ => {}
    }
    let result = change(connection, found.unwrap_or_default(), (needed, steps)).await;
    if result.is_err() {
        let _ = connection.batch("ROLLBACK").await;
    }
    result
}

async fn version(connection: &Connection) -> Result<Option<i64>, tokio_postgres::Error> {
    let there = query("SELECT to_regclass($1) IS NOT NULL", args![connection.qualify("#cluster")]);
    if !connection.rows(there).await?.first().is_some_and(|row| row.get(0)) {
        return Ok(None);
    }
    let rows = connection.rows(query("SELECT version FROM #cluster", args![])).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

async fn change(
    connection: &Connection,
    mut found: i64,
    (needed, steps): (i64, &[(i64, &str)]),
) -> Result<(), Attempt> {
    let dialect = connection.dialect();
    let at_once = dialect.makes_tables_at_once;
    if at_once {
        connection.batch("BEGIN").await?;
    }
    let is_new = found == 0;
    if is_new {
        connection.batch(dialect.before_tables).await?;
        let schema = connection.qualify("#");
        connection.batch(&format!("CREATE SCHEMA IF NOT EXISTS {}", schema.trim_end_matches('.'))).await?;
    } else {
        // Another server may have changed them while this one waited for its turn.
        let locked = connection.rows(query("SELECT version FROM #cluster FOR UPDATE", args![])).await?;
        found = locked.first().map_or(found, |row| row.get(0));
    }
    for (version, text) in steps.iter().filter(|(version, _)| *version > found) {
        let statements = if at_once { vec![*text] } else { text.split_inclusive(";\n").collect() };
        for statement in statements {
            let made = connection.batch(statement).await;
            match made.map_err(Attempt::from) {
                // Another server has made it meanwhile.
                Err(Attempt::Raced) if !at_once => connection.batch(statement).await?,
                made => made?,
            }
        }
        tracing::info!(version, "the store's tables were made, or changed");
    }
    if is_new {
        index_parts_of_names(connection, at_once).await?;
        connection.batch(dialect.after_tables).await?;
    }
    connection.rows(query("UPDATE #cluster SET version = greatest(version, $1)", args![needed])).await?;
    connection.batch(if at_once { "COMMIT" } else { "" }).await?;
    Ok(())
}

/// Makes an index for searches by a part of a name, if the server has the extension for it and the user may use it.
/// Without it such a search reads all names.
async fn index_parts_of_names(
    connection: &Connection,
    in_transaction: bool,
) -> Result<(), tokio_postgres::Error> {
    if in_transaction {
        connection.batch("SAVEPOINT names").await?;
    }
    if let Err(error) = try_to_index_parts(connection).await {
        if in_transaction {
            connection.batch("ROLLBACK TO SAVEPOINT names").await?;
        }
        let error = text_of(&error);
        tracing::info!(error, "searches by a part of a name read all names: there is no pg_trgm for them");
    }
    Ok(())
}

async fn try_to_index_parts(connection: &Connection) -> Result<(), tokio_postgres::Error> {
    let schema = connection.qualify("#");
    let schema = schema.trim_end_matches('.');
    connection.batch(&format!("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA {schema}")).await?;
    let place =
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_trgm'";
    let rows = connection.rows(query(place, args![])).await?;
    let place: String = rows.first().map(|row| row.get(0)).unwrap_or_default();
    let index = format!(
        "CREATE INDEX IF NOT EXISTS task_name_part ON #task_name USING gin (lower {place}.gin_trgm_ops)"
    );
    connection.batch(&index).await
}
