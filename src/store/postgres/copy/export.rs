//! Export: a part of a copy.
//!
//! A task is read in one statement with its executions in progress and the ids of its other rows, so that they
//! agree. The other rows no longer change, so later parts read them and their output; a row removed by then is
//! left out. Entries are read after their task and may be newer.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::{
    domain::{
        Millis,
        activity::{Bucket, Size},
        execution::Execution,
        facts::Task,
        ids::{AlertId, ExecutionId, TaskId},
    },
    store::{
        Output, Owner, Runs, Span, StoreError,
        copy::{Cursor, KeptParams, KeptVersion, Left, Part, Quarantined, Record},
        figures::{self, Buckets},
        postgres::{
            connection::{Arg, Id, Readers, args, query},
            documents::{self, decode, span, span_of},
            read::{merge_slots, owner_id, task_of},
        },
    },
};

/// Bytes and trips of a part.
const BYTES: usize = 128 * 1024;
const TRIPS: usize = 32;
/// Records that one trip reads at most.
const RECORDS: usize = 64;

/// The record that was copied last, of the kinds in their order.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum At {
    Tasks(Option<TaskId>),
    Audit(Option<(Millis, i64)>),
    Values(Option<Vec<u8>>),
    Few,
    Alerts(Option<(i64, String, AlertId)>),
    Versions(Option<(String, Vec<u8>)>),
    Quarantine(Option<Vec<u8>>),
    End,
}

/// Reads the part that begins at `from`.
pub(crate) async fn part(readers: Arc<Readers>, from: Cursor) -> Result<Part, StoreError> {
    let mut reader = Reader { readers, at: At::Tasks(None), cursor: from, records: Vec::new(), bytes: 0 };
    if reader.cursor.after.is_empty() {
        reader.account(Owner::Shared).await?;
    } else {
        reader.at = decode(&reader.cursor.after)?;
    }
    for _ in 0..TRIPS {
        if reader.bytes > BYTES {
            break;
        }
        reader.step().await?;
        if reader.cursor.left.is_empty() && matches!(reader.at, At::End) {
            return Ok(Part { records: reader.records, rest: None });
        }
    }
    reader.cursor.after = documents::encode(&reader.at)?;
    Ok(Part { records: reader.records, rest: Some(reader.cursor) })
}

struct Reader {
    readers: Arc<Readers>,
    at: At,
    cursor: Cursor,
    records: Vec<Record>,
    bytes: usize,
}

impl Reader {
    async fn rows(&mut self, text: &'static str, all: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        let rows = self.readers.rows(query(text, all)).await?;
        Ok(rows)
    }

    fn document(&mut self, bytes: &[u8], key: &[u8], read: impl FnOnce(&[u8]) -> Result<Record, StoreError>) {
        self.bytes += bytes.len();
        let quarantined = || Record::Quarantine(Quarantined { key: key.to_vec(), bytes: bytes.to_vec() });
        self.records.push(read(bytes).unwrap_or_else(|_| quarantined()));
    }

    /// Reads with one trip or a few.
    async fn step(&mut self) -> Result<(), StoreError> {
        match self.cursor.left.pop_front() {
            Some(Left::Entries(after)) => return self.entries(after).await,
            Some(Left::Row(id)) => return self.executions(id).await,
            Some(Left::Output(id, chunk)) => return self.output(id, chunk).await,
            None => {}
        }
        match self.at.clone() {
            At::Tasks(after) => self.task(after).await,
            At::Audit(after) => self.audit(after).await,
            At::Values(after) => self.values(after).await,
            At::Few => self.few().await,
            At::Alerts(after) => self.alerts(after).await,
            At::Versions(after) => self.versions(after).await,
            At::Quarantine(after) => self.quarantine(after).await,
            At::End => Ok(()),
        }
    }

