//! The list of tasks.

use askama::Template;
use axum::response::Response;

use super::bulk;
use crate::{
    dashboard::{
        ask::Fault,
        documents::{HandlerList, Task, TaskList},
        links::Query,
        shown,
        visit::Visit,
    },
    domain::facts::TaskStatus,
};

/// The names of the query that the API knows as well.
const ASKED: [&str; 6] = ["status", "handler", "tag", "name", "sortBy", "sortOrder"];
/// Tasks of a page.
const LIMIT: usize = 50;

#[derive(Template)]
#[template(path = "tasks.html", blocks = ["rows"])]
struct TasksPage {
    visit: Visit,
    list: TaskList,
    handlers: Vec<String>,
    /// The part of the query that leaves tasks out.
    filters: Vec<(String, String)>,
}

impl TasksPage {
    /// The states to choose from, with their words; the empty one stands for all.
    fn states(&self) -> [(&'static str, &'static str); 7] {
        [
            ("", "All"),
            (TaskStatus::Failed.name(), "Failed"),
            (TaskStatus::Running.name(), "Running"),
            (TaskStatus::RetryScheduled.name(), "Retry due"),
            (TaskStatus::Active.name(), "Active"),
            (TaskStatus::Paused.name(), "Paused"),
            (TaskStatus::Completed.name(), "Completed"),
        ]
    }

    /// Whether more tasks match than the page shows.
    fn has_others(&self) -> bool {
        u64::try_from(self.list.tasks.len()).is_ok_and(|shown| self.list.total > shown)
    }

    /// The address of the list of the tasks with a tag.
    fn of_tag(&self, tag: &str) -> String {
        Query::default().with("tag", tag).after(&self.visit.links.tasks())
    }

    /// Whether a filter leaves tasks out.
    fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// The order of a column: `ascending`, `descending`, or empty for another column's.
    fn order(&self, column: &str) -> &'static str {
        let query = &self.visit.query;
        let by = Some(query.get("sortBy")).filter(|by| !by.is_empty()).unwrap_or("nextRun");
        match (by == column, query.get("sortOrder")) {
            (false, _) => "",
            (true, "desc") => "descending",
            (true, _) => "ascending",
        }
    }

    /// The address of the list in the order of a column; the other way round if it has it already.
    fn sorted(&self, column: &str) -> String {
        let order = if self.order(column) == "ascending" { "desc" } else { "" };
        self.query().with("sortBy", column).with("sortOrder", order).after(&self.visit.links.tasks())
    }

    fn query(&self) -> Query {
        self.visit.query.only(&ASKED)
    }

    /// The address of the list with another status.
    fn of_status(&self, status: &str) -> String {
        self.query().with("status", status).after(&self.visit.links.tasks())
    }

    /// The number of the page's first task, from 1.
    fn first(&self) -> usize {
        self.list.skip + usize::from(!self.list.tasks.is_empty())
    }

    fn last(&self) -> usize {
        self.list.skip + self.list.tasks.len()
    }

    fn newer(&self) -> Option<String> {
        let before = self.list.skip.saturating_sub(self.list.limit);
        (self.list.skip > 0).then(|| self.page_from(before))
    }

    fn older(&self) -> Option<String> {
        let more = u64::try_from(self.last()).unwrap_or(u64::MAX) < self.list.total;
        more.then(|| self.page_from(self.last()))
    }

    fn page_from(&self, skip: usize) -> String {
        let skip = if skip == 0 { String::new() } else { skip.to_string() };
        self.query().with("skip", skip).after(&self.visit.links.tasks())
    }

    /// Whether a task's own zone differs from the reader's, so that it has to be named.
    fn is_elsewhere(&self, task: &Task) -> bool {
        task.timezone != self.visit.at.zone.name()
    }
}

/// `/tasks`.
pub(in crate::dashboard) async fn list(visit: Visit) -> Result<Response, Fault> {
    let skip = visit.query.number("skip", 0);
    let query = visit.query.only(&ASKED).with("skip", skip).with("limit", LIMIT).with("fields", "list");
    let list = visit.api.get(&query.after("/admin/scheduler")).await?;
    let handlers: HandlerList = visit.api.get("/admin/handlers").await?;
    let handlers = handlers.handlers.into_iter().map(|handler| handler.name).collect();
    let filters = bulk::filters(&visit.query).pairs().to_vec();
    let page = TasksPage { visit, list, handlers, filters };
    match page.visit.part() {
        "rows" => page.visit.show(&page.as_rows()),
        _ => page.visit.show(&page),
    }
}
