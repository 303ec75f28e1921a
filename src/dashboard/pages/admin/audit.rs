//! The audit: who did what, and what it changed.

use askama::Template;
use axum::response::Response;

use crate::{
    dashboard::{
        ask::Fault,
        documents::{AuditList, AuditRecord},
        links::Query,
        shown,
        visit::Visit,
    },
    domain::{Millis, access::Role, audit::Action, time::HOUR},
};

/// The names that leave records out.
const FILTERS: [&str; 4] = ["actor", "action", "taskId", "since"];
/// Records of a page.
const LIMIT: usize = 50;
/// Records on the page of a task.
const OF_TASK: usize = 10;
#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    visit: Visit,
    list: AuditList,
}

impl AuditPage {
    fn actions(&self) -> [&'static str; Action::ALL.len()] {
        Action::ALL.map(Action::name)
    }

    fn spans(&self) -> [(&'static str, &'static str); 4] {
        [
            ("1", "the last hour"),
            ("24", "the last day"),
            ("168", "the last week"),
            ("720", "the last 30 days"),
        ]
    }

    fn address(&self) -> String {
        self.visit.links.to("/audit")
    }

    fn filters(&self) -> Query {
        self.visit.query.only(&FILTERS)
    }

    fn is_filtered(&self) -> bool {
        !self.filters().is_empty()
    }

    fn newest(&self) -> String {
        self.filters().after(&self.address())
    }

    fn further(&self) -> Option<String> {
        let cursor = self.list.next_cursor.as_ref()?;
        Some(self.filters().with("cursor", cursor).after(&self.address()))
    }
}

/// `/audit`.
pub(in crate::dashboard) async fn show(visit: Visit) -> Result<Response, Fault> {
    let asked = ["actor", "action", "taskId", "cursor"];
    let filled = asked.into_iter().filter(|name| !visit.query.get(name).trim().is_empty());
    let mut query = Query::default();
    for name in filled {
        query = query.with(name, visit.query.get(name).trim());
    }
    query = query.with("limit", LIMIT);
    if let Ok(hours) = visit.query.get("since").parse::<Millis>() {
        // To the full hour, so that the next page has the same filter.
        let from = (visit.at.now - hours.clamp(1, 24 * 366) * HOUR) / HOUR * HOUR;
        query = query.with("from", from.max(0));
    }
    let list = visit.api.get(&query.after("/admin/audit")).await?;
    visit.show(&AuditPage { visit: visit.clone(), list })
}

/// The newest records about a task; none for a visitor who may not see the audit.
pub(in crate::dashboard) async fn newest_of(visit: &Visit, task: &str) -> Vec<AuditRecord> {
    if !visit.may(Role::Admin) {
        return Vec::new();
    }
    let address = Query::default().with("taskId", task).with("limit", OF_TASK).after("/admin/audit");
    visit.api.get::<AuditList>(&address).await.unwrap_or_default().records
}
