//! Lists of tasks, a page at a time.
//!
//! Lists by next run have an index per status and per handler, so they read only their own keys, filtered
//! or not. A filtered list in another order reads the keys of its filter. A filter by a part of the name
//! scans the index of names. Filtered by tag and by something else, a list reads the keys of both.

use std::{collections::HashSet, ops::Deref};

use crate::{
    domain::{
        facts::{Task, TaskStatus},
        ids::TaskId,
    },
    store::{
        Direction, MOST_NAMES, MOST_READ, NameSearch, Page, StoreError, TaskQuery, TaskSort, TaskView,
        sled::{
            engine::{Bytes, EngineResult, figures, keys, txn::backend},
            read::{records, view::View},
        },
    },
};

type Ids<'a> = Box<dyn Iterator<Item = Result<TaskId, StoreError>> + 'a>;

/// Handlers of a list at most: as many names as a bound is expanded to.
const MOST_HANDLERS: usize = 1000;

/// A query, and the handlers whose tasks it lets through (`None`: all).
struct Filter {
    query: TaskQuery,
    handlers: Option<Vec<String>>,
}

impl Deref for Filter {
    type Target = TaskQuery;

    fn deref(&self) -> &TaskQuery {
        &self.query
    }
}

impl Filter {
    fn new(tree: &View, query: &TaskQuery) -> Result<Self, StoreError> {
        let is_bound = |name: &str| {
            query.bound.as_ref().is_none_or(|bound| bound.iter().any(|pattern| pattern.matches(name)))
        };
        let handlers = match &query.handler {
            Some(handler) => Some(Vec::from_iter(Some(handler.clone()).filter(|handler| is_bound(handler)))),
            None if query.bound.is_none() => None,
            None => Some(handlers(tree, is_bound)?),
        };
        Ok(Self { query: query.clone(), handlers })
    }

    fn lets_through(&self, handler: &str) -> bool {
        self.handlers.as_ref().is_none_or(|handlers| handlers.iter().any(|name| name == handler))
    }
}

/// The handlers that have had tasks, as far as `chosen` lets them through.
fn handlers(tree: &View, chosen: impl Fn(&str) -> bool) -> Result<Vec<String>, StoreError> {
    let mut found: Vec<String> = Vec::new();
    for key in tree.prefix_keys(&figures::TASK_COUNTERS[1]) {
        let key = key.map_err(backend("scan the store"))?;
        let Some(name) = keys::handler_of_counter(&key) else { continue };
        if found.last().is_none_or(|last| last != name) && chosen(name) {
            found.push(name.to_owned());
        }
        if found.len() == MOST_HANDLERS {
            break;
        }
    }
    Ok(found)
}

/// A page of tasks with their newest executions.
pub(crate) fn tasks(tree: &View, query: &TaskQuery) -> Result<Page<TaskView>, StoreError> {
    let query = &Filter::new(tree, query)?;
    let Page { items, total } = page(tree, query)?;
    let items = items.into_iter().map(|task| records::view(tree, task, query.newest));
    Ok(Page { items: items.collect::<Result<_, _>>()?, total })
}

fn page(tree: &View, query: &Filter) -> Result<Page<Task>, StoreError> {
    if let Some(after) = query.after {
        let mut ids: Vec<_> = matching(tree, query)?.into_iter().filter(|id| *id > after).collect();
        ids.sort_unstable();
        let total = ids.len() as u64;
        let page = ids.into_iter().skip(query.skip).take(query.limit).map(Ok);
        return Ok(Page { items: load(tree, page)?, total });
    }
    let filtered = query.status.is_some() || query.handlers.is_some() || query.tag.is_some();
    if query.name.is_none() && !is_of_two_indexes(query) {
        let total = count(tree, query)?;
        if query.sort == TaskSort::NextRun || !filtered {
            let items = load(tree, in_order(tree, query).skip(query.skip).take(query.limit))?;
            return Ok(Page { items, total });
        }
        if total > tree.bounds.sorted as u64
            && let Some(items) = scan_in_order(tree, query)?
        {
            return Ok(Page { items, total });
        }
    }
    let chosen = matching(tree, query)?;
    let total = chosen.len() as u64;
    if chosen.len() > tree.bounds.sorted {
        let chosen: HashSet<_> = chosen.into_iter().collect();
        let ids = in_order(tree, query).filter(|id| id.as_ref().map_or(true, |id| chosen.contains(id)));
        return Ok(Page { items: load(tree, ids.skip(query.skip).take(query.limit))?, total });
    }
    let mut items = load(tree, chosen.into_iter().map(Ok))?;
    sort(&mut items, query);
    Ok(Page { items: items.into_iter().skip(query.skip).take(query.limit).collect(), total })
}

/// Whether the tasks of the tag are filtered further.
fn is_of_two_indexes(query: &Filter) -> bool {
    query.tag.is_some() && (query.status.is_some() || query.handlers.is_some())
}

