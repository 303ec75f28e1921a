//! Figures: counts over time, of schedules and of statuses, kept as changes are written.
//!
//! The activity of the present minute is one record, written with every commit that ends executions. The
//! first commit of a later minute closes it: its tally joins the records of its minute, hour and day.
//! Each tally is so in the record of the present minute or in one record of each size, whatever the clock
//! does, and a commit writes one record besides those of its changes.

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::domain::{
    Millis,
    activity::{Bucket, Size, Tally},
    ids::TaskId,
};

/// The key of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Span {
    /// The minute that the last counted end lies in.
    Present,
    /// Earlier times, in buckets of a size.
    Closed(Size),
}

/// The number of tasks with the same planned times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleCount {
    /// The text of the schedule.
    pub schedule: String,
    /// The IANA name of the time zone.
    pub timezone: String,
    /// Recurring tasks that have it and are neither paused nor stopped.
    pub tasks: u64,
    /// The sum of the usual durations of their runs, in milliseconds (see
    /// [`usual`](crate::domain::outlook::usual)).
    pub usual: u64,
}

/// The schedules of recurring tasks that are neither paused nor stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// In the order of their texts.
    pub schedules: Vec<ScheduleCount>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// Asks for tasks in the order of their next runs; a task without one is left out.
#[derive(Debug, Clone, Default)]
pub struct ComingQuery {
    /// Filter: the name of the task's handler.
    pub handler: Option<String>,
    /// The next run and the id of the last task that was read.
    pub after: Option<(Millis, TaskId)>,
    /// The latest next run.
    pub until: Millis,
    /// Tasks to return at most.
    pub limit: usize,
}

/// Buckets removed by one commit at most: more than close at once.
pub(crate) const REMOVED_AT_ONCE: usize = 64;

/// The buckets of a backend, within one of its transactions.
pub(crate) trait Buckets {
    /// Reads a bucket; [`Span::Present`] has one, whatever its start. A damaged one counts as missing.
    fn read(&self, span: Span, start: Millis) -> Result<Option<Bucket>, StoreError>;
    fn write(&mut self, span: Span, bucket: &Bucket) -> Result<(), StoreError>;
    /// Removes buckets that start before a time, [`REMOVED_AT_ONCE`] at most.
    fn remove_before(&mut self, size: Size, time: Millis) -> Result<(), StoreError>;
}

/// Adds the ends that were written at `now`.
pub(crate) fn add(buckets: &mut impl Buckets, now: Millis, tally: &Tally) -> Result<(), StoreError> {
    let start = Size::Minute.start(now);
    let mut present = Bucket { start, tally: tally.clone() };
    match buckets.read(Span::Present, start)? {
        Some(before) if before.start == start => {
            present.tally = before.tally;
            present.tally.merge(tally);
        }
        Some(before) => close(buckets, &before, now)?,
        None => {}
    }
    buckets.write(Span::Present, &present)
}

/// Adds a minute that is over to the buckets of its minute, hour and day.
fn close(buckets: &mut impl Buckets, over: &Bucket, now: Millis) -> Result<(), StoreError> {
    for size in Size::ALL {
        let start = size.start(over.start);
        let mut bucket = Bucket { start, tally: over.tally.clone() };
        if let Some(before) = buckets.read(Span::Closed(size), start)? {
            bucket.tally.merge(&before.tally);
        }
        buckets.write(Span::Closed(size), &bucket)?;
        if let Some(kept) = size.kept() {
            buckets.remove_before(size, now.saturating_sub(kept))?;
        }
    }
    Ok(())
}

/// Adds the present minute to the buckets of a size that start in `[from, until)`, oldest first.
pub(crate) fn with_present(
    mut closed: Vec<Bucket>,
    present: Option<Bucket>,
    size: Size,
    (from, until): (Millis, Millis),
) -> Vec<Bucket> {
    let Some(Bucket { start, tally }) = present else { return closed };
    let start = size.start(start);
    if start < from || start >= until {
        return closed;
    }
    match closed.binary_search_by_key(&start, |bucket| bucket.start) {
        Ok(at) => closed[at].tally.merge(&tally),
        Err(at) => closed.insert(at, Bucket { start, tally }),
    }
    closed
}
