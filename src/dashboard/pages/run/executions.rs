//! The runs of all tasks.

use askama::Template;
use axum::response::Response;

use crate::{
    dashboard::{
        ask::Fault,
        documents::{HandlerList, RunList},
        links::Query,
        shown,
        visit::{COLUMNS, Visit},
    },
    domain::{Millis, time::HOUR},
};

/// The names of the query that the API knows as well.
const ASKED: [&str; 7] = ["status", "trigger", "handler", "taskId", "from", "to", "cursor"];
/// The names that leave runs out.
const FILTERS: [&str; 7] = ["status", "trigger", "handler", "taskId", "since", "from", "to"];
/// The headings of the columns that can be chosen; the first of them are shown if none is.
const HEADINGS: [&str; 8] =
    ["Outcome", "Start", "Duration", "Late", "Started", "Planned time", "Attempt", "Id"];
const USUAL: usize = 5;
/// The name in the query, once for each column.
const COLUMN: &str = "column";
/// Runs of a page.
const LIMIT: usize = 50;

#[derive(Template)]
#[template(path = "executions.html")]
struct ExecutionsPage {
    visit: Visit,
    list: RunList,
    handlers: Vec<String>,
}

impl ExecutionsPage {
    /// The outcomes to choose from.
    fn states(&self) -> [(&'static str, &'static str); 6] {
        shown::OUTCOMES
    }

    fn triggers(&self) -> [(&'static str, &'static str); 7] {
        [
            ("schedule", "by schedule"),
            ("manual", "by hand"),
            ("retry", "as a retry"),
            ("catch-up", "as a catch-up"),
            ("immediate", "at once"),
            ("after", "after another task"),
            ("backfill", "as a backfill"),
        ]
    }

    fn spans(&self) -> [(&'static str, &'static str); 4] {
        [
            ("1", "the last hour"),
            ("24", "the last day"),
            ("168", "the last week"),
            ("720", "the last 30 days"),
        ]
    }

    fn filters(&self) -> Query {
        self.visit.query.only(&FILTERS)
    }

    fn is_filtered(&self) -> bool {
        !self.filters().is_empty()
    }

    /// The filters and the columns.
    fn choice(&self) -> Query {
        self.visit.query.only(&[&FILTERS[..], &[COLUMN]].concat())
    }

    /// The columns that can be chosen, with their headings, and whether each is shown.
    fn columns(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let chosen = self.visit.query.only(&[COLUMN]);
        let chooses = move |name: &str| chosen.pairs().iter().any(|(_, value)| value == name);
        let chooses_any = COLUMNS.iter().any(|name| chooses(name));
        COLUMNS.iter().zip(HEADINGS).enumerate().map(move |(index, (&name, heading))| {
            (name, heading, if chooses_any { chooses(name) } else { index < USUAL })
        })
    }

    /// Whether a column is shown.
    fn has(&self, column: &str) -> bool {
        self.columns().any(|(name, _, is_shown)| is_shown && name == column)
    }

    /// Whether the columns are others than usual.
    fn has_other_columns(&self) -> bool {
        !self.visit.query.get(COLUMN).is_empty()
    }

    /// The address of the list without filters.
    fn unfiltered(&self) -> String {
        self.visit.query.only(&[COLUMN]).after(&self.visit.links.executions())
    }

    /// The chosen stretch of time in words.
    fn span(&self) -> Option<String> {
        let moment = |name| self.visit.query.get(name).parse().ok().map(|time| self.visit.at.short(time));
        match (moment("from"), moment("to")) {
            (None, None) => None,
            (Some(from), Some(to)) => Some(format!("From {from} to {to}")),
            (Some(from), None) => Some(format!("From {from}")),
            (None, Some(to)) => Some(format!("Until {to}")),
        }
    }

    /// The address of the list with another outcome.
    fn of_status(&self, status: &str) -> String {
        self.choice().with("status", status).after(&self.visit.links.executions())
    }

    /// The first page of the list.
    fn newest(&self) -> String {
        self.choice().after(&self.visit.links.executions())
    }

    /// The next page.
    fn further(&self) -> Option<String> {
        let cursor = self.list.next_cursor.as_ref()?;
        Some(self.choice().with("cursor", cursor).after(&self.visit.links.executions()))
    }
}

/// `/executions`.
pub(in crate::dashboard) async fn list(visit: Visit) -> Result<Response, Fault> {
    let mut query = visit.query.only(&ASKED).with("limit", LIMIT);
    if let Ok(hours) = visit.query.get("since").parse::<Millis>() {
        // To the full hour, so that the next page has the same filter.
        let from = (visit.at.now - hours.clamp(1, 24 * 366) * HOUR) / HOUR * HOUR;
        query = query.with("from", from.max(0));
    }
    let list = visit.api.get(&query.after("/admin/executions")).await?;
    let handlers: HandlerList = visit.api.get("/admin/handlers").await?;
    let handlers = handlers.handlers.into_iter().map(|handler| handler.name).collect();
    visit.show(&ExecutionsPage { visit: visit.clone(), list, handlers })
}
