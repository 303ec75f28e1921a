//! The operations of one transaction, and the tasks that it has locked.
//!
//! The first trip locks and reads every task that an operation names. Operations then decide in memory, each
//! seeing those before it; their writes are sent in one trip, and the fence and the commit go with them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio_postgres::Row;

use super::{
    columns::id_of,
    failure::Failure,
    owners::{self, Owners},
    slot::{Slot, slot_of},
    writes::Writes,
};
use crate::{
    domain::{
        Millis,
        activity::Tally,
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{
        Now, StoreError,
        postgres::{
            connection::{Connection, Query, args, query},
            open::Member,
        },
    },
};

const WITHOUT_LIMIT: &str = "SET LOCAL statement_timeout = 0";

/// The records that an operation looks at first.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Tasks to lock.
    pub(crate) tasks: Vec<TaskId>,
    /// Executions that output comes from.
    pub(crate) output_of: Vec<ExecutionId>,
    /// Names that may be taken.
    pub(crate) names: Vec<String>,
    /// How far ahead, and how many due tasks.
    pub(crate) claim: Option<(Millis, usize)>,
    /// Whether the work may take long.
    pub(crate) is_long: bool,
}

/// The operations of one transaction.
pub(crate) struct Group<'a> {
    pub(crate) link: &'a Connection,
    pub(crate) member: Member,
    /// The store's time, epoch milliseconds.
    pub(crate) now: Millis,
    pub(crate) slots: BTreeMap<TaskId, Slot>,
    /// The due tasks that are locked, by priority and time.
    pub(crate) due: VecDeque<(Millis, TaskId)>,
    /// Who has a name; `None` for a free one.
    pub(crate) names: BTreeMap<String, Option<TaskId>>,
    pub(crate) writes: Writes,
    /// The ends in the group.
    pub(crate) tally: Tally,
    /// Whether a task is deleted, whose history goes later.
    pub(crate) garbage: bool,
    /// The earliest time at which an entry that the group writes is no longer shown.
    pub(crate) expiry: Option<Millis>,
    /// Whether the activity is to be read again after the commit.
    pub(crate) reload: bool,
    /// The nodes of executions.
    pub(crate) owners: Owners,
    /// The runs under way, if the group tells them.
    pub(crate) busy: Option<u32>,
    /// Whether steps of the group wish the end of executions of other nodes.
    pub(crate) wishes: bool,
}

/// Locks tasks, in the order of their ids so that two transactions never wait for one another.
const LOCK: &str = "SELECT s.task, s.version, s.history, s.defined, t.version, t.definition, s.facts
    FROM #state s JOIN #task t ON t.id = s.task WHERE s.task = ANY($1) ORDER BY s.task FOR UPDATE OF s";

/// The tasks that others run after. A task is locked while it gets a successor, so this is asked after the lock.
const FOLLOWED: &str = "SELECT w.id FROM unnest($1::uuid[]) w(id)
    CROSS JOIN LATERAL (SELECT 1 FROM #task WHERE after = w.id LIMIT 1) f";

/// Locks due tasks that no other transaction has locked: by priority, and of one priority the earliest first.
/// The scan of a priority stops as soon as there are enough.
pub(crate) const CLAIM: &str = "WITH n AS MATERIALIZED (
      SELECT coalesce($1, (extract(epoch FROM clock_timestamp()) * 1000)::int8) + $2 AS until),
    d AS MATERIALIZED (SELECT x.* FROM generate_series(10, -10, -1) p(priority) CROSS JOIN LATERAL (
        SELECT task, version, history, defined, facts FROM #state s
        WHERE s.priority = p.priority AND s.due <= (SELECT until FROM n) AND s.held IS NULL
        ORDER BY s.due, s.task LIMIT $3 FOR UPDATE SKIP LOCKED) x LIMIT $3)
    SELECT d.task, d.version, d.history, d.defined, t.version, t.definition, d.facts
    FROM d JOIN #task t ON t.id = d.task";

const TIME: &str = "SELECT coalesce($1, (extract(epoch FROM clock_timestamp()) * 1000)::int8)";
const NAMES: &str = "SELECT name, task FROM #task_name WHERE name = ANY($1)";

