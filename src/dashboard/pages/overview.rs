//! The overview: the last day, the present, the next runs, the state of the server.

use askama::Template;
use axum::response::Response;

use crate::{
    dashboard::{
        ask::{Fault, Refusal},
        documents::{Activity, Ended, Overview, Planned},
        markup::Markup,
        shown,
        svg::bars,
        times::duration,
        visit::Visit,
    },
    domain::{Millis, time::HOUR},
};

/// The hours of the plot.
const HOURS: Millis = 24;

#[derive(Template)]
#[template(path = "overview.html", blocks = ["now", "day"])]
struct OverviewPage {
    visit: Visit,
    overview: Overview,
    hours: Vec<Ended>,
}

impl OverviewPage {
    /// The span of the plot: whole hours, the last one being the present.
    fn span(&self) -> (Millis, Millis) {
        let until = self.visit.at.now - self.visit.at.now.rem_euclid(HOUR) + HOUR;
        (until - HOURS * HOUR, until)
    }

    fn plot(&self) -> Markup {
        let runs = self.visit.links.to("/executions");
        let link =
            |time: Millis| self.visit.query.only(&[]).with("from", time).with("to", time + HOUR).after(&runs);
        bars::draw(&self.hours, self.span(), HOUR, self.visit.at, link)
    }

    /// The next runs: each task once, with the number of its runs among them.
    fn next(&self) -> Vec<(&Planned, usize)> {
        let mut tasks: Vec<(&Planned, usize)> = Vec::new();
        for run in &self.overview.next {
            match tasks.iter_mut().find(|(first, _)| first.task_id == run.task_id) {
                Some((_, count)) => *count += 1,
                None => tasks.push((run, 1)),
            }
        }
        tasks
    }

    fn of_status(&self, status: &str) -> String {
        self.visit.query.only(&[]).with("status", status).after(&self.visit.links.tasks())
    }

    fn failed_runs(&self) -> String {
        self.visit.query.only(&[]).with("status", "failed").after(&self.visit.links.to("/executions"))
    }

    /// The states of tasks that are worth a link, with their numbers.
    fn states(&self) -> Vec<(&'static str, &'static str, u64)> {
        [
            ("failed", "failed"),
            ("retry-scheduled", "with a retry due"),
            ("paused", "paused"),
            ("active", "active"),
        ]
        .into_iter()
        .map(|(name, label)| (name, label, self.overview.tasks.get(name).copied().unwrap_or(0)))
        .filter(|(name, _, count)| *count > 0 || *name == "active")
        .collect()
    }

    fn ended_today(&self) -> u64 {
        self.overview.today.completed + self.overview.today.failed + self.overview.today.cancelled
    }

    fn lateness(&self) -> String {
        self.overview.lateness.p95.map_or_else(|| "–".to_owned(), duration)
    }

    /// The state of the messages of alerts, under the number of those whose occasion lasts.
    fn deliveries(&self) -> String {
        let alerts = &self.overview.alerts;
        match (alerts.troubled.as_slice(), alerts.undelivered) {
            ([], 0) => "every message is delivered".to_owned(),
            ([], waiting) => format!("messages that wait: {waiting}"),
            (channels, 0) => format!("failing channels: {}", channels.join(", ")),
            (channels, waiting) => {
                format!("failing channels: {}; messages that wait: {waiting}", channels.join(", "))
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.overview.tasks.values().sum::<u64>() == 0
    }
}

/// `/`.
pub(in crate::dashboard) async fn show(visit: Visit) -> Result<Response, Fault> {
    let overview: Overview = match visit.api.get("/admin/overview").await {
        Ok(overview) => overview,
        // A token that is bound to handlers sees its tasks, and no figures about those of others.
        Err(Fault::Refused(Refusal { code: 403, .. })) => return Ok(visit.go(&visit.links.tasks(), "")),
        Err(fault) => return Err(fault),
    };
    let from = visit.at.now - visit.at.now.rem_euclid(HOUR) - (HOURS - 1) * HOUR;
    let activity: Activity = visit.api.get(&format!("/admin/activity?bucket=hour&from={from}")).await?;
    let page = OverviewPage { visit, overview, hours: activity.buckets };
    match page.visit.part() {
        "now" => page.visit.show(&page.as_now()),
        "day" => page.visit.show(&page.as_day()),
        _ => page.visit.show(&page),
    }
}