/// The number of tasks that the filters of one index let through.
fn count(tree: &View, query: &Filter) -> Result<u64, StoreError> {
    if let Some(tag) = &query.tag {
        return records::counter(tree, &keys::tag_count(tag));
    }
    let statuses = query.status.map_or_else(|| TaskStatus::ALL.to_vec(), |status| vec![status]);
    let counters: Vec<_> = match &query.handlers {
        Some(handlers) => handlers.iter().flat_map(|name| keys::handler_counts(name, &statuses)).collect(),
        None => statuses.into_iter().map(keys::status_count).collect(),
    };
    counters.iter().map(|counter| records::counter(tree, counter)).sum()
}

/// Reads the tasks in the query's order until the page is full, and gives up after `bounds.scanned`: where the
/// filters let many tasks through, the first page is near.
fn scan_in_order(tree: &View, query: &Filter) -> Result<Option<Vec<Task>>, StoreError> {
    let (mut passed, mut items) = (0, Vec::new());
    for (scanned, id) in in_order(tree, query).enumerate() {
        if scanned == tree.bounds.scanned {
            return Ok(None);
        }
        let Some(task) = records::get::<Task>(tree, &keys::task(id?))? else { continue };
        if query.status.is_some_and(|status| status != task.status())
            || !query.lets_through(&task.definition.handler)
            || query.tag.as_ref().is_some_and(|tag| !task.definition.tags.contains(tag))
        {
            continue;
        }
        passed += 1;
        if passed > query.skip {
            items.push(task);
        }
        if items.len() == query.limit {
            break;
        }
    }
    Ok(Some(items))
}

fn load(tree: &View, ids: impl Iterator<Item = Result<TaskId, StoreError>>) -> Result<Vec<Task>, StoreError> {
    let mut tasks = Vec::new();
    for id in ids {
        // A task deleted since its key was read is left out.
        tasks.extend(records::get(tree, &keys::task(id?))?);
    }
    Ok(tasks)
}

/// The tasks that all filters let through, in no particular order.
fn matching(tree: &View, query: &Filter) -> Result<Vec<TaskId>, StoreError> {
    let found = match &query.name {
        Some(part) => named(tree, &part.to_lowercase())?,
        None => by_next_run(tree, query).collect::<Result<_, _>>()?,
    };
    let mut filters = Vec::new();
    if query.tag.is_some() && query.name.is_some() {
        let of_tag = TaskQuery { status: None, handler: None, ..query.query.clone() };
        filters.push(Filter { query: of_tag, handlers: None });
    }
    if query.status.is_some() || query.handlers.is_some() {
        let of_others = TaskQuery { tag: None, ..query.query.clone() };
        filters.push(Filter { query: of_others, handlers: query.handlers.clone() });
    }
    if query.name.is_none() && !is_of_two_indexes(query) {
        filters.clear();
    }
    filters.iter().try_fold(found, |mut found, filter| {
        let allowed: HashSet<TaskId> = by_next_run(tree, filter).collect::<Result<_, _>>()?;
        found.retain(|id| allowed.contains(id));
        Ok(found)
    })
}

/// The tasks whose names contain `part`, given in lower case.
fn named(tree: &View, part: &str) -> Result<Vec<TaskId>, StoreError> {
    let mut found = Vec::new();
    for entry in tree.scan_prefix(&[keys::NAME]) {
        let (key, id) = entry.map_err(backend("scan the store"))?;
        if contains(&key[1..], part) {
            found.extend(keys::last_task(&id));
        }
    }
    Ok(found)
}

/// Finds tasks by a part of their name, those first whose name begins with it; whether all names were looked
/// at that it took.
pub(crate) fn find_by_name(tree: &View, search: &NameSearch) -> Result<(Vec<Task>, bool), StoreError> {
    let beginning = [&[keys::NAME], search.text.as_bytes()].concat();
    let part = search.text.to_lowercase();
    let (mut found, mut looked_at, mut read) = (Vec::new(), 0, 0);
    for (is_beginning, prefix) in [(true, &beginning[..]), (false, &[keys::NAME])] {
        for entry in tree.scan_prefix(prefix) {
            if found.len() == search.limit {
                return Ok((found, true));
            }
            if looked_at == MOST_NAMES || read == MOST_READ {
                return Ok((found, false));
            }
            looked_at += 1;
            let (key, id) = entry.map_err(backend("scan the store"))?;
            let is_found = is_beginning || !key.starts_with(&beginning) && contains(&key[1..], &part);
            let Some(id) = keys::last_task(&id).filter(|_| is_found) else { continue };
            read += 1;
            let task: Option<Task> = records::get(tree, &keys::task(id))?;
            found.extend(task.filter(|task| search.covers(&task.definition.handler)));
        }
    }
    Ok((found, true))
}

/// Whether a name contains `part`, given in lower case.
fn contains(name: &[u8], part: &str) -> bool {
    if name.is_ascii() {
        part.is_empty() || name.windows(part.len()).any(|piece| piece.eq_ignore_ascii_case(part.as_bytes()))
    } else {
        String::from_utf8_lossy(name).to_lowercase().contains(part)
    }
}

