//! Pieces of statements, put together with their parameters.

use tokio_postgres::Row;

use crate::{
    domain::{access::pattern::Pattern, facts::Task},
    store::{
        StoreError,
        postgres::{
            connection::{Arg, Query, query},
            documents,
            write::id_of,
        },
    },
};

/// The earliest due time: one look into the index per priority.
pub(crate) const NEXT_DUE: &str =
    "SELECT min(x.due) FROM generate_series(-10, 10) p(priority) CROSS JOIN LATERAL (
      SELECT due FROM #state s WHERE s.priority = p.priority AND s.due IS NOT NULL AND s.held IS NULL
      ORDER BY due LIMIT 1) x";

/// A statement that grows.
#[derive(Default)]
pub(super) struct Sql {
    args: Vec<Arg>,
}

impl Sql {
    /// Adds a parameter; the text that stands for it.
    pub(super) fn arg(&mut self, arg: impl Into<Arg>) -> String {
        self.args.push(arg.into());
        format!("${}", self.args.len())
    }

    /// The statement with this text.
    pub(super) fn query(self, text: String) -> Query {
        query(text, self.args)
    }
}

/// A text as a part of a pattern of `LIKE`.
pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Patterns of handlers as patterns of `LIKE`: below a folder there is at least one character.
pub(super) fn like(patterns: &[Pattern]) -> Vec<String> {
    let like = |pattern: &Pattern| {
        let text = pattern.to_string();
        match text.strip_suffix('*') {
            Some(folder) => format!("{}_%", escape(folder)),
            None => escape(&text),
        }
    };
    patterns.iter().map(like).collect()
}

/// Conditions, all of which must hold.
pub(super) fn all_of(conditions: &[String]) -> String {
    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
}

/// The task in three columns: its id, its definition, its facts.
pub(crate) fn task_of(row: &Row) -> Result<Task, StoreError> {
    documents::task(id_of(row, 0), row.get(1), row.get(2))
}

/// The tasks in rows. One that is damaged is left out: it must not hide the others.
pub(super) fn tasks_of(rows: &[Row]) -> Vec<Task> {
    rows.iter().filter_map(|row| shown(id_of(row, 0), task_of(row))).collect()
}

/// The task, if it is sound.
pub(super) fn shown<T>(task: crate::domain::ids::TaskId, read: Result<T, StoreError>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            tracing::error!(%task, %error, "a task is damaged: `isochron store verify` tells more");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_handlers_stands_for_the_same_names_in_like() {
        let patterns: Vec<Pattern> =
            ["a_b/*", "*", "x"].iter().map(|text| text.parse().expect("a pattern")).collect();
        assert_eq!(like(&patterns), ["a\\_b/_%", "_%", "x"]);
        assert_eq!(escape("50%_\\"), "50\\%\\_\\\\");
    }
}
