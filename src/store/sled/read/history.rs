//! Lists of the executions of all tasks, a page at a time, by index.
//!
//! Filters choose the index: of one task its own rows; of some handlers the index by handler; without
//! completed executions the index of outcomes; otherwise the index by age. The words of a key decide about
//! an execution before its row is read, where they are known.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    iter::Peekable,
};

use ulid::Ulid;

use crate::{
    domain::{
        Millis,
        execution::{Execution, ExecutionStatus, Reason, Trigger},
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{
        Direction, HistoryPage, HistoryPlace, HistoryQuery, MOST_KEYS, MOST_READ, StoreError,
        sled::{
            engine::{Bytes, EngineResult, keys, rows, txn::backend},
            read::{records, view::View},
        },
    },
};

/// The time in an id and the creation of its row differ by less than this many milliseconds.
const ID_SLACK: Millis = 60_000;

/// Handlers with history that are looked at for a token that sees some handlers only.
const MOST_HANDLERS: usize = 1_000;

/// An execution as its key shows it.
struct Candidate {
    place: HistoryPlace,
    status: Option<ExecutionStatus>,
    reason: Option<Option<Reason>>,
    trigger: Option<Trigger>,
}

type Candidates<'a> = Box<dyn Iterator<Item = Result<Candidate, StoreError>> + 'a>;

pub(crate) fn page(tree: &View, query: &HistoryQuery) -> Result<HistoryPage, StoreError> {
    let mut page = HistoryPage { rows: Vec::new(), next: None, complete: true };
    let candidates = match query.task {
        Some(task) => of_task(tree, query, task),
        None => {
            let (candidates, indexed) = of_all(tree, query)?;
            page.complete =
                !indexed || tree.contains_key(&rows::complete()).map_err(backend("read the store"))?;
            candidates
        }
    };
    let (mut looked_at, mut read, mut last) = (0, 0, None);
    let mut tagged = HashMap::new();
    for candidate in candidates {
        let Candidate { place, status, reason, trigger } = candidate?;
        if page.rows.len() == query.limit {
            page.next = last;
            break;
        }
        if looked_at == MOST_KEYS || read >= MOST_READ + query.limit {
            (page.next, page.complete) = (last, false);
            break;
        }
        looked_at += 1;
        last = Some(place);
        let is_tagged = match &query.tag {
            Some(tag) => match tagged.entry(place.task) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(unknown) => {
                    read += 1;
                    *unknown.insert(has_tag(tree, place.task, tag)?)
                }
            },
            None => true,
        };
        if is_tagged && query.admits_words(status, reason, trigger) {
            read += 1;
            let row: Option<Execution> = records::get(tree, &keys::execution(place.task, place.execution))?;
            page.rows.extend(row.filter(|row| query.admits(row)));
        }
    }
    Ok(page)
}

fn has_tag(tree: &View, task: TaskId, tag: &String) -> Result<bool, StoreError> {
    let task: Option<Task> = records::get(tree, &keys::task(task))?;
    Ok(task.is_some_and(|task| task.definition.tags.contains(tag)))
}

/// The task of an execution.
pub(crate) fn locate(tree: &View, id: ExecutionId) -> Result<Option<TaskId>, StoreError> {
    let found = tree.get(&rows::location(id)).map_err(backend("read the store"))?;
    match found {
        Some(task) => Ok(keys::last_task(&task)),
        None if tree.contains_key(&rows::complete()).map_err(backend("read the store"))? => Ok(None),
        None => Err(StoreError::Building),
    }
}

/// The executions of a task. Their keys have no time but that of the id, which is made with the row.
fn of_task<'a>(tree: &'a View, query: &HistoryQuery, task: TaskId) -> Candidates<'a> {
    let prefix = keys::executions(task);
    let mut range = prefix.clone()..keys::after_prefix(&prefix);
    if let Ok(earliest) = u64::try_from(query.from.saturating_sub(ID_SLACK)) {
        range.start = keys::execution(task, ExecutionId(Ulid::from_parts(earliest, 0)));
    }
    if let Some(after) = query.after {
        let key = keys::execution(task, after.execution);
        bound(&mut range, key, query.direction);
    }
    let place = move |key: EngineResult<Bytes>| match key {
        Ok(key) => {
            let execution = keys::last_execution(&key)?;
            let created = i64::try_from(execution.0.timestamp_ms()).unwrap_or_default();
            let place = HistoryPlace { created, task, execution };
            Some(Ok(Candidate { place, status: None, reason: None, trigger: None }))
        }
        Err(error) => Some(Err(backend("scan the store")(error))),
    };
    let keys = (range.start < range.end).then(|| tree.range_keys(range));
    let keys = keys.into_iter().flatten();
    match query.direction {
        Direction::Ascending => Box::new(keys.filter_map(place)),
        Direction::Descending => Box::new(keys.rev().filter_map(place)),
    }
}

