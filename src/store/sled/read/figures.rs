//! Reads of figures, and of tasks in the order of their next runs.

use crate::{
    domain::{
        Millis,
        activity::{Bucket, Size},
        facts::{Task, TaskStatus},
    },
    store::{
        Census, ComingQuery, ScheduleCount, Span, StoreError,
        figures::with_present,
        sled::{
            engine::{
                figures as figure_keys, keys,
                txn::{backend, read_counter},
            },
            read::{
                records::{counter, decode, get},
                view::View,
            },
        },
    },
};

pub(crate) fn activity(
    tree: &View,
    size: Size,
    from: Millis,
    until: Millis,
) -> Result<Vec<Bucket>, StoreError> {
    let mut closed = Vec::new();
    // Before the closed ones: a minute that closes in between is in both rather than in none.
    let present = get(tree, &figure_keys::activity(Span::Present, 0))?;
    for entry in tree.range(figure_keys::activity_between(size, from, until)) {
        let (key, bytes) = entry.map_err(backend("scan the store"))?;
        closed.extend(decode::<Bucket>(tree, &key, &bytes));
    }
    Ok(with_present(closed, present, size, (from, until)))
}

pub(crate) fn status_counts(tree: &View) -> Result<Vec<(TaskStatus, u64)>, StoreError> {
    let counts = TaskStatus::ALL.into_iter();
    counts.map(|status| Ok((status, counter(tree, &keys::status_count(status))?))).collect()
}

pub(crate) fn census(tree: &View, most: usize) -> Result<Census, StoreError> {
    let mut census = Census::default();
    for entry in tree.scan_prefix(&figure_keys::CENSUS) {
        let (key, value) = entry.map_err(backend("scan the store"))?;
        let Some((schedule, timezone)) = figure_keys::schedule_of(&key) else { continue };
        if census.schedules.len() == most {
            census.more = true;
            break;
        }
        census.schedules.push(ScheduleCount {
            schedule: schedule.to_owned(),
            timezone: timezone.to_owned(),
            tasks: read_counter(&value),
            usual: counter(tree, &figure_keys::usual_beside(&key))?,
        });
    }
    Ok(census)
}

/// Reads tasks in the order of their next runs, each with the next run by the index.
pub(crate) fn coming(tree: &View, query: &ComingQuery) -> Result<Vec<(Millis, Task)>, StoreError> {
    let mut found = Vec::new();
    for status in TaskStatus::ALL {
        let prefix = match &query.handler {
            Some(handler) => keys::handler_prefix(handler, status, true),
            None => keys::status_prefix(status, true),
        };
        let after =
            query.after.map(|(time, task)| [&keys::millis(time)[..], &task.to_bytes(), &[0]].concat());
        let from = [&prefix[..], &after.unwrap_or_default()].concat();
        let until = [&prefix[..], &keys::millis(query.until.saturating_add(1))].concat();
        for key in tree.range_keys(from..until.max(prefix.clone())).take(query.limit) {
            let key = key.map_err(backend("scan the store"))?;
            let time = key.get(prefix.len()..).and_then(keys::read_millis);
            found.extend(time.zip(keys::last_task(&key)));
        }
    }
    found.sort_unstable();
    found.truncate(query.limit);
    let mut tasks = Vec::new();
    for (time, id) in found {
        // A task deleted since its key was read is left out.
        tasks.extend(get::<Task>(tree, &keys::task(id))?.map(|task| (time, task)));
    }
    Ok(tasks)
}