    async fn task(&mut self, after: Option<TaskId>) -> Result<(), StoreError> {
        let text = "SELECT s.task, t.definition, s.facts,
              ARRAY(SELECT row FROM #running WHERE task = s.task ORDER BY id),
              ARRAY(SELECT id FROM #execution WHERE task = s.task ORDER BY id),
              ARRAY(SELECT step FROM #step WHERE task = s.task ORDER BY scheduled_for, name),
              ARRAY(SELECT scheduled_for FROM #step WHERE task = s.task ORDER BY scheduled_for, name),
              ARRAY(SELECT params FROM #params WHERE task = s.task ORDER BY time, hash),
              ARRAY(SELECT time FROM #params WHERE task = s.task ORDER BY time, hash),
              ARRAY(SELECT hash FROM #params WHERE task = s.task ORDER BY time, hash)
            FROM #state s JOIN #task t ON t.id = s.task WHERE $1::uuid IS NULL OR s.task > $1 ORDER BY s.task LIMIT 1";
        let rows = self.rows(text, args![after]).await?;
        let Some(row) = rows.first() else {
            self.at = At::Audit(None);
            return Ok(());
        };
        let id = TaskId::from_bytes(row.get::<_, Id>(0).0);
        self.at = At::Tasks(Some(id));
        let task: Task = task_of(row)?;
        self.bytes += row.get::<_, &[u8]>(1).len() + row.get::<_, &[u8]>(2).len();
        self.records.push(Record::Task(Box::new(task)));
        for bytes in row.get::<_, Vec<Vec<u8>>>(3) {
            let running: Execution = decode(&bytes)?;
            self.bytes += bytes.len();
            self.cursor.left.push_back(Left::Output(running.id, 0));
            self.records.push(Record::Execution(Box::new(running)));
        }
        let ended = row.get::<_, Vec<Id>>(4).into_iter();
        self.cursor.left.extend(ended.map(|id| Left::Row(ExecutionId::from_bytes(id.0))));
        let times = row.get::<_, Vec<Millis>>(6);
        for (bytes, scheduled_for) in row.get::<_, Vec<Vec<u8>>>(5).into_iter().zip(times) {
            self.document(&bytes, b"step", |bytes| {
                Ok(Record::Step { task: id, scheduled_for, step: decode(bytes)? })
            });
        }
        let keys = row.get::<_, Vec<Millis>>(8).into_iter().zip(row.get::<_, Vec<String>>(9));
        for (bytes, (time, hash)) in row.get::<_, Vec<Vec<u8>>>(7).into_iter().zip(keys) {
            self.document(&bytes, b"params", |bytes| {
                Ok(Record::Params(KeptParams { task: id, time, hash, params: decode(bytes)? }))
            });
        }
        self.account(Owner::Task(id)).await
    }

    /// Reads the last version of an owner's entries; later parts read the entries.
    async fn account(&mut self, owner: Owner) -> Result<(), StoreError> {
        let id = owner_id(owner);
        let rows = self.rows("SELECT version FROM #account WHERE owner = $1", args![id]).await?;
        if let Some(row) = rows.first() {
            let version = row.get::<_, i64>(0).unsigned_abs();
            self.records.push(Record::Version { owner, version });
            self.cursor.left.push_back(Left::Entries(id.0.to_vec()));
        }
        Ok(())
    }

    /// Reads entries after a key: the owner's id and the key.
    async fn entries(&mut self, after: Vec<u8>) -> Result<(), StoreError> {
        let Some(owner) = after.get(..16).and_then(|id| <[u8; 16]>::try_from(id).ok()) else { return Ok(()) };
        let key = Some(after[16..].to_vec()).filter(|key| !key.is_empty());
        let text = "SELECT key, entry FROM #entry WHERE owner = $1 AND ($2::bytea IS NULL OR key > $2)
            ORDER BY key LIMIT $3";
        let rows = self.rows(text, args![Id(owner), key, RECORDS]).await?;
        let whose = if owner == [0; 16] { Owner::Shared } else { Owner::Task(TaskId::from_bytes(owner)) };
        for row in &rows {
            let (key, bytes): (&[u8], &[u8]) = (row.get(0), row.get(1));
            self.document(bytes, key, |bytes| {
                let key = String::from_utf8_lossy(key).into_owned();
                Ok(Record::Entry { owner: whose, key, entry: decode(bytes)? })
            });
        }
        if let Some(row) = rows.last().filter(|_| rows.len() == RECORDS) {
            let next = [&owner[..], row.get::<_, &[u8]>(0)].concat();
            self.cursor.left.push_front(Left::Entries(next));
        }
        Ok(())
    }

    /// Reads a row, and those that follow it among the ones that are left.
    async fn executions(&mut self, first: ExecutionId) -> Result<(), StoreError> {
        let mut ids = vec![first];
        while ids.len() < RECORDS
            && let Some(Left::Row(id)) = self.cursor.left.front()
        {
            ids.push(*id);
            self.cursor.left.pop_front();
        }
        let text = "SELECT row, EXISTS (SELECT 1 FROM #output o WHERE o.execution = e.id) FROM #execution e
            WHERE id = ANY($1) ORDER BY id";
        let rows = self.rows(text, args![ids]).await?;
        for row in rows.iter().rev() {
            let ended: Execution = decode(row.get(0))?;
            if row.get(1) {
                self.cursor.left.push_front(Left::Output(ended.id, 0));
            }
        }
        for row in &rows {
            self.document(row.get(0), b"execution", |bytes| Ok(Record::Execution(Box::new(decode(bytes)?))));
        }
        Ok(())
    }

    async fn output(&mut self, id: ExecutionId, first: u32) -> Result<(), StoreError> {
        let text = "SELECT chunk, lines FROM (
              SELECT chunk, lines, coalesce(sum(length(lines)) OVER (ORDER BY chunk
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
              FROM #output WHERE execution = $1 AND chunk >= $2) o
            WHERE before < $3 ORDER BY chunk";
        let rows = self.rows(text, args![id, i64::from(first), BYTES]).await?;
        for row in &rows {
            let chunk = u32::try_from(row.get::<_, i64>(0)).unwrap_or_default();
            self.document(row.get(1), b"output", |bytes| {
                Ok(Record::Output(Output { execution: id, chunk, lines: decode(bytes)? }))
            });
        }
        let read: usize = rows.iter().map(|row| row.get::<_, &[u8]>(1).len()).sum();
        if let Some(row) = rows.last().filter(|_| read >= BYTES) {
            let next = u32::try_from(row.get::<_, i64>(0) + 1).unwrap_or(u32::MAX);
            self.cursor.left.push_front(Left::Output(id, next));
        }
        Ok(())
    }

    async fn audit(&mut self, after: Option<(Millis, i64)>) -> Result<(), StoreError> {
        let text = "SELECT time, number, row FROM #audit WHERE $1::int8 IS NULL OR (time, number) > ($1, $2)
            ORDER BY time, number LIMIT $3";
        let (time, number) = after.unzip();
        let rows = self.rows(text, args![time, number, RECORDS]).await?;
        for row in &rows {
            self.document(row.get(2), b"audit", |bytes| Ok(Record::Audit(decode(bytes)?)));
        }
        self.at = rows.last().map_or(At::Values(None), |row| At::Audit(Some((row.get(0), row.get(1)))));
        Ok(())
    }

    async fn values(&mut self, after: Option<Vec<u8>>) -> Result<(), StoreError> {
        let text = "SELECT key, value FROM #value WHERE $1::bytea IS NULL OR key > $1 ORDER BY key LIMIT $2";
        let rows = self.rows(text, args![after, RECORDS]).await?;
        for row in &rows {
            let key: &[u8] = row.get(0);
            self.document(row.get(1), key, |bytes| {
                let key = String::from_utf8_lossy(key).into_owned();
                Ok(Record::Value { key, value: decode(bytes)? })
            });
        }
        self.at = rows.last().map_or(At::Few, |row| At::Values(Some(row.get(0))));
        Ok(())
    }

    /// Reads the kinds of which there are few records.
    async fn few(&mut self) -> Result<(), StoreError> {
        for row in &self.rows("SELECT binding FROM #binding ORDER BY name", args![]).await? {
            self.document(row.get(0), b"binding", |bytes| Ok(Record::Binding(decode(bytes)?)));
        }
        let rows =
            self.rows("SELECT span, bucket FROM #activity ORDER BY span, start, slot", args![]).await?;
        let mut buckets = Vec::new();
        for row in &rows {
            buckets.extend(span_of(row.get(0)).map(|span| decode(row.get(1)).map(|bucket| (span, bucket))));
        }
        self.records.extend(activity(buckets.into_iter().collect::<Result<_, _>>()?)?);
        for row in &self.rows("SELECT token FROM #token ORDER BY id", args![]).await? {
            self.document(row.get(0), b"token", |bytes| Ok(Record::Token(Box::new(decode(bytes)?))));
        }
        self.at = At::Alerts(None);
        Ok(())
    }

    async fn alerts(&mut self, after: Option<(i64, String, AlertId)>) -> Result<(), StoreError> {
        let text = "SELECT place, channel, id, delivery FROM #alert
            WHERE $1::int8 IS NULL OR (place, channel, id) > ($1, $2, $3) ORDER BY place, channel, id LIMIT $4";
        let (place, key) = after.map(|(place, channel, id)| (place, (channel, id))).unzip();
        let (channel, id) = key.unzip();
        let rows = self.rows(text, args![place, channel, id, RECORDS]).await?;
        for row in &rows {
            self.document(row.get(3), b"alert", |bytes| Ok(Record::Alert(Box::new(decode(bytes)?))));
        }
        let key = |row: &Row| (row.get(0), row.get(1), AlertId::from_bytes(row.get::<_, Id>(2).0));
        self.at = rows.last().map_or(At::Versions(None), |row| At::Alerts(Some(key(row))));
        Ok(())
    }

    async fn versions(&mut self, after: Option<(String, Vec<u8>)>) -> Result<(), StoreError> {
        let text = "SELECT handler, hash, first_seen, last_seen, runs, source FROM #version
            WHERE $1::text IS NULL OR (handler, hash) > ($1 COLLATE \"C\", $2) ORDER BY handler, hash LIMIT 1";
        let (handler, hash) = after.unzip();
        let rows = self.rows(text, args![handler, hash]).await?;
        let Some(row) = rows.first() else {
            self.at = At::Quarantine(None);
            return Ok(());
        };
        let (handler, hash): (String, Vec<u8>) = (row.get(0), row.get(1));
        let runs = row.get::<_, i64>(4).unsigned_abs();
        let runs = Runs { first_seen: row.get(2), last_seen: row.get(3), runs };
        let text = row.get::<_, Option<&[u8]>>(5).map(|text| String::from_utf8_lossy(text).into_owned());
        self.bytes += text.as_ref().map_or(0, String::len);
        self.at = At::Versions(Some((handler.clone(), hash.clone())));
        self.records.push(Record::Source(KeptVersion { handler, hash, runs, text }));
        Ok(())
    }

    async fn quarantine(&mut self, after: Option<Vec<u8>>) -> Result<(), StoreError> {
        let text = "SELECT place, bytes FROM #set_aside WHERE $1::bytea IS NULL OR place > $1 ORDER BY place LIMIT $2";
        let rows = self.rows(text, args![after, RECORDS]).await?;
        for row in &rows {
            let found = Quarantined { key: row.get(0), bytes: row.get(1) };
            self.bytes += found.bytes.len();
            self.records.push(Record::Quarantine(found));
        }
        self.at = rows.last().map_or(At::End, |row| At::Quarantine(Some(row.get(0))));
        Ok(())
    }
}

/// The buckets of all slots as those of one: of several present minutes the last one stays.
fn activity(buckets: Vec<(Span, Bucket)>) -> Result<Vec<Record>, StoreError> {
    let mut by_span: BTreeMap<i64, Vec<Bucket>> = BTreeMap::new();
    for (kind, bucket) in buckets {
        by_span.entry(span(kind)).or_default().push(bucket);
    }
    let mut merged = Merged::default();
    let present = merge_slots(by_span.remove(&0).unwrap_or_default());
    for (number, buckets) in by_span {
        let Some(kind) = span_of(number) else { continue };
        for bucket in merge_slots(buckets) {
            merged.0.insert((kind, bucket.start), bucket);
        }
    }
    for bucket in present {
        figures::add(&mut merged, bucket.start, &bucket.tally)?;
    }
    let records = merged.0.into_iter().map(|((span, _), bucket)| Record::Activity { span, bucket });
    Ok(records.collect())
}

#[derive(Default)]
struct Merged(BTreeMap<(Span, Millis), Bucket>);

impl Buckets for Merged {
    fn read(&self, span: Span, start: Millis) -> Result<Option<Bucket>, StoreError> {
        Ok(self.0.get(&(span, if span == Span::Present { 0 } else { start })).cloned())
    }

    fn write(&mut self, span: Span, bucket: &Bucket) -> Result<(), StoreError> {
        let start = if span == Span::Present { 0 } else { bucket.start };
        self.0.insert((span, start), bucket.clone());
        Ok(())
    }

    fn remove_before(&mut self, _: Size, _: Millis) -> Result<(), StoreError> {
        Ok(())
    }
}