/// The executions of all tasks, or of some handlers, and whether they come from an index that an early
/// version did not have.
fn of_all<'a>(tree: &'a View, query: &HistoryQuery) -> Result<(Candidates<'a>, bool), StoreError> {
    let wanted = query.wanted();
    let ended = || wanted.iter().copied().filter(|status| *status != ExecutionStatus::Running);
    let mut streams: Vec<Candidates<'a>> = Vec::new();
    if let Some(handlers) = handlers(tree, query)? {
        for handler in &handlers {
            streams.extend(
                ended().map(|status| ended_with(tree, query, &rows::by_handler(handler, status), status)),
            );
        }
    } else if !wanted.contains(&ExecutionStatus::Completed) {
        streams.extend(ended().map(|status| ended_with(tree, query, &rows::outcome(status), status)));
    } else {
        let all = by_age(tree, query);
        if query.statuses.is_empty() {
            return Ok((all, false));
        }
        let told = [ExecutionStatus::Failed, ExecutionStatus::Cancelled, ExecutionStatus::Skipped];
        let told = told.map(|status| ended_with(tree, query, &rows::outcome(status), status));
        let told = merge(told.into_iter().collect(), query.direction);
        let running = records::running(tree)?.into_iter().map(|(_, id)| id).collect();
        return Ok((
            Box::new(Told { all, told: told.peekable(), running, direction: query.direction }),
            true,
        ));
    }
    if wanted.contains(&ExecutionStatus::Running) {
        streams.push(running(tree, query)?);
    }
    Ok((merge(streams, query.direction), true))
}

/// The handlers that a query is for; `None` if it is for all of them.
fn handlers(tree: &View, query: &HistoryQuery) -> Result<Option<Vec<String>>, StoreError> {
    if let Some(handlers) = &query.handlers {
        return Ok(Some(handlers.iter().filter(|handler| query.covers(handler)).cloned().collect()));
    }
    if query.scope.is_none() {
        return Ok(None);
    }
    let mut found = Vec::new();
    let mut from = vec![rows::BY_HANDLER];
    for _ in 0..MOST_HANDLERS {
        let range = from..keys::after_prefix(&[rows::BY_HANDLER]);
        let Some(key) = tree.range_keys(range).next() else { break };
        let key = key.map_err(backend("scan the store"))?;
        let name = key[1..].split(|byte| *byte == 0).next().unwrap_or_default();
        let handler = String::from_utf8_lossy(name).into_owned();
        // The smallest key after those of this handler.
        from = [&[rows::BY_HANDLER], name, &[1]].concat();
        if query.covers(&handler) {
            found.push(handler);
        }
    }
    Ok(Some(found))
}

/// The executions in progress. Their number is bounded by that of the runners, and their rows are read: no
/// index has their times.
fn running<'a>(tree: &View, query: &HistoryQuery) -> Result<Candidates<'a>, StoreError> {
    let mut found = Vec::new();
    for (task, id) in records::running(tree)?.into_iter().take(MOST_READ) {
        let Some(row) = records::get::<Execution>(tree, &keys::execution(task, id))? else { continue };
        let place = HistoryPlace::of(&row);
        let is_left = query.after.is_none_or(|after| match query.direction {
            Direction::Ascending => place > after,
            Direction::Descending => place < after,
        });
        if is_left && query.admits(&row) {
            found.push(Candidate {
                place,
                status: Some(row.status),
                reason: Some(row.reason),
                trigger: Some(row.trigger),
            });
        }
    }
    found.sort_by_key(|candidate| candidate.place);
    if query.direction == Direction::Descending {
        found.reverse();
    }
    Ok(Box::new(found.into_iter().map(Ok)))
}

