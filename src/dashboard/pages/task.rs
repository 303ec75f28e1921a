//! A task: its settings, its durations, its history.

use askama::Template;
use axum::{extract::Path, response::Response};

use super::{admin::audit, alerts, plan::days};
use crate::{
    dashboard::{
        ask::{Fault, Refusal},
        documents::{AuditRecord, Delivery, History, Run, Task, TaskFound},
        markup::Markup,
        shown,
        svg::scatter::{self, Point},
        times::duration,
        visit::Visit,
    },
    domain::{alerts::Rule, definition::after::On, execution::ExecutionStatus},
};

/// Rows of the history.
const LIMIT: usize = 20;
/// Runs in the plot.
const PLOTTED: usize = 50;

#[derive(Template)]
#[template(path = "task.html", blocks = ["head", "history"])]
struct TaskPage {
    visit: Visit,
    task: Task,
    history: History,
    plotted: Vec<Run>,
    /// The name of the task that it runs after, if the visitor may see it.
    predecessor: Option<String>,
    /// The newest messages about the task.
    messages: Vec<Delivery>,
    /// The newest records of the audit about the task, for an admin.
    audit: Vec<AuditRecord>,
}

impl TaskPage {
    fn plot(&self) -> Markup {
        let points = self.plotted.iter().filter_map(|run| {
            let run = &run.execution;
            let ended = run.status != ExecutionStatus::Running;
            Some(Point {
                status: run.status,
                start: run.start_time.filter(|_| ended)?,
                duration: run.duration?,
                link: self.visit.links.execution(&run.id.to_string()),
                source: run.handler_hash.clone(),
            })
        });
        scatter::draw(&points.collect::<Vec<_>>(), self.task.timeout, self.visit.at)
    }

    /// The present day of the reader, as a date field has it.
    fn today(&self) -> String {
        days::date_of(self.visit.at.now, self.visit.at.zone).unwrap_or_default().to_string()
    }

    /// The states of executions to choose from.
    fn states(&self) -> [(&'static str, &'static str); 6] {
        shown::OUTCOMES
    }

    fn last(&self) -> usize {
        self.history.skip + self.history.executions.len()
    }

    fn newer(&self) -> Option<String> {
        let before = self.history.skip.saturating_sub(self.history.limit);
        let before = if before == 0 { String::new() } else { before.to_string() };
        (self.history.skip > 0).then(|| self.visit.here_with("skip", before))
    }

    fn older(&self) -> Option<String> {
        let more = u64::try_from(self.last()).unwrap_or(u64::MAX) < self.history.total_executions;
        more.then(|| self.visit.here_with("skip", self.last()))
    }

    fn execution(&self, run: &Run) -> String {
        self.visit.links.execution(&run.execution.id.to_string())
    }

    /// A rule of alerts in words.
    fn rule(&self, rule: &Rule) -> String {
        let told: Vec<_> = rule.on.iter().map(shown::occasion).collect();
        let mut text = format!("{} hears that it {}", rule.channel, told.join(", "));
        if rule.after > 1 {
            text += &format!("; from {} in a row on", rule.after);
        }
        if rule.auto_pause {
            text += "; a failure pauses it";
        }
        text
    }

    /// The fate of an occurrence that is due while the task runs.
    fn overlap(&self) -> &'static str {
        match self.task.overlap.as_str() {
            "queue" => "runs afterwards",
            "allow" => "runs at the same time",
            "replace" => "replaces the run in progress",
            _ => "is skipped",
        }
    }

    /// The fate of occurrences that were missed.
    fn misfire(&self) -> &'static str {
        match self.task.misfire.as_str() {
            "skip" => "are skipped",
            "all" => "each run",
            _ => "run once",
        }
    }

    /// The attempts after a failure.
    fn retries(&self) -> String {
        let delay = duration(self.task.retry_delay);
        match (self.task.max_retries, self.task.retry_backoff.as_str()) {
            (0, _) => "none".to_owned(),
            (count, "exponential") => format!("{count}, first after {delay}, then twice as long each time"),
            (count, _) => format!("{count}, each after {delay}"),
        }
    }
}

/// The name of a task; `None` for one that the visitor may not see.
async fn name_of(visit: &Visit, id: &str) -> Result<Option<String>, Fault> {
    match visit.api.get::<TaskFound>(&format!("/admin/scheduler/{}", super::segment(id))).await {
        Ok(found) => Ok(Some(found.task.name)),
        Err(Fault::Refused(Refusal { code: 403 | 404, .. })) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// `/tasks/{id}`.
pub(in crate::dashboard) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    let address = format!("/admin/scheduler/{}", super::segment(&id));
    let found: TaskFound = visit.api.get(&address).await?;
    let history = format!("{address}/executions");
    let query = visit.query.only(&["status", "trigger", "skip"]).with("limit", LIMIT);
    let shown = visit.api.get(&query.after(&history)).await?;
    let (mut plotted, mut messages, mut records) = (Vec::new(), Vec::new(), Vec::new());
    let mut predecessor = None;
    if visit.part().is_empty() {
        plotted = visit.api.get::<History>(&format!("{history}?limit={PLOTTED}")).await?.executions;
        messages = alerts::newest_of(&visit, &found.task.id).await;
        records = audit::newest_of(&visit, &found.task.id).await;
        if let Some(after) = &found.task.after {
            predecessor = name_of(&visit, &after.task_id.to_string()).await?;
        }
    }
    let task = found.task;
    let page = TaskPage { visit, task, history: shown, plotted, predecessor, messages, audit: records };
    match page.visit.part() {
        "head" => page.visit.show(&page.as_head()),
        "history" => page.visit.show(&page.as_history()),
        _ => page.visit.show(&page),
    }
}
