//! Why a task did, or did not, run on a day.

use askama::Template;
use axum::{extract::Path, response::Response};
use chrono::NaiveDate;

use super::plan::days;
use crate::dashboard::{
    ask::Fault,
    documents::{Explained, Explanation},
    links::Query,
    shown,
    visit::Visit,
};

/// The most times that the API explains at once.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "why.html")]
struct WhyPage {
    visit: Visit,
    task: String,
    day: NaiveDate,
    found: Explanation,
}

impl WhyPage {
    fn of_day(&self, day: Option<NaiveDate>) -> Option<String> {
        let address = self.visit.links.act(&self.task, "why");
        Some(Query::default().with("day", day?).after(&address))
    }

    fn before(&self) -> Option<String> {
        self.of_day(self.day.pred_opt())
    }

    fn after(&self) -> Option<String> {
        self.of_day(self.day.succ_opt())
    }

    fn is_today(&self) -> bool {
        days::date_of(self.visit.at.now, self.visit.at.zone) == Some(self.day)
    }

    fn is_cut(&self) -> bool {
        self.found.times.len() >= MOST
    }

    /// The times in their order: those that follow each other with the same fate together.
    fn folded(&self) -> Vec<&[Explained]> {
        self.found.times.chunk_by(Explained::is_like).collect()
    }

    fn execution(&self, time: &Explained) -> Option<String> {
        time.execution_id.as_ref().map(|id| self.visit.links.execution(id))
    }
}

/// `/tasks/{id}/why?day=2026-11-28`: a day of the reader's zone, by default today.
pub(in crate::dashboard) async fn show(visit: Visit, Path(task): Path<String>) -> Result<Response, Fault> {
    let zone = visit.at.zone;
    let asked = visit.query.get("day").parse().ok();
    let day = asked.or_else(|| days::date_of(visit.at.now, zone)).unwrap_or_default();
    // What is still to come has no fate yet.
    let (from, to) = (days::start_of(day, zone).max(0), days::end_of(day, zone).min(visit.at.now).max(0));
    let to = to.max(from + 1);
    let query = Query::default().with("from", from).with("to", to).with("timezone", zone.name());
    let address = format!("/admin/scheduler/{}/explain", super::segment(&task));
    let found = visit.api.get(&query.after(&address)).await?;
    visit.show(&WhyPage { visit: visit.clone(), task, day, found })
}
