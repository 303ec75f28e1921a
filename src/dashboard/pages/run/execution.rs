//! An execution: its outcome, its error, its output.

use askama::Template;
use axum::{extract::Path, response::Response};
use serde_json::Value;

use super::super::segment;
use crate::{
    dashboard::{
        ansi,
        ask::Fault,
        documents::{RunFound, Source, Task, TaskFound, shown_json},
        markup::Markup,
        shown,
        visit::Visit,
    },
    domain::execution::{Execution, Level, Line},
};

/// Lines of one block of the log; a browser leaves blocks out that are not in sight.
const BLOCK: usize = 200;
/// Lines of the log that a page has at first.
const SHOWN: usize = 2000;

#[derive(Template)]
#[template(path = "execution.html", blocks = ["head"])]
struct ExecutionPage {
    visit: Visit,
    task: Task,
    found: RunFound,
    /// The source around the error.
    excerpt: Vec<Excerpt>,
    /// The hash of the source of the run before, if it was another.
    changed: Option<String>,
}

/// A line of the source around an error.
struct Excerpt {
    number: usize,
    /// The text before the error.
    before: String,
    /// The text from the error on.
    after: String,
    here: bool,
}

impl ExecutionPage {
    fn run(&self) -> &Execution {
        &self.found.execution.execution
    }

    fn is_running(&self) -> bool {
        self.found.execution.is_running()
    }

    fn id(&self) -> String {
        self.run().id.to_string()
    }

    fn is_this(&self, id: &str) -> bool {
        self.id() == id
    }

    fn output(&self) -> &[Line] {
        &self.found.execution.output
    }

    fn params(&self) -> Option<String> {
        self.found.execution.params.as_ref().map(shown_json)
    }

    fn result(&self) -> Option<String> {
        self.run().result.as_ref().filter(|result| **result != Value::Null).map(shown_json)
    }

    /// The lines that are not shown because there are more than [`SHOWN`].
    fn left_out(&self) -> usize {
        if self.visit.query.get("lines") == "all" { 0 } else { self.output().len().saturating_sub(SHOWN) }
    }

    /// The lines in blocks, each line with its number from 1.
    fn blocks(&self) -> Vec<Vec<(usize, &Line)>> {
        let lines: Vec<_> = (1..).zip(self.output()).skip(self.left_out()).collect();
        lines.chunks(BLOCK).map(<[_]>::to_vec).collect()
    }

    fn level(&self, line: &Line) -> &'static str {
        match line.level {
            Level::Debug => "debug",
            Level::Log => "log",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }

    /// The time of a line, to the millisecond.
    fn moment(&self, line: &Line) -> String {
        self.visit.at.format(line.time, "%H:%M:%S%.3f")
    }

    /// The index of the last line; -1 if there is none.
    fn last_line(&self) -> i64 {
        i64::try_from(self.output().len()).unwrap_or(i64::MAX) - 1
    }

    fn text(&self, line: &Line) -> Markup {
        ansi::show(&line.message)
    }

    /// The progress in percent.
    fn percent(&self) -> Option<String> {
        let progress = self.run().progress.as_ref()?;
        Some(format!("{:.0}", progress.fraction.clamp(0.0, 1.0) * 100.0))
    }
}

/// `/executions/{id}`.
pub(in crate::dashboard) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    let found: RunFound = visit.api.get(&format!("/admin/executions/{}", segment(&id))).await?;
    let task = format!("/admin/scheduler/{}", found.execution.execution.task_id);
    let task = visit.api.get::<TaskFound>(&task).await?.task;
    let mut page = ExecutionPage { visit, task, found, excerpt: Vec::new(), changed: None };
    if page.found.execution.execution.error.is_some() && page.visit.edits() {
        page.excerpt = read_excerpt(&page).await;
        page.changed = find_change(&page).await;
    }
    match page.visit.part() {
        "head" => page.visit.show(&page.as_head()),
        _ => page.visit.show(&page),
    }
}

/// The lines of the source around the error, in the source of that time; empty if it is not kept.
async fn read_excerpt(page: &ExecutionPage) -> Vec<Excerpt> {
    let run = page.run();
    let place = run.stack.as_deref().and_then(|stack| place_in(stack, &run.handler));
    let (Some((line, column)), Some(hash)) = (place, &run.handler_hash) else { return Vec::new() };
    let source = page.visit.api.get::<Source>(&format!("/admin/sources/{}", segment(hash))).await;
    source.map(|source| excerpt(&source.source, line, column)).unwrap_or_default()
}

/// The source of the execution before, if it was another.
async fn find_change(page: &ExecutionPage) -> Option<String> {
    let before = page.found.previous.as_ref()?;
    let before: RunFound = page.visit.api.get(&format!("/admin/executions/{before}")).await.ok()?;
    let hash = before.execution.execution.handler_hash?;
    (page.run().handler_hash.as_ref()? != &hash).then_some(hash)
}

/// The first place in the handler's own file that a stack names: its line and column.
fn place_in(stack: &str, handler: &str) -> Option<(usize, usize)> {
    let file = format!("tasks/{handler}.");
    stack.lines().find_map(|frame| {
        let (_, rest) = frame.split_once(&file)?;
        let mut numbers = rest.trim_end_matches(')').rsplit(':');
        let column = numbers.next()?.parse().ok()?;
        let line = numbers.next()?.parse().ok()?;
        Some((line, column))
    })
}

/// Two lines before a line, the line with a mark at its column, and two after it.
fn excerpt(source: &str, line: usize, column: usize) -> Vec<Excerpt> {
    let shown = line.saturating_sub(2).max(1)..=line.saturating_add(2);
    let lines = (1..).zip(source.lines()).filter(|(number, _)| shown.contains(number));
    lines
        .map(|(number, text)| {
            let cut = if number == line { column.saturating_sub(1) } else { usize::MAX };
            let at = text.char_indices().nth(cut).map_or(text.len(), |(index, _)| index);
            let (before, after) = text.split_at(at);
            Excerpt { number, before: before.to_owned(), after: after.to_owned(), here: number == line }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_an_error_is_found_in_the_handlers_own_file() {
        let stack = "at read (tasks/lib/csv.js:3:9)\nat module.exports (tasks/reports/sales.ts:12:40)";
        assert_eq!(place_in(stack, "reports/sales"), Some((12, 40)));
        assert_eq!(place_in(stack, "lib/csv"), Some((3, 9)));
        assert_eq!(place_in("at tasks/a.js:7:1", "a"), Some((7, 1)));
        assert_eq!(place_in(stack, "sales"), None);
        assert_eq!(place_in("at tasks/a.js:x:1", "a"), None);
    }

    #[test]
    fn an_excerpt_is_cut_at_the_column_of_its_line() {
        let lines = excerpt("a\nbé!c\nd\ne\nf", 2, 3);
        let shown: Vec<_> = lines
            .iter()
            .map(|line| (line.number, line.before.as_str(), line.after.as_str(), line.here))
            .collect();
        assert_eq!(
            shown,
            [(1, "a", "", false), (2, "bé", "!c", true), (3, "d", "", false), (4, "e", "", false)]
        );
        assert!(excerpt("a", 9, 1).is_empty() && excerpt("", 0, 0).is_empty());
    }
}
