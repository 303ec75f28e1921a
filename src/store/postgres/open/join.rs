//! Nodes: each process has a row from its start to its end, under an id that is never used again.
//!
//! The row fences the process: every commit ends with an update of it that fails once the row says that the
//! process is gone. So a process that was given up writes nothing more, however late it comes.

use std::{fs, path::Path, time::Duration};

use tokio::time::sleep;
use ulid::Ulid;

use super::super::{
    connection::{Connection, Id, Settings, args, query},
    fail,
};
use crate::store::StoreError;

/// The file in the data directory with the id of the last process.
const FILE: &str = "node";
/// Numbers of tasks are kept in so many slots.
const SLOTS: i64 = 64;

/// This process among the nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) id: Id,
    /// Its part of the counters.
    pub(crate) slot: i64,
    /// Counts the connections of its writer.
    pub(crate) session: i64,
    /// Counts its commits.
    pub(crate) seq: i64,
    /// How often the store has been opened.
    pub(crate) epoch: i64,
}

/// Makes a row for this process, once no other process uses the schema.
///
/// # Errors
/// When another process uses it, an import was not completed, or the database fails.
pub(crate) async fn join(connection: &Connection, settings: &Settings) -> Result<Member, StoreError> {
    if let Some(previous) = settings.data.as_deref().and_then(previous) {
        // This process holds the lock of the directory, so that one is dead.
        let gone = "UPDATE #node SET gone = now(), why = 'restarted' WHERE id = $1 AND gone IS NULL";
        connection
            .rows(query(gone, args![previous]))
            .await
            .map_err(|error| fail("join the store", &error))?;
    }
    give_up_others(connection, settings).await?;
    let id = Id(Ulid::generate().to_bytes());
    let member = insert(connection, settings, id).await.map_err(|error| fail("join the store", &error))?;
    let member = member.ok_or_else(|| StoreError::Backend {
        doing: "open the store",
        why: "an import into it was begun and not completed: drop the schema, and import again".to_owned(),
    })?;
    if let Some(directory) = &settings.data {
        note(directory, id).map_err(|error| StoreError::Backend {
            doing: "write the file `node` of the data directory",
            why: error.to_string(),
        })?;
    }
    Ok(member)
}

async fn insert(
    connection: &Connection,
    settings: &Settings,
    id: Id,
) -> Result<Option<Member>, tokio_postgres::Error> {
    connection.batch("BEGIN").await?;
    let epoch = "UPDATE #cluster SET epoch = epoch + 1 WHERE NOT importing RETURNING epoch";
    let found = connection.rows(query(epoch, args![])).await?;
    let Some(epoch) = found.first().map(|row| row.get(0)) else {
        connection.batch("ROLLBACK").await?;
        return Ok(None);
    };
    // Two live nodes never share a slot, as long as there are enough.
    let insert = "INSERT INTO #node (id, name, build, slot) SELECT $1, $2, $3, coalesce(
          (SELECT min(s) FROM generate_series(0, $4 - 1) s
            WHERE NOT EXISTS (SELECT 1 FROM #node n WHERE n.slot = s AND n.gone IS NULL)), 0)
        RETURNING slot";
    let build = env!("CARGO_PKG_VERSION");
    let row = connection.rows(query(insert, args![id, settings.name.clone(), build, SLOTS])).await?;
    connection.batch("UPDATE #state SET held = NULL WHERE held IS NOT NULL").await?;
    connection.batch("DELETE FROM #node WHERE gone < now() - interval '1 day'").await?;
    connection.batch("COMMIT").await?;
    let slot = row.first().map_or(0, |row| row.get(0));
    Ok(Some(Member { id, slot, session: 0, seq: 0, epoch }))
}

/// Waits until every other node has made no commit for a lease, and gives it up then. Its clock does not
/// count, nor does the database's: only the counter of its commits.
async fn give_up_others(connection: &Connection, settings: &Settings) -> Result<(), StoreError> {
    let others = || query("SELECT id, beat, name FROM #node WHERE gone IS NULL", args![]);
    let doing = "look for other servers";
    let before = connection.rows(others()).await.map_err(|error| fail(doing, &error))?;
    if before.is_empty() {
        return Ok(());
    }
    let name: String = before[0].get(2);
    tracing::warn!(%name, lease = settings.lease, "another server may use the schema: waiting for its lease to end");
    let looks = 10;
    for _ in 0..looks {
        sleep(Duration::from_millis(settings.lease) / looks).await;
        let now = connection.rows(others()).await.map_err(|error| fail(doing, &error))?;
        let beats = now.iter().find(|row| {
            let same = |old: &&tokio_postgres::Row| old.get::<_, Id>(0) == row.get::<_, Id>(0);
            before.iter().find(same).is_none_or(|old| old.get::<_, i64>(1) != row.get::<_, i64>(1))
        });
        if let Some(row) = beats {
            let name: String = row.get(2);
            return Err(StoreError::Backend {
                doing: "open the store",
                why: format!("the server {name} uses this schema: stop it, or set another store.schema"),
            });
        }
    }
    for row in &before {
        let gone = "UPDATE #node SET gone = now(), why = 'no commit for a lease'
            WHERE id = $1 AND beat = $2 AND gone IS NULL";
        let (id, beat): (Id, i64) = (row.get(0), row.get(1));
        connection.rows(query(gone, args![id, beat])).await.map_err(|error| fail(doing, &error))?;
    }
    Ok(())
}

/// Goes on over a new connection: no request of an earlier one takes effect from now on. Returns the number of
/// the last commit, and whether this process was given up.
pub(crate) async fn resume(
    connection: &Connection,
    member: &mut Member,
) -> Result<(i64, bool), tokio_postgres::Error> {
    let resume = "UPDATE #node SET session = session + 1, seen = now() WHERE id = $1 AND gone IS NULL
        RETURNING session, seq";
    let rows = connection.rows(query(resume, args![member.id])).await?;
    if let Some(row) = rows.first() {
        member.session = row.get(0);
        return Ok((row.get(1), false));
    }
    let rows = connection.rows(query("SELECT seq FROM #node WHERE id = $1", args![member.id])).await?;
    Ok((rows.first().map_or(0, |row| row.get(0)), true))
}

/// Tells that this process ends.
pub(crate) async fn leave(connection: &Connection, member: &Member) {
    let leave = "UPDATE #node SET gone = now(), why = 'left' WHERE id = $1 AND gone IS NULL";
    let _ = connection.rows(query(leave, args![member.id])).await;
}

/// Locks the data directory, so that the process named in it is dead.
///
/// # Errors
/// When another process has the lock.
pub(crate) fn lock(directory: &Path) -> Result<fs::File, StoreError> {
    let failed = |why: String| StoreError::Backend { doing: "lock the data directory", why };
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(directory.join("lock"));
    let file = file.map_err(|error| failed(error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(error) => Err(failed(format!("{} is in use by another isochron: {error}", directory.display()))),
    }
}

fn previous(directory: &Path) -> Option<Id> {
    let text = fs::read_to_string(directory.join(FILE)).ok()?;
    Ulid::from_string(text.trim()).ok().map(|id| Id(id.to_bytes()))
}

fn note(directory: &Path, id: Id) -> std::io::Result<()> {
    use std::io::Write;
    let unfinished = directory.join("node.new");
    let mut file = fs::File::create(&unfinished)?;
    writeln!(file, "{}", Ulid::from_bytes(id.0))?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(FILE))
}
