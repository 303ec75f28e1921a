//! Activity: ends are counted in buckets of this process's slot, which nobody else writes.

use std::collections::BTreeMap;

use super::group::{Failure, Group};
use crate::{
    domain::{
        Millis,
        activity::{Bucket, Size},
    },
    store::{
        Span, StoreError,
        figures::{self, Buckets},
        postgres::{
            connection::{Connection, Query, args, query},
            documents::{decode, encode, span},
        },
    },
};

const WRITE: &str = "INSERT INTO #activity (span, start, slot, bucket) VALUES ($1, $2, $3, $4)
    ON CONFLICT (span, start, slot) DO UPDATE SET bucket = excluded.bucket";
const READ: &str = "SELECT bucket FROM #activity WHERE span = $1 AND start = $2 AND slot = $3";
const REMOVE: &str = "DELETE FROM #activity WHERE span = $1 AND slot = $3 AND start IN (
      SELECT start FROM #activity WHERE span = $1 AND slot = $3 AND start < $2 ORDER BY start LIMIT $4)";

/// The bucket of the present minute, as the last commit left it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Activity(Option<Bucket>);

impl Activity {
    /// Reads the bucket of a slot. One that is damaged is counted anew.
    pub(crate) async fn load(link: &Connection, slot: i64) -> Result<Self, tokio_postgres::Error> {
        let rows = link.rows(query(READ, args![span(Span::Present), 0_i64, slot])).await?;
        let bucket = rows.first().and_then(|row| {
            let bucket = decode(row.get(0));
            bucket
                .inspect_err(|error| tracing::error!(%error, "the ends of the present minute are lost"))
                .ok()
        });
        Ok(Self(bucket))
    }
}

impl Group<'_> {
    /// The statements that count the ends of the group, and the activity after its commit.
    pub(super) async fn count_ends(&self, before: &Activity) -> Result<(Vec<Query>, Activity), Failure> {
        if self.tally.is_empty() {
            return Ok((Vec::new(), before.clone()));
        }
        let mut slot = Slot { present: before.0.clone(), ..Slot::default() };
        if let Some(over) = before.0.as_ref().filter(|bucket| bucket.start != Size::Minute.start(self.now)) {
            slot.read_closed(self, over).await?;
        }
        figures::add(&mut slot, self.now, &self.tally)?;
        let mut queries = Vec::new();
        for (size, time) in &slot.removed {
            let most = figures::REMOVED_AT_ONCE;
            queries.push(query(REMOVE, args![span(Span::Closed(*size)), *time, self.member.slot, most]));
        }
        for (kind, bucket) in &slot.written {
            let start = if *kind == Span::Present { 0 } else { bucket.start };
            queries.push(query(WRITE, args![span(*kind), start, self.member.slot, encode(bucket)?]));
        }
        Ok((queries, Activity(slot.present)))
    }
}

/// The buckets that one commit reads and writes.
#[derive(Default)]
struct Slot {
    present: Option<Bucket>,
    closed: BTreeMap<(Span, Millis), Bucket>,
    written: Vec<(Span, Bucket)>,
    removed: Vec<(Size, Millis)>,
}

impl Slot {
    /// Reads the buckets that a minute which is over joins.
    async fn read_closed(&mut self, group: &Group<'_>, over: &Bucket) -> Result<(), Failure> {
        let keys: Vec<_> = Size::ALL.map(|size| (Span::Closed(size), size.start(over.start))).into();
        let reads =
            keys.iter().map(|(kind, start)| query(READ, args![span(*kind), *start, group.member.slot]));
        let found = group.link.all(reads.collect()).await?;
        for (key, rows) in keys.into_iter().zip(found) {
            if let Some(row) = rows.first() {
                self.closed.insert(key, decode(row.get(0))?);
            }
        }
        Ok(())
    }
}

impl Buckets for Slot {
    fn read(&self, span: Span, start: Millis) -> Result<Option<Bucket>, StoreError> {
        Ok(if span == Span::Present {
            self.present.clone()
        } else {
            self.closed.get(&(span, start)).cloned()
        })
    }

    fn write(&mut self, span: Span, bucket: &Bucket) -> Result<(), StoreError> {
        if span == Span::Present {
            self.present = Some(bucket.clone());
        }
        self.written.push((span, bucket.clone()));
        Ok(())
    }

    fn remove_before(&mut self, size: Size, time: Millis) -> Result<(), StoreError> {
        self.removed.push((size, time));
        Ok(())
    }
}
