//! Actions on a task: a question where one is needed, then the change, then the way back.

use askama::Template;
use axum::{extract::Path, http::Method, response::Response};
use serde_json::json;

use super::segment;
use crate::dashboard::{
    ask::{Fault, Problem, Refusal},
    documents::{Task, TaskFound},
    forms::{Form, read_object},
    shown,
    visit::Visit,
};

/// A question before an action: a page, or a dialog over one.
#[derive(Template)]
#[template(path = "ask.html", blocks = ["question"])]
struct Question {
    visit: Visit,
    task: Task,
    action: Action,
    /// The parameters of the run, as they were typed.
    params: String,
    problem: Option<String>,
}

/// An action on a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Run,
    Pause,
    Resume,
    ResetRetries,
    Cancel,
    Delete,
}

impl Action {
    fn named(name: &str) -> Result<Self, Fault> {
        [Self::Run, Self::Pause, Self::Resume, Self::ResetRetries, Self::Cancel, Self::Delete]
            .into_iter()
            .find(|action| action.name() == name)
            .ok_or_else(|| Fault::not_found(&format!("There is no action \"{name}\" on a task")))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::ResetRetries => "reset-retries",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
        }
    }

    /// The heading of the question.
    fn question(self) -> &'static str {
        match self {
            Self::Run => "Run",
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::ResetRetries => "Reset the failures of",
            Self::Cancel => "Cancel the runs of",
            Self::Delete => "Delete",
        }
    }

    /// The consequence.
    fn consequence(self) -> &'static str {
        match self {
            Self::Run => "The task runs now, once, with these parameters. Its schedule stays as it is.",
            Self::Pause => {
                "The task does not run by its schedule until it is resumed. A run in progress goes on."
            }
            Self::Resume => "The task runs by its schedule again.",
            Self::ResetRetries => "The count of failures becomes 0.",
            Self::Cancel => "Every run in progress ends at once and counts as cancelled.",
            Self::Delete => {
                "The task, its history and its state are gone for good. A run in progress is cancelled."
            }
        }
    }

    /// The label of the button.
    fn button(self) -> &'static str {
        match self {
            Self::Run => "Run now",
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::ResetRetries => "Reset",
            Self::Cancel => "Cancel the runs",
            Self::Delete => "Delete",
        }
    }
}

/// `GET /tasks/{id}/{action}`.
pub(in crate::dashboard) async fn ask(
    visit: Visit,
    Path((id, action)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let action = Action::named(&action)?;
    let task = read(&visit, &id).await?;
    let params = task.shown_params();
    show(&Question { visit, task, action, params, problem: None })
}

/// `POST /tasks/{id}/{action}`.
pub(in crate::dashboard) async fn act(
    visit: Visit,
    Path((id, action)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Fault> {
    let action = Action::named(&action)?;
    let address = format!("/admin/scheduler/{}", segment(&id));
    let shown = visit.links.task(&segment(&id));
    if action == Action::Delete {
        let answer = visit.api.send(Method::DELETE, &address, None).await?;
        return Ok(visit.go(&visit.links.tasks(), message(&answer)));
    }
    let body = match read_object("params", form.get("params")) {
        Ok(params) => params.filter(|_| action == Action::Run).map(|params| json!({ "params": params })),
        Err(problem) => return ask_again(visit, &id, action, &form, &problem).await,
    };
    let address = format!("{address}/actions/{}", action.name());
    let answer = match visit.api.send(Method::POST, &address, body.map(|body| body.to_string())).await {
        Err(Fault::Refused(Refusal { details, .. })) if action == Action::Run && !details.is_empty() => {
            return ask_again(visit, &id, action, &form, &details[0]).await;
        }
        answer => answer?,
    };
    match answer["executionId"].as_str() {
        // Whoever gave parameters wants to see the run; the button of a list stays in the list.
        Some(execution) if form.has("params") => {
            Ok(visit.go(&visit.links.execution(execution), message(&answer)))
        }
        _ => Ok(visit.go_back(&shown, message(&answer))),
    }
}

async fn read(visit: &Visit, id: &str) -> Result<Task, Fault> {
    let found: TaskFound = visit.api.get(&format!("/admin/scheduler/{}", segment(id))).await?;
    Ok(found.task)
}

async fn ask_again(
    visit: Visit,
    id: &str,
    action: Action,
    form: &Form,
    problem: &Problem,
) -> Result<Response, Fault> {
    let task = read(&visit, id).await?;
    let problem = Some(crate::domain::draft::sentence(&problem.field, &problem.problem));
    show(&Question { visit, task, action, params: form.get("params").to_owned(), problem })
}

fn show(question: &Question) -> Result<Response, Fault> {
    match question.visit.part() {
        "question" => question.visit.show(&question.as_question()),
        _ => question.visit.show(&question),
    }
}

fn message(answer: &serde_json::Value) -> &str {
    answer["meta"]["message"].as_str().unwrap_or("Done")
}
