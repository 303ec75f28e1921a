//! One action on many tasks: first what it would do, then the action.

use askama::Template;
use axum::{http::Method, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::dashboard::{
    ask::{Fault, Refusal},
    forms::Form,
    links::Query,
    shown,
    visit::Visit,
};

/// The filters that the API takes.
const FILTERS: [&str; 4] = ["status", "handler", "tag", "name"];
/// Results that a page shows.
const SHOWN: usize = 100;
/// Requests for one action: each is for 1000 tasks.
const ROUNDS: usize = 1000;

/// The actions to choose from, with their words.
const ACTIONS: [(&str, &str); 6] = [
    ("run", "Run"),
    ("pause", "Pause"),
    ("resume", "Resume"),
    ("cancel", "Cancel"),
    ("reset-retries", "Reset the failures of"),
    ("delete", "Delete"),
];

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage {
    visit: Visit,
    action: String,
    verb: &'static str,
    /// The fields that the question hands on to the action.
    fields: Vec<(String, String)>,
    answer: Answer,
    /// Whether the action has been done.
    done: bool,
}

/// The answer of `/admin/scheduler/bulk`.
#[derive(Default, Deserialize)]
struct Answer {
    results: Vec<Outcome>,
    matched: u64,
    cursor: Option<String>,
}

/// The result for one task.
#[derive(Deserialize)]
struct Outcome {
    id: String,
    name: Option<String>,
    ok: bool,
    message: Option<String>,
}

impl BulkPage {
    fn accepted(&self) -> usize {
        self.answer.results.iter().filter(|one| one.ok).count()
    }

    /// The tasks that refuse the action come first.
    fn shown(&self) -> Vec<&Outcome> {
        let (refused, accepted): (Vec<_>, Vec<_>) = self.answer.results.iter().partition(|one| !one.ok);
        refused.into_iter().chain(accepted).take(SHOWN).collect()
    }

    fn left_out(&self) -> u64 {
        self.answer.matched.saturating_sub(u64::try_from(self.shown().len()).unwrap_or(u64::MAX))
    }
}

/// `GET /tasks/bulk`: asks, with the result of a dry run.
pub(in crate::dashboard) async fn ask(visit: Visit) -> Result<Response, Fault> {
    let given = visit.query.pairs().to_vec();
    let action = visit.query.get("action").to_owned();
    let verb = verb_of(&action)?;
    let body = body_of(&action, &given, true);
    let answer = send(&visit, &body).await?;
    let mut fields: Vec<_> = given.into_iter().filter(|(name, _)| name != "action").collect();
    fields.push(("confirm".to_owned(), answer.matched.to_string()));
    let page = BulkPage { visit, action, verb, fields, answer, done: false };
    page.visit.show(&page)
}

/// `POST /tasks/bulk`: acts.
pub(in crate::dashboard) async fn act(visit: Visit, form: Form) -> Result<Response, Fault> {
    let action = form.get("action").to_owned();
    let verb = verb_of(&action)?;
    let mut body = body_of(&action, form.pairs(), false);
    let mut all = Answer::default();
    for _ in 0..ROUNDS {
        let answer = send(&visit, &body).await?;
        all.matched = all.matched.max(answer.matched);
        all.results.extend(answer.results);
        let Some(cursor) = answer.cursor else { break };
        body.insert("cursor".to_owned(), Value::from(cursor));
        body.remove("confirm");
    }
    let page = BulkPage { visit, action, verb, fields: Vec::new(), answer: all, done: true };
    if page.accepted() == page.answer.results.len() {
        let news = format!("{verb}: done for {} tasks", page.accepted());
        return Ok(page.visit.go(&page.visit.links.tasks(), &news));
    }
    page.visit.show(&page)
}

async fn send(visit: &Visit, body: &Map<String, Value>) -> Result<Answer, Fault> {
    let body = Some(Value::Object(body.clone()).to_string());
    let answer = visit.api.send(Method::POST, "/admin/scheduler/bulk", body).await?;
    serde_json::from_value(answer).map_err(|error| Fault::Broken(format!("the answer of bulk: {error}")))
}

/// The body of a request: the tasks that are chosen, or all that match the filters of the list.
fn body_of(action: &str, given: &[(String, String)], dry_run: bool) -> Map<String, Value> {
    let value = |wanted: &str| given.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let mut body =
        Map::from_iter([("action".to_owned(), json!(action)), ("dryRun".to_owned(), json!(dry_run))]);
    if value("all").is_some() {
        let filters = FILTERS.iter().filter_map(|&name| Some((name.to_owned(), Value::from(value(name)?))));
        body.insert("filter".to_owned(), Value::Object(filters.collect()));
        if let (false, "delete", Some(confirm)) = (dry_run, action, value("confirm")) {
            body.insert("confirm".to_owned(), confirm.parse::<u64>().unwrap_or_default().into());
        }
    } else {
        let ids = given.iter().filter(|(name, _)| name == "id").map(|(_, id)| id.as_str());
        body.insert("ids".to_owned(), ids.collect());
    }
    body
}

fn verb_of(action: &str) -> Result<&'static str, Fault> {
    ACTIONS.iter().find(|(name, _)| *name == action).map(|(_, verb)| *verb).ok_or_else(|| {
        let message = format!("There is no action \"{action}\" on tasks");
        Fault::Refused(Refusal { code: 400, message, details: Vec::new() })
    })
}

/// The query of a list as filters of a bulk action.
pub(super) fn filters(query: &Query) -> Query {
    query.only(&FILTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(action: &str, given: &[(&str, &str)], dry_run: bool) -> Value {
        let given: Vec<_> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Value::Object(body_of(action, &given, dry_run))
    }

    #[test]
    fn chosen_tasks_are_named_and_all_that_match_are_a_filter() {
        let chosen = [("id", "task-1"), ("status", "failed"), ("id", "task-2")];
        let expected = json!({ "action": "pause", "dryRun": true, "ids": ["task-1", "task-2"] });
        assert_eq!(body("pause", &chosen, true), expected);
        let all = [("id", "task-1"), ("all", "1"), ("status", "failed"), ("confirm", "31")];
        let expected = json!({ "action": "run", "dryRun": false, "filter": { "status": "failed" } });
        assert_eq!(body("run", &all, false), expected);
        let expected =
            json!({ "action": "delete", "dryRun": false, "filter": { "status": "failed" }, "confirm": 31 });
        assert_eq!(body("delete", &all, false), expected);
    }
}
