//! Nodes: each process has a row from its joining to its end, under an id that is never used again.
//!
//! The row fences the process: every commit ends with an update of it that fails once the row says that the
//! process is gone. So a process that was given up writes nothing more, however late it comes.

use std::{fs, path::Path};

use tokio_postgres::Error;
use ulid::Ulid;

use super::super::{
    connection::{Connection, args, query},
    fail,
};
use crate::{
    domain::{Millis, ids::NodeId},
    store::{NewNode, StoreError, drained_key},
};

/// The file in the data directory with the id of the last process.
const FILE: &str = "node";
/// A node that is gone for this long is forgotten, once nothing of it is in progress.
const REMEMBERED: Millis = 86_400_000;

/// This process among the nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) id: NodeId,
    /// Its part of the counters, which no other living node has.
    pub(crate) slot: i64,
    /// Counts the connections of its writer.
    pub(crate) session: i64,
    /// Counts its commits.
    pub(crate) seq: i64,
    /// The store's time of its joining.
    pub(crate) joined: Millis,
}

/// A node by the database's account, on the way back to it.
pub(crate) struct Resumed {
    /// The number of its last commit; `None` if the database does not know the node.
    pub(crate) seq: Option<i64>,
    /// Why it was given up, if it was.
    pub(crate) gone: Option<String>,
}

/// Counts an opening of the store, which is the epoch. The process that used the data directory before is
/// dead, and is gone from now on.
///
/// # Errors
/// When an import was not completed, or the database fails.
pub(crate) async fn open(link: &Connection, data: Option<&Path>) -> Result<i64, StoreError> {
    let failed = |error: Error| fail("open the store", &error);
    let epoch = "UPDATE #cluster SET epoch = epoch + 1 WHERE NOT importing RETURNING epoch";
    let rows = link.rows(query(epoch, args![])).await.map_err(failed)?;
    let epoch = rows.first().map(|row| row.get(0)).ok_or_else(|| StoreError::Backend {
        doing: "open the store",
        why: "an import into it was begun and not completed: drop the schema, and import again".to_owned(),
    })?;
    if let Some(previous) = data.and_then(previous) {
        // This process holds the lock of the directory.
        give_up(link, previous, None, "it was restarted").await.map_err(failed)?;
    }
    Ok(epoch)
}

/// Makes a row for this process, in a transaction that is left open for the caller to commit. The node that it
/// was is gone, and hands on the wish to take no new runs. `now` stands for the database's clock.
pub(crate) async fn join(
    link: &Connection,
    former: Option<NodeId>,
    node: &NewNode,
    now: Option<Millis>,
) -> Result<Member, Error> {
    // Nodes join one after the other, so that no two living ones have the same slot.
    link.batch("BEGIN; SELECT 1 FROM #cluster FOR UPDATE").await?;
    if let Some(former) = former {
        give_up(link, former, now, "it has joined anew").await?;
        let hand_on = "UPDATE #value SET key = $2 WHERE key = $1";
        let [old, new] = [former, node.id].map(|id| drained_key(id).into_bytes());
        link.rows(query(hand_on, args![old, new])).await?;
    }
    let insert = "INSERT INTO #node (id, name, address, build, places, slot, joined, seen)
        SELECT $1, $2, $3, $4, $5, (SELECT min(s) FROM generate_series(0, (SELECT count(*) FROM #node)) s
            WHERE NOT EXISTS (SELECT 1 FROM #node n WHERE n.slot = s AND n.gone IS NULL)), now, now
          FROM coalesce($6, (extract(epoch FROM clock_timestamp()) * 1000)::int8) AS now
        RETURNING slot, joined";
    // A task that could not take a step may be able to in another build, or after all were stopped.
    let let_go = "UPDATE #state SET held = NULL WHERE held IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM #node WHERE gone IS NULL AND id <> $1 AND build = $2)";
    let forget = "DELETE FROM #node n WHERE gone < $1
        AND NOT EXISTS (SELECT 1 FROM #running r WHERE r.node = n.id)";
    let NewNode { id, name, address, build, places } = node.clone();
    let made = link.rows(query(insert, args![id, name, address, build.clone(), places, now])).await?;
    link.rows(query(let_go, args![id, build])).await?;
    let joined: Millis = made.first().map_or(0, |row| row.get(1));
    link.rows(query(forget, args![joined.saturating_sub(REMEMBERED)])).await?;
    let slot = made.first().map_or(0, |row| row.get(0));
    Ok(Member { id, slot, session: 0, seq: 0, joined })
}

/// Declares a node gone.
pub(crate) async fn give_up(
    link: &Connection,
    node: NodeId,
    now: Option<Millis>,
    why: &str,
) -> Result<(), Error> {
    let gone = "UPDATE #node SET gone = coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000)::int8),
        why = $3 WHERE id = $1 AND gone IS NULL";
    link.rows(query(gone, args![node, now, why])).await.map(drop)
}

/// Goes on over a new connection: no request of an earlier one takes effect from now on. `seen` is the store's time
/// of the last commit.
pub(crate) async fn resume(
    link: &Connection,
    member: &mut Member,
    (seen, now): (Millis, Option<Millis>),
) -> Result<Resumed, Error> {
    let resume =
        "UPDATE #node SET session = session + 1 WHERE id = $1 AND gone IS NULL RETURNING session, seq";
    let rows = link.rows(query(resume, args![member.id])).await?;
    if let Some(row) = rows.first() {
        member.session = row.get(0);
        return Ok(Resumed { seq: row.get(1), gone: None });
    }
    let rows = link.rows(query("SELECT seq, why FROM #node WHERE id = $1", args![member.id])).await?;
    if let Some(row) = rows.first() {
        let why = row.get::<_, Option<String>>(1).unwrap_or_default();
        return Ok(Resumed { seq: row.get(0), gone: Some(why) });
    }
    let time = "SELECT coalesce($1, (extract(epoch FROM clock_timestamp()) * 1000)::int8)";
    let now: Millis = link.rows(query(time, args![now])).await?.first().map_or(0, |row| row.get(0));
    // Others forget a node that is gone for long.
    let is_forgotten = now.saturating_sub(seen.max(member.joined)) > REMEMBERED;
    let gone = Some("the store does not know it".to_owned());
    Ok(Resumed { seq: is_forgotten.then_some(member.seq), gone })
}

fn previous(directory: &Path) -> Option<NodeId> {
    let text = fs::read_to_string(directory.join(FILE)).ok()?;
    Ulid::from_string(text.trim()).ok().map(NodeId)
}

/// Notes the id of this process in the data directory, before it is a node.
pub(crate) fn note(directory: &Path, id: NodeId) -> std::io::Result<()> {
    use std::io::Write;
    let unfinished = directory.join("node.new");
    let mut file = fs::File::create(&unfinished)?;
    writeln!(file, "{}", id.0)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(FILE))
}