impl<'a> Group<'a> {
    /// Begins a transaction and reads what its operations need, in one trip. `now` stands for the database's
    /// clock.
    pub(crate) async fn begin(
        link: &'a Connection,
        member: Member,
        now: Option<&Now>,
        needs: Needs,
    ) -> Result<Self, Failure> {
        let given = now.map(|now| now());
        let begin = link.dialect().begin;
        let begin = if needs.is_long { format!("{begin}; {WITHOUT_LIMIT}") } else { begin.to_owned() };
        let mut queries = Vec::new();
        let wanted: BTreeSet<TaskId> = needs.tasks.into_iter().collect();
        let (locks, says) = (!wanted.is_empty(), !needs.output_of.is_empty());
        if locks {
            queries.extend(lock_queries(&wanted));
            queries.push(query(owners::RUNNING, args![wanted.iter().copied().collect::<Vec<_>>()]));
        }
        if says {
            queries.push(query(owners::SPEAKERS, args![needs.output_of]));
        }
        if let Some((ahead, most)) = needs.claim {
            queries.push(query(CLAIM, args![given, ahead, most]));
        }
        if !needs.names.is_empty() {
            queries.push(query(NAMES, args![needs.names.clone()]));
        }
        // After the locks, so that the time of a task never goes back.
        queries.push(query(TIME, args![given]));
        let mut found = link.between(Some(&begin), queries, None).await?;
        let now = found.pop().and_then(|rows| rows.first().map(|row| row.get(0))).unwrap_or_default();
        let mut group = Self {
            link,
            member,
            now,
            slots: BTreeMap::new(),
            due: VecDeque::new(),
            names: needs.names.iter().map(|name| (name.clone(), None)).collect(),
            writes: Writes::default(),
            tally: Tally::default(),
            garbage: false,
            expiry: None,
            reload: false,
            owners: Owners::default(),
            busy: None,
            wishes: false,
        };
        if !needs.names.is_empty() {
            for row in found.pop().unwrap_or_default() {
                group.names.insert(row.get(0), Some(id_of(&row, 1)));
            }
        }
        if needs.claim.is_some() {
            group.take_due(&found.pop().unwrap_or_default())?;
        }
        if says {
            group.owners.take_speakers(&found.pop().unwrap_or_default());
        }
        if locks {
            group.owners.take_running(&found.pop().unwrap_or_default());
            group.owners.known.extend(wanted.iter().copied());
            group.take_locked(wanted, found)?;
        }
        Ok(group)
    }

    fn take(&mut self, rows: &[Row]) -> Result<(), Failure> {
        for row in rows {
            let (id, slot) = slot_of(row)?;
            self.slots.entry(id).or_insert(slot);
        }
        Ok(())
    }

    /// Takes the tasks that were wanted, with the answers to [`lock_queries`].
    fn take_locked(&mut self, wanted: BTreeSet<TaskId>, mut found: Vec<Vec<Row>>) -> Result<(), Failure> {
        let followed: BTreeSet<_> = found.pop().unwrap_or_default().iter().map(|row| id_of(row, 0)).collect();
        self.take(&found.pop().unwrap_or_default())?;
        for id in wanted {
            let slot = self.slots.entry(id).or_default();
            slot.followed = Some(followed.contains(&id));
        }
        Ok(())
    }

    fn take_due(&mut self, rows: &[Row]) -> Result<(), Failure> {
        self.take(rows)?;
        let mut due: Vec<_> = rows
            .iter()
            .map(|row| {
                let id = id_of(row, 0);
                let task = self.slots.get(&id).and_then(|slot| slot.task.as_ref());
                let rank = task.map_or(0, |task| -i64::from(task.definition.priority));
                (rank, task.and_then(Task::due).unwrap_or(Millis::MIN), id)
            })
            .collect();
        due.sort_unstable();
        self.due = due.into_iter().map(|(_, due, id)| (due, id)).collect();
        Ok(())
    }

    /// Locks and reads the tasks that are not locked yet.
    pub(crate) async fn load(&mut self, ids: &[TaskId]) -> Result<(), Failure> {
        let missing: BTreeSet<_> = ids.iter().copied().filter(|id| !self.slots.contains_key(id)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let found = self.link.all(lock_queries(&missing).into()).await?;
        self.take_locked(missing, found)
    }

    /// A task that is locked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; the error of a damaged document.
    pub(crate) async fn task(&mut self, id: TaskId) -> Result<Task, Failure> {
        self.load(&[id]).await?;
        let slot = self.slots.get(&id).ok_or(StoreError::NotFound)?;
        if let Some(damage) = &slot.damage {
            return Err(damage.clone().into());
        }
        Ok(slot.task.clone().ok_or(StoreError::NotFound)?)
    }

    /// Whether other tasks run after a task that is locked.
    pub(crate) async fn is_followed(&mut self, id: TaskId) -> Result<bool, Failure> {
        if let Some(followed) = self.slots.get(&id).and_then(|slot| slot.followed) {
            return Ok(followed);
        }
        let followed = !self.rows(query(FOLLOWED, args![vec![id]])).await?.is_empty();
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.followed = Some(followed);
        }
        Ok(followed)
    }

    /// Asks a query that sees every write of the group so far.
    pub(crate) async fn rows(&mut self, asked: Query) -> Result<Vec<Row>, Failure> {
        self.flush().await?;
        Ok(self.link.rows(asked).await?)
    }

    /// Asks several at once.
    pub(crate) async fn all(&mut self, asked: Vec<Query>) -> Result<Vec<Vec<Row>>, Failure> {
        self.flush().await?;
        Ok(self.link.all(asked).await?)
    }

    /// Sends the writes so far, without a commit.
    pub(crate) async fn flush(&mut self) -> Result<(), Failure> {
        let queries = self.take_queries()?;
        if !queries.is_empty() {
            self.link.all(queries).await?;
        }
        Ok(())
    }
}

/// The statements that lock and read tasks.
fn lock_queries(wanted: &BTreeSet<TaskId>) -> [Query; 2] {
    let wanted: Vec<_> = wanted.iter().copied().collect();
    [query(LOCK, args![wanted.clone()]), query(FOLLOWED, args![wanted])]
}
