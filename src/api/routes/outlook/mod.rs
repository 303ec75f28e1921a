//! What will run, and when.

pub(in crate::api) mod conflicts;
pub(in crate::api) mod explain;
pub(in crate::api) mod forecast;
pub(in crate::api) mod simulate;
pub(in crate::api) mod timeline;
pub(in crate::api) mod upcoming;

use crate::{
    api::{
        error::ApiError,
        input::{Fields, LATEST},
        state::Shared,
    },
    domain::{Millis, outlook::Group, schedule::Timetable, time::DAY, zone::parse_zone},
};

/// The longest span of a question about the future, in milliseconds.
const LONGEST: Millis = 31 * DAY;
/// Different schedules that are read for one answer at most.
const MOST_GROUPS: usize = 20_000;

/// Reads `from` (now) and `to` (`span` later), which are [`LONGEST`] apart at most.
fn read_span(fields: &mut Fields, now: Millis, span: Millis) -> (Millis, Millis) {
    let from = fields.number("from", 0, LATEST, now);
    let until = fields.number("to", 0, LATEST, from.saturating_add(span));
    if until < from {
        fields.report("to", "must not be earlier than \"from\"");
    } else if until - from > LONGEST {
        fields.report("to", "must be at most 31 days after \"from\"");
    }
    (from, until)
}

/// The recurring tasks by their schedules, and whether these are all of them.
async fn groups(api: &Shared) -> Result<(Vec<Group>, bool), ApiError> {
    let census = api.store.census(MOST_GROUPS).await?;
    let groups = census.schedules.into_iter().filter_map(|count| {
        let schedule = Timetable::parse(&count.schedule).ok()?;
        let zone = parse_zone(&count.timezone).ok()?;
        let usual = Millis::try_from(count.usual / count.tasks.max(1)).unwrap_or(Millis::MAX);
        Some(Group { schedule, zone, tasks: count.tasks, usual })
    });
    Ok((groups.collect(), !census.more))
}

/// Does long work on a thread of its own.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::internal(format!("a computation failed: {error}")))
}