/// All tasks in the query's order; by next run only those that the tag or else status and handler let
/// through.
fn in_order<'a>(tree: &'a View, query: &'a Filter) -> Ids<'a> {
    let prefix = match query.sort {
        TaskSort::NextRun => return by_next_run(tree, query),
        TaskSort::Name => {
            let entries = tree.scan_prefix(&[keys::NAME]);
            let id = |entry: EngineResult<(Bytes, Bytes)>| task_id(entry.map(|(_, id)| id));
            return match query.direction {
                Direction::Ascending => Box::new(entries.filter_map(id)),
                Direction::Descending => Box::new(entries.rev().filter_map(id)),
            };
        }
        TaskSort::CreatedAt => keys::TASK,
        TaskSort::UpdatedAt => keys::UPDATED,
    };
    let found = tree.prefix_keys(&[prefix]);
    match query.direction {
        Direction::Ascending => Box::new(found.filter_map(task_id)),
        Direction::Descending => Box::new(found.rev().filter_map(task_id)),
    }
}

fn task_id(key: EngineResult<Bytes>) -> Option<Result<TaskId, StoreError>> {
    match key {
        Ok(key) => keys::last_task(&key).map(Ok),
        Err(error) => Some(Err(backend("scan the store")(error))),
    }
}

fn by_next_run<'a>(tree: &'a View, query: &'a Filter) -> Ids<'a> {
    let part = move |planned: bool| {
        if let Some(tag) = &query.tag {
            return Merge::new(tree, std::iter::once(keys::tag_prefix(tag, planned)), query.direction);
        }
        let statuses = query.status.map_or_else(|| TaskStatus::ALL.to_vec(), |status| vec![status]);
        let ranges: Vec<_> = match &query.handlers {
            Some(handlers) => {
                let of = |name: &String| {
                    let prefix = |status: &TaskStatus| keys::handler_prefix(name, *status, planned);
                    statuses.iter().map(prefix).collect::<Vec<_>>()
                };
                handlers.iter().flat_map(of).collect()
            }
            None => statuses.iter().map(|status| keys::status_prefix(*status, planned)).collect(),
        };
        Merge::new(tree, ranges.into_iter(), query.direction)
    };
    Box::new(part(true).chain(part(false)))
}

/// The length of the prefix, the keys after the next one, and the next key.
type Range<'a> = (usize, Box<dyn Iterator<Item = EngineResult<Bytes>> + 'a>, Option<EngineResult<Bytes>>);

/// Merges several ranges of one index by the part of the key after the prefix.
struct Merge<'a> {
    ranges: Vec<Range<'a>>,
    direction: Direction,
}

impl<'a> Merge<'a> {
    fn new(tree: &'a View, prefixes: impl Iterator<Item = Vec<u8>>, direction: Direction) -> Self {
        let ranges = prefixes.map(|prefix| {
            let keys = tree.prefix_keys(&prefix);
            let mut keys: Box<dyn Iterator<Item = _>> = match direction {
                Direction::Ascending => Box::new(keys),
                Direction::Descending => Box::new(keys.rev()),
            };
            let first = keys.next();
            (prefix.len(), keys, first)
        });
        Self { ranges: ranges.collect(), direction }
    }
}

impl Iterator for Merge<'_> {
    type Item = Result<TaskId, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let heads = self.ranges.iter().enumerate().filter_map(|(index, (at, _, head))| match head {
                Some(Ok(key)) => Some((key.get(*at..).unwrap_or_default(), index)),
                Some(Err(_)) => Some((&[][..], index)),
                None => None,
            });
            let (_, index) = match self.direction {
                Direction::Ascending => heads.min(),
                Direction::Descending => heads.max(),
            }?;
            let (_, keys, head) = &mut self.ranges[index];
            let key = std::mem::replace(head, keys.next())?;
            if let Some(id) = task_id(key) {
                return Some(id);
            }
        }
    }
}

fn sort(tasks: &mut [Task], query: &Filter) {
    tasks.sort_by(|a, b| {
        let order = match query.sort {
            TaskSort::Name => a.definition.name.cmp(&b.definition.name),
            TaskSort::CreatedAt => a.id.cmp(&b.id),
            TaskSort::UpdatedAt => (a.updated_at, a.id).cmp(&(b.updated_at, b.id)),
            TaskSort::NextRun => match (a.next_run(), b.next_run()) {
                (Some(x), Some(y)) => (x, a.id).cmp(&(y, b.id)),
                // Tasks without a next run are last in either direction.
                (None, Some(_)) => return std::cmp::Ordering::Greater,
                (Some(_), None) => return std::cmp::Ordering::Less,
                (None, None) => a.id.cmp(&b.id),
            },
        };
        match query.direction {
            Direction::Ascending => order,
            Direction::Descending => order.reverse(),
        }
    });
}
