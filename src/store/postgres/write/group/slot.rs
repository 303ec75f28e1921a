//! A task in a transaction.

use tokio_postgres::Row;

use super::{columns::id_of, failure::Failure};
use crate::{
    domain::{facts::Task, ids::TaskId},
    store::{StoreError, postgres::documents},
};

/// A task in a transaction: by default one that is not there.
#[derive(Default)]
pub(crate) struct Slot {
    /// The version of its row; `None` if it has none yet.
    pub(crate) version: Option<i64>,
    /// The version with which its definition was written.
    pub(crate) defined: i64,
    /// The rows of its history.
    pub(crate) history: i64,
    /// The task as the database has it.
    pub(crate) before: Option<Task>,
    /// The task as it is now.
    pub(crate) task: Option<Task>,
    /// Whether other tasks run after it; `None` until that is asked.
    pub(crate) followed: Option<bool>,
    /// Why it is left out of claims from now on.
    pub(crate) held: Option<String>,
    /// Whether a write of it waits.
    pub(crate) changed: bool,
    /// The error of a document that does not decode.
    pub(crate) damage: Option<StoreError>,
}

/// The task in a row of `LOCK` or `CLAIM`.
pub(crate) fn slot_of(row: &Row) -> Result<(TaskId, Slot), Failure> {
    let id = id_of(row, 0);
    // The definition was changed between the lock and the read.
    if row.get::<_, i64>(3) != row.get::<_, i64>(4) {
        return Err(Failure::Again);
    }
    let (task, damage) = match documents::task(id, row.get(5), row.get(6)) {
        Ok(task) => (Some(task), None),
        Err(error) => (None, Some(error)),
    };
    let slot = Slot {
        version: Some(row.get(1)),
        defined: row.get(3),
        history: row.get(2),
        before: task.clone(),
        task,
        followed: None,
        held: None,
        changed: false,
        damage,
    };
    Ok((id, slot))
}
