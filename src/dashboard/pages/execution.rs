//! An execution: its outcome, its error, its output.

use askama::Template;
use axum::{extract::Path, response::Response};
use serde_json::Value;

use super::segment;
use crate::{
    dashboard::{
        ask::Fault,
        documents::{Run, RunFound, Task, TaskFound, shown_json},
        shown,
        visit::Visit,
    },
    domain::execution::{ExecutionStatus, Level, Line},
};

/// Lines of one block of the log; a browser leaves blocks out that are not in sight.
const BLOCK: usize = 200;
/// Lines of the log that a page has at first.
const SHOWN: usize = 2000;

#[derive(Template)]
#[template(path = "execution.html", blocks = ["head", "log"])]
struct ExecutionPage {
    visit: Visit,
    task: Task,
    run: Run,
}

impl ExecutionPage {
    fn is_running(&self) -> bool {
        self.run.execution.status == ExecutionStatus::Running
    }

    fn result(&self) -> Option<String> {
        self.run.execution.result.as_ref().filter(|result| **result != Value::Null).map(shown_json)
    }

    /// The lines that are not shown because there are more than [`SHOWN`].
    fn left_out(&self) -> usize {
        if self.visit.query.get("lines") == "all" { 0 } else { self.run.output.len().saturating_sub(SHOWN) }
    }

    /// The lines in blocks, each line with its number from 1.
    fn blocks(&self) -> Vec<Vec<(usize, &Line)>> {
        let lines: Vec<_> = (1..).zip(&self.run.output).skip(self.left_out()).collect();
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

    /// The progress in percent.
    fn percent(&self) -> Option<String> {
        let progress = self.run.execution.progress.as_ref()?;
        Some(format!("{:.0}", progress.fraction.clamp(0.0, 1.0) * 100.0))
    }
}

/// `/tasks/{id}/runs/{execution}`.
pub(in crate::dashboard) async fn show(
    visit: Visit,
    Path((id, execution)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let address = format!("/admin/scheduler/{}", segment(&id));
    let found: RunFound = visit.api.get(&format!("{address}/executions/{}", segment(&execution))).await?;
    let task: TaskFound = visit.api.get(&address).await?;
    let page = ExecutionPage { visit, task: task.task, run: found.execution };
    match page.visit.part() {
        "head" => page.visit.show(&page.as_head()),
        "log" => page.visit.show(&page.as_log()),
        _ => page.visit.show(&page),
    }
}
