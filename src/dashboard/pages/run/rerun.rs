//! Actions on one execution: run its task again, cancel it.

use askama::Template;
use axum::{extract::Path, http::Method, response::Response};
use serde_json::{Value, json};

use super::super::segment;
use crate::dashboard::{
    ask::{Fault, Refusal},
    documents::{RunFound, shown_json},
    forms::{Form, read_object},
    shown,
    visit::Visit,
};

/// The question before a run with the parameters of an earlier one.
#[derive(Template)]
#[template(path = "rerun.html", blocks = ["question"])]
struct Question {
    visit: Visit,
    id: String,
    found: RunFound,
    params: String,
    problem: Option<String>,
}

/// `GET /executions/{id}/rerun`.
pub(in crate::dashboard) async fn ask(
    visit: Visit,
    Path((id, action)): Path<(String, String)>,
) -> Result<Response, Fault> {
    if action != "rerun" {
        return Err(unknown(&action));
    }
    show(visit, id, None, None).await
}

/// `POST /executions/{id}/{action}`.
pub(in crate::dashboard) async fn act(
    visit: Visit,
    Path((id, action)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Fault> {
    let address = format!("/admin/executions/{}/actions/{action}", segment(&id));
    match action.as_str() {
        "cancel" => {
            let answer = visit.api.send(Method::POST, &address, None).await?;
            Ok(visit.go(&visit.links.execution(&id), message(&answer)))
        }
        "rerun" => {
            let text = form.get("params");
            let body = match read_object("params", text) {
                Ok(params) => params.map(|params| json!({ "params": params }).to_string()),
                Err(problem) => return show(visit, id, Some(text), Some(problem.problem)).await,
            };
            match visit.api.send(Method::POST, &address, body).await {
                Ok(answer) => {
                    let execution = answer["executionId"].as_str().unwrap_or_default();
                    Ok(visit.go(&visit.links.execution(execution), message(&answer)))
                }
                Err(Fault::Refused(Refusal { code: 400 | 409, message, details, .. })) => {
                    let first =
                        details.first().map(|one| crate::domain::draft::sentence(&one.field, &one.problem));
                    show(visit, id, Some(text), Some(first.unwrap_or(message))).await
                }
                Err(fault) => Err(fault),
            }
        }
        _ => Err(unknown(&action)),
    }
}

async fn show(
    visit: Visit,
    id: String,
    params: Option<&str>,
    problem: Option<String>,
) -> Result<Response, Fault> {
    let found: RunFound = visit.api.get(&format!("/admin/executions/{}", segment(&id))).await?;
    let kept = || found.execution.params.as_ref().map(shown_json).unwrap_or_default();
    let params = params.map_or_else(kept, str::to_owned);
    let question = Question { visit, id, found, params, problem };
    match question.visit.part() {
        "question" => question.visit.show(&question.as_question()),
        _ => question.visit.show(&question),
    }
}

fn unknown(action: &str) -> Fault {
    Fault::not_found(&format!("There is no action \"{action}\" on a run"))
}

fn message(answer: &Value) -> &str {
    answer["meta"]["message"].as_str().unwrap_or("Done")
}
