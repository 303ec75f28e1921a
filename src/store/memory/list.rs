//! Reads: each scans all records.

use super::disk::Data;
use crate::{
    domain::{
        Millis,
        access::pattern::Pattern,
        execution::{Execution, Line},
        facts::Task,
        ids::{ExecutionId, TaskId},
    },
    store::{
        Audit, AuditPage, AuditQuery, Direction, EntryPage, EntryQuery, ExecutionQuery, HandlerVersion,
        HistoryPage, HistoryPlace, HistoryQuery, KeptSource, NameSearch, Owner, Page, SourceHash, StoreError,
        TaskQuery, TaskSort, TaskView, words::cut_to_tail,
    },
};

pub(super) fn view(data: &Data, task: Task, newest: usize) -> TaskView {
    let newest = data.rows_of(task.id).rev().take(newest).cloned().collect();
    TaskView { task, newest }
}

pub(super) fn tasks(data: &Data, query: &TaskQuery) -> Page<TaskView> {
    let part = query.name.as_ref().map(|part| part.to_lowercase());
    let mut chosen: Vec<_> = data
        .tasks
        .values()
        .filter(|task| query.status.is_none_or(|status| status == task.status()))
        .filter(|task| query.handler.as_ref().is_none_or(|handler| *handler == task.definition.handler))
        .filter(|task| query.tag.as_ref().is_none_or(|tag| task.definition.tags.contains(tag)))
        .filter(|task| {
            let matches = |pattern: &Pattern| pattern.matches(&task.definition.handler);
            query.bound.as_ref().is_none_or(|bound| bound.iter().any(matches))
        })
        .filter(|task| part.as_ref().is_none_or(|part| task.definition.name.to_lowercase().contains(part)))
        .collect();
    if let Some(after) = query.after {
        chosen.retain(|task| task.id > after);
        let Page { items, total } = page(chosen.into_iter(), query.skip, query.limit);
        return Page { items: items.into_iter().map(|task| view(data, task, query.newest)).collect(), total };
    }
    match query.sort {
        TaskSort::Name => chosen.sort_by(|a, b| a.definition.name.cmp(&b.definition.name)),
        TaskSort::CreatedAt => {}
        TaskSort::UpdatedAt => chosen.sort_by_key(|task| (task.updated_at, task.id)),
        TaskSort::NextRun => chosen.sort_by_key(|task| (task.next_run(), task.id)),
    }
    if query.direction == Direction::Descending {
        chosen.reverse();
    }
    if query.sort == TaskSort::NextRun {
        // Tasks without a next run are last in either direction.
        chosen.sort_by_key(|task| task.next_run().is_none());
    }
    let Page { items, total } = page(chosen.into_iter(), query.skip, query.limit);
    Page { items: items.into_iter().map(|task| view(data, task, query.newest)).collect(), total }
}

pub(super) fn executions(data: &Data, task: TaskId, query: &ExecutionQuery) -> Page<Execution> {
    let chosen: Vec<_> = data
        .rows_of(task)
        .rev()
        .filter(|row| query.status.is_none_or(|status| status == row.status))
        .filter(|row| query.trigger.is_none_or(|trigger| trigger == row.trigger))
        .collect();
    page(chosen.into_iter(), query.skip, query.limit)
}

pub(super) fn history(data: &Data, query: &HistoryQuery) -> HistoryPage {
    let mut rows: Vec<_> = data.rows.values().filter(|row| query.admits(row)).collect();
    let has_tag = |task: &Task| query.tag.as_ref().is_none_or(|tag| task.definition.tags.contains(tag));
    rows.retain(|row| query.tag.is_none() || data.tasks.get(&row.task_id).is_some_and(has_tag));
    // The rows of one task are in the order of their ids.
    let place = |row: &Execution| match query.task {
        Some(_) => HistoryPlace { created: 0, ..HistoryPlace::of(row) },
        None => HistoryPlace::of(row),
    };
    let after = query.after.map(|after| match query.task {
        Some(_) => HistoryPlace { created: 0, ..after },
        None => after,
    });
    rows.retain(|row| {
        after.is_none_or(|after| match query.direction {
            Direction::Ascending => place(row) > after,
            Direction::Descending => place(row) < after,
        })
    });
    rows.sort_by_key(|row| place(row));
    if query.direction == Direction::Descending {
        rows.reverse();
    }
    let more = rows.len() > query.limit;
    let rows: Vec<_> = rows.into_iter().take(query.limit).cloned().collect();
    let next = rows.last().filter(|_| more).map(HistoryPlace::of);
    HistoryPage { rows, next, complete: true }
}

pub(super) fn audits(data: &Data, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    let of_task = |audit: &Audit| query.task.is_none() || audit.task_id == query.task;
    let within = data.audit.iter().rev().filter(|(place, audit)| {
        (query.from..=query.until).contains(&place.time)
            && query.before.is_none_or(|before| **place < before)
            && of_task(audit)
    });
    AuditPage::fill(query, within.map(|(place, audit)| Ok((*place, Some(audit.clone())))))
}

pub(super) fn find_by_name(data: &Data, search: &NameSearch) -> Vec<Task> {
    let part = search.text.to_lowercase();
    let mut found: Vec<_> = data
        .tasks
        .values()
        .filter(|task| search.covers(&task.definition.handler))
        .filter(|task| task.definition.name.to_lowercase().contains(&part))
        .collect();
    found.sort_by_key(|task| {
        let name = &task.definition.name;
        (!name.starts_with(&search.text), name.as_str())
    });
    found.into_iter().take(search.limit).cloned().collect()
}

pub(super) fn versions(data: &Data, handler: &str) -> Vec<HandlerVersion> {
    let versions = data.versions_of_handlers.iter().filter(|((of, _), _)| of == handler);
    let mut versions: Vec<_> =
        versions.map(|((_, hash), (runs, _))| HandlerVersion { hash: *hash, runs: *runs }).collect();
    versions.sort_by_key(|version| std::cmp::Reverse((version.runs.last_seen, version.hash)));
    versions
}

pub(super) fn source(data: &Data, hash: SourceHash) -> Option<KeptSource> {
    let mut found = data.versions_of_handlers.iter().filter(|((_, other), _)| *other == hash);
    found.find_map(|((handler, _), (_, text))| {
        Some(KeptSource { handler: handler.clone(), text: text.clone()? })
    })
}

fn page<'a, T: Clone + 'a>(all: impl ExactSizeIterator<Item = &'a T>, skip: usize, limit: usize) -> Page<T> {
    let total = all.len() as u64;
    Page { items: all.skip(skip).take(limit).cloned().collect(), total }
}

pub(super) fn entries(data: &Data, owner: Owner, query: &EntryQuery, now: Millis) -> EntryPage {
    let chosen = data
        .entries_of(owner)
        .filter(|(key, entry)| key.starts_with(&query.prefix) && entry.is_live(now))
        .filter(|(key, _)| query.after.as_ref().is_none_or(|after| *key > after));
    let mut entries: Vec<_> =
        chosen.take(query.limit + 1).map(|(key, entry)| (key.clone(), entry.clone())).collect();
    let more = entries.len() > query.limit;
    entries.truncate(query.limit);
    EntryPage { entries, more }
}

pub(super) fn output(data: &Data, id: ExecutionId, tail: Option<usize>) -> Vec<Line> {
    let lines = data.output.range((id, 0)..=(id, u32::MAX)).flat_map(|(_, lines)| lines);
    let lines: Vec<_> = lines.cloned().collect();
    tail.map_or_else(|| lines.clone(), |tail| cut_to_tail(&lines, tail))
}
