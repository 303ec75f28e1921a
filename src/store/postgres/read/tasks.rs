//! Lists of tasks, a page at a time: the page and the number of all are asked in one trip.
//!
//! A list by next run merges one range of an index per status. The number of tasks comes from counters, unless
//! filters are combined that no counter knows.

use std::sync::Arc;

use tokio_postgres::Row;

use super::sql::{Sql, all_of, escape, like, shown, task_of, tasks_of};
use crate::{
    domain::facts::{Task, TaskStatus},
    store::{
        Direction, MOST_NAMES, NameSearch, Page, StoreError, TaskQuery, TaskSort, TaskView,
        postgres::{
            connection::{Query, Readers, args, query},
            documents::{HANDLERS, TAGS, decode, status},
            write::id_of,
        },
    },
};

/// Executions of the task `p.task`, newest first.
pub(super) fn newest(limit: &str) -> String {
    let part = |table: &str| {
        format!("(SELECT id, row FROM #{table} WHERE task = p.task ORDER BY id DESC LIMIT {limit})")
    };
    format!(
        "ARRAY(SELECT row FROM ({} UNION ALL {}) e ORDER BY id DESC LIMIT {limit})",
        part("running"),
        part("execution")
    )
}

/// The task and its executions in four columns.
pub(super) fn view_of(row: &Row) -> Result<TaskView, StoreError> {
    let rows: Vec<Vec<u8>> = row.get(3);
    let newest = rows.iter().map(|row| decode(row)).collect::<Result<_, _>>()?;
    Ok(TaskView { task: task_of(row)?, newest })
}

/// Reads a page of tasks.
pub(crate) async fn page(readers: Arc<Readers>, asked: TaskQuery) -> Result<Page<TaskView>, StoreError> {
    // PostgreSQL's texts do not have this character, and so no name does.
    if asked.name.as_ref().is_some_and(|name| name.contains('\0')) {
        return Ok(Page { items: Vec::new(), total: 0 });
    }
    let found = readers.all(vec![items(&asked), total(&asked)]).await?;
    let items = found[0].iter().filter_map(|row| shown(id_of(row, 0), view_of(row))).collect();
    let total: i64 = found[1].first().map_or(0, |row| row.get(0));
    Ok(Page { items, total: total.max(0).unsigned_abs() })
}

pub(crate) fn items(asked: &TaskQuery) -> Query {
    let mut sql = Sql::default();
    let page = if is_ranged(asked) { ranges(&mut sql, asked) } else { filtered(&mut sql, asked) };
    let newest = newest(&sql.arg(asked.newest));
    let text = format!(
        "SELECT p.task, t.definition, s.facts, {newest}
         FROM (SELECT task, row_number() OVER () AS place FROM ({page}) x) p
         JOIN #state s ON s.task = p.task JOIN #task t ON t.id = p.task ORDER BY p.place"
    );
    sql.query(text)
}

/// Whether the page is a merge of ranges of an index.
fn is_ranged(asked: &TaskQuery) -> bool {
    let TaskQuery { status, tag, bound, name, after, sort, .. } = asked;
    *sort == TaskSort::NextRun
        && *status != Some(TaskStatus::Running)
        && tag.is_none()
        && bound.is_none()
        && name.is_none()
        && after.is_none()
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "ASC",
        Direction::Descending => "DESC",
    }
}

fn ranges(sql: &mut Sql, asked: &TaskQuery) -> String {
    let order = word(asked.direction);
    let most = sql.arg(asked.skip.saturating_add(asked.limit));
    let (skip, limit) = (sql.arg(asked.skip), sql.arg(asked.limit));
    let handler = asked.handler.as_ref().map(|handler| sql.arg(handler.clone()));
    let of_handler = handler.map(|handler| format!("handler = {handler} AND ")).unwrap_or_default();
    let statuses = TaskStatus::ALL.into_iter().filter(|status| *status != TaskStatus::Running);
    let statuses: Vec<_> = match asked.status {
        Some(status) => vec![status],
        None => statuses.collect(),
    };
    let idle = if asked.status.is_some() { " AND running = 0" } else { "" };
    let part = |planned: &str| {
        let range = |number: &TaskStatus| {
            format!(
                "(SELECT task, next_run FROM #state WHERE {of_handler}rest = {} AND next_run IS {planned}{idle}
                  ORDER BY next_run {order}, task {order} LIMIT {most})",
                status(*number)
            )
        };
        let ranges: Vec<_> = statuses.iter().map(range).collect();
        let ranges = ranges.join(" UNION ALL ");
        format!("SELECT * FROM ({ranges}) r ORDER BY next_run {order}, task {order} LIMIT {most}")
    };
    format!(
        "SELECT task FROM (SELECT a.*, 0 AS part FROM ({}) a UNION ALL SELECT b.*, 1 FROM ({}) b) c
         ORDER BY part, next_run {order}, task {order} OFFSET {skip} LIMIT {limit}",
        part("NOT NULL"),
        part("NULL")
    )
}

fn filtered(sql: &mut Sql, asked: &TaskQuery) -> String {
    let order = word(asked.direction);
    let order = match asked.sort {
        _ if asked.after.is_some() => "s.task".to_owned(),
        TaskSort::Name => format!("n.name {order}"),
        TaskSort::CreatedAt => format!("s.task {order}"),
        TaskSort::UpdatedAt => format!("s.updated {order}, s.task {order}"),
        TaskSort::NextRun => format!("s.next_run IS NULL, s.next_run {order}, s.task {order}"),
    };
    let from = from(sql, asked);
    let (skip, limit) = (sql.arg(asked.skip), sql.arg(asked.limit));
    format!("SELECT s.task {from} ORDER BY {order} OFFSET {skip} LIMIT {limit}")
}