/// The executions in an index whose keys end in places, after a prefix that stands for a status.
fn ended_with<'a>(
    tree: &'a View,
    query: &HistoryQuery,
    prefix: &[u8],
    status: ExecutionStatus,
) -> Candidates<'a> {
    let candidate = move |place, value: &[u8]| {
        let (reason, trigger) = rows::words_of(value);
        Candidate { place, status: Some(status), reason, trigger }
    };
    by_place(tree, query, prefix, candidate)
}

fn by_age<'a>(tree: &'a View, query: &HistoryQuery) -> Candidates<'a> {
    by_place(tree, query, &[keys::RETENTION], |place, value| {
        let trigger = rows::trigger_of_retention(value);
        Candidate { place, status: None, reason: None, trigger }
    })
}

/// The executions of an index whose keys end in places, within the query's times and after its place.
fn by_place<'a>(
    tree: &'a View,
    query: &HistoryQuery,
    prefix: &[u8],
    candidate: impl Fn(HistoryPlace, &[u8]) -> Candidate + 'a,
) -> Candidates<'a> {
    let key = |bytes: &[u8]| [prefix, bytes].concat();
    let mut range = key(&keys::millis(query.from))..key(&keys::millis(query.to));
    if query.to == i64::MAX {
        range.end = keys::after_prefix(prefix);
    }
    if let Some(after) = query.after {
        let after = key(&rows::place(after.created, after.task, after.execution));
        bound(&mut range, after, query.direction);
    }
    let read = move |entry: EngineResult<(Bytes, Bytes)>| match entry {
        Ok((key, value)) => rows::place_of(&key).map(|place| Ok(candidate(place, &value))),
        Err(error) => Some(Err(backend("scan the store")(error))),
    };
    let entries = (range.start < range.end).then(|| tree.range(range)).into_iter().flatten();
    match query.direction {
        Direction::Ascending => Box::new(entries.filter_map(read)),
        Direction::Descending => Box::new(entries.rev().filter_map(read)),
    }
}

/// Leaves out of a range everything up to a key, in a direction.
fn bound(range: &mut std::ops::Range<Vec<u8>>, after: Vec<u8>, direction: Direction) {
    match direction {
        Direction::Ascending => range.start = range.start.clone().max([&after[..], &[0]].concat()),
        Direction::Descending => range.end = range.end.clone().min(after),
    }
}

/// All executions, with the status of each: those in the index of outcomes have the status there, those in
/// progress are known, and all others are completed.
struct Told<'a> {
    all: Candidates<'a>,
    told: Peekable<Candidates<'a>>,
    running: HashSet<ExecutionId>,
    direction: Direction,
}

impl Iterator for Told<'_> {
    type Item = Result<Candidate, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let candidate = match self.all.next()? {
            Ok(candidate) => candidate,
            Err(error) => return Some(Err(error)),
        };
        let place = candidate.place;
        let is_before = |other: &HistoryPlace| match self.direction {
            Direction::Ascending => *other < place,
            Direction::Descending => *other > place,
        };
        while self.told.next_if(|told| told.as_ref().is_ok_and(|told| is_before(&told.place))).is_some() {}
        match self.told.next_if(|told| told.as_ref().map_or(true, |told| told.place == place)) {
            Some(told) => Some(told),
            None if self.running.contains(&place.execution) => {
                Some(Ok(Candidate { status: Some(ExecutionStatus::Running), ..candidate }))
            }
            None => {
                let status = Some(ExecutionStatus::Completed);
                Some(Ok(Candidate { status, reason: Some(None), ..candidate }))
            }
        }
    }
}

/// Merges streams that are each in the order of places.
fn merge(streams: Vec<Candidates<'_>>, direction: Direction) -> Candidates<'_> {
    let mut streams: Vec<_> = streams.into_iter().map(Iterator::peekable).collect();
    Box::new(std::iter::from_fn(move || {
        let mut first: Option<(usize, Option<HistoryPlace>)> = None;
        for (index, stream) in streams.iter_mut().enumerate() {
            let Some(head) = stream.peek() else { continue };
            // An error comes first.
            let place = head.as_ref().ok().map(|candidate| candidate.place);
            let is_first = match (&first, place) {
                (None, _) | (_, None) => true,
                (Some((_, None)), Some(_)) => false,
                (Some((_, Some(other))), Some(place)) => match direction {
                    Direction::Ascending => place < *other,
                    Direction::Descending => place > *other,
                },
            };
            if is_first {
                first = Some((index, place));
            }
        }
        streams[first?.0].next()
    }))
}