/// The tables and the conditions of the filters.
fn from(sql: &mut Sql, asked: &TaskQuery) -> String {
    let mut conditions = conditions(sql, asked, "s.");
    let mut tables = "FROM #state s".to_owned();
    if let Some(tag) = &asked.tag {
        tables += " JOIN #task t ON t.id = s.task";
        conditions.push(format!("t.tags @> {}", sql.arg(vec![tag.clone()])));
    }
    if asked.name.is_some() || asked.sort == TaskSort::Name {
        tables += " JOIN #task_name n ON n.task = s.task";
    }
    if let Some(part) = &asked.name {
        conditions.push(format!("n.lower LIKE {}", sql.arg(format!("%{}%", escape(&part.to_lowercase())))));
    }
    if let Some(after) = asked.after {
        conditions.push(format!("s.task > {}", sql.arg(after)));
    }
    format!("{tables} WHERE {}", all_of(&conditions))
}

/// The conditions of the status and of the handler.
fn conditions(sql: &mut Sql, asked: &TaskQuery, table: &str) -> Vec<String> {
    let mut conditions = Vec::new();
    match asked.status {
        Some(TaskStatus::Running) => conditions.push(format!("{table}running > 0")),
        Some(wanted) => conditions.push(format!("{table}rest = {} AND {table}running = 0", status(wanted))),
        None => {}
    }
    conditions.extend(handler_conditions(sql, asked, &format!("{table}handler")));
    conditions
}

fn handler_conditions(sql: &mut Sql, asked: &TaskQuery, column: &str) -> Vec<String> {
    let handler = asked.handler.as_ref().map(|handler| format!("{column} = {}", sql.arg(handler.clone())));
    let bound = asked.bound.as_ref().map(|bound| format!("{column} LIKE ANY ({})", sql.arg(like(bound))));
    handler.into_iter().chain(bound).collect()
}

/// The number of tasks that the filters let through.
pub(crate) fn total(asked: &TaskQuery) -> Query {
    let mut sql = Sql::default();
    let others = asked.status.is_some() || asked.handler.is_some() || asked.bound.is_some();
    let text = match (&asked.tag, asked.status) {
        _ if asked.name.is_some() || asked.after.is_some() || asked.tag.is_some() && others => {
            let from = from(&mut sql, &TaskQuery { sort: TaskSort::CreatedAt, ..asked.clone() });
            format!("SELECT count(*) {from}")
        }
        (Some(tag), _) => {
            let tag = sql.arg(tag.clone());
            format!("SELECT coalesce(sum(n), 0)::int8 FROM #counter WHERE kind = '{TAGS}' AND name = {tag}")
        }
        (None, Some(TaskStatus::Running)) => {
            format!("SELECT count(*) FROM #state s WHERE {}", all_of(&conditions(&mut sql, asked, "s.")))
        }
        (None, wanted) => {
            let of_handler = handler_conditions(&mut sql, asked, "name");
            let mut counted = vec![format!("kind = '{HANDLERS}'")];
            counted.extend(of_handler.clone());
            counted.extend(wanted.map(|wanted| format!("rest = {}", status(wanted))));
            let sum = format!("SELECT coalesce(sum(n), 0)::int8 FROM #counter WHERE {}", all_of(&counted));
            match wanted {
                None => sum,
                Some(wanted) => {
                    let mut busy = vec![format!("running > 0 AND rest = {}", status(wanted))];
                    busy.extend(handler_conditions(&mut sql, asked, "handler"));
                    format!("SELECT ({sum}) - (SELECT count(*) FROM #state WHERE {})", all_of(&busy))
                }
            }
        }
    };
    sql.query(text)
}

/// Finds tasks by a part of their name, those first whose name begins with it; whether all names were looked
/// at that it took.
pub(crate) async fn find_by_name(
    readers: Arc<Readers>,
    search: NameSearch,
) -> Result<(Vec<Task>, bool), StoreError> {
    if search.text.contains('\0') {
        return Ok((Vec::new(), true));
    }
    let columns = "SELECT n.task, t.definition, s.facts FROM";
    let joined = "n JOIN #task t ON t.id = n.task JOIN #state s ON s.task = n.task";
    let scope = search.scope.as_ref().map_or_else(|| vec!["%".to_owned()], |scope| like(scope));
    let text = search.text.clone();
    let beginning = format!(
        "{columns} #task_name {joined} WHERE n.name >= $1 AND n.name <= $2 AND starts_with(n.name, $1)
           AND t.handler LIKE ANY ($3) ORDER BY n.name LIMIT $4"
    );
    let last = format!("{text}\u{10ffff}");
    let part = format!(
        "{columns} (SELECT * FROM #task_name ORDER BY name LIMIT $5) {joined}
         WHERE n.lower LIKE $2 AND NOT starts_with(n.name, $1) AND t.handler LIKE ANY ($3) ORDER BY n.name LIMIT $4"
    );
    let lower = format!("%{}%", escape(&text.to_lowercase()));
    let all = "SELECT count(*) FROM (SELECT 1 FROM #task_name LIMIT $1) x";
    let found = readers
        .all(vec![
            query(beginning, args![text.clone(), last, scope.clone(), search.limit]),
            query(part, args![text, lower, scope, search.limit, MOST_NAMES]),
            query(all, args![MOST_NAMES + 1]),
        ])
        .await?;
    let names: i64 = found[2].first().map_or(0, |row| row.get(0));
    let mut tasks = tasks_of(&found[0]);
    tasks.extend(tasks_of(&found[1]));
    tasks.truncate(search.limit);
    let complete = tasks.len() == search.limit || names <= i64::try_from(MOST_NAMES).unwrap_or(i64::MAX);
    Ok((tasks, complete))
}
