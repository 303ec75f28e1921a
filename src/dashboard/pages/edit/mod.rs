//! The form of a task, for a new one and for changes, and the preview of its schedule.

mod follows;
mod outlook;
mod rules;

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::Path, http::Method, response::Response};
use serde_json::{Map, Value};

use self::outlook::Outlook;
use super::segment;
use crate::{
    dashboard::{
        ask::{Fault, Problem, Refusal},
        documents::{Alerts, HandlerList, shown_json},
        forms::{Form, Kind, read},
        shown,
        visit::Visit,
    },
    domain::{
        access::Role,
        alerts::{Occasion, Rule},
        draft::sentence,
    },
};

/// Every field of the form, and how its text is read.
const FIELDS: &[(&str, Kind)] = &[
    ("name", Kind::Text),
    ("description", Kind::Text),
    ("handler", Kind::Text),
    ("schedule", Kind::Text),
    ("timezone", Kind::Text),
    ("recurring", Kind::Switch),
    ("params", Kind::Object),
    ("maxRetries", Kind::Whole),
    ("retryDelay", Kind::Length),
    ("retryBackoff", Kind::Text),
    ("onExhausted", Kind::Text),
    ("timeout", Kind::Length),
    ("overlap", Kind::Text),
    ("misfire", Kind::Text),
    ("keepExecutions", Kind::Whole),
    ("tags", Kind::Words),
    ("startAt", Kind::Moment),
    ("endAt", Kind::Moment),
    ("maxRuns", Kind::WholeOrNone),
    ("jitter", Kind::Length),
    ("priority", Kind::Whole),
    ("concurrencyKey", Kind::TextOrNone),
];

#[derive(Template)]
#[template(path = "edit.html")]
struct EditPage {
    visit: Visit,
    /// The task that is changed; `None` for a new one.
    id: Option<String>,
    /// The texts of the fields.
    texts: BTreeMap<String, String>,
    problems: Vec<Problem>,
    /// A refusal that concerns no field.
    message: Option<String>,
    handlers: HandlerList,
    /// The names of the channels of alerts.
    channels: Vec<String>,
    /// The rules of alerts.
    rules: Vec<rules::Fields>,
    preview: Outlook,
}

impl EditPage {
    fn text(&self, field: &str) -> &str {
        self.texts.get(field).map_or("", String::as_str)
    }

    fn is(&self, field: &str, value: &str) -> bool {
        self.text(field) == value
    }

    /// The problem of a field; one about a part of the parameters belongs to them.
    fn problem(&self, field: &str) -> Option<String> {
        let inside = |name: &str| name.strip_prefix(field).is_some_and(|rest| rest.starts_with(['.', '[']));
        let problem =
            self.problems.iter().find(|problem| problem.field == field || inside(&problem.field))?;
        let path = problem.field.strip_prefix(field).unwrap_or_default();
        Some(if path.is_empty() { problem.problem.clone() } else { format!("{path} {}", problem.problem) })
    }

    /// The problem of a field itself, and of none of its parts.
    fn exact_problem(&self, field: &str) -> Option<&str> {
        self.problems.iter().find(|problem| problem.field == field).map(|problem| problem.problem.as_str())
    }

    /// Whether the page opens at this field: the first one with a problem.
    fn is_first_problem(&self, field: &str) -> bool {
        let first = FIELDS.iter().map(|(name, _)| *name).find(|name| self.problem(name).is_some());
        first.or(self.problems.first().map(|problem| problem.field.as_str())) == Some(field)
    }

    /// The texts of a rule of alerts.
    fn of(&self, rule: &rules::Fields, field: &str) -> &str {
        self.text(&rule.name(field))
    }

    /// Whether a rule tells of an occasion; a new one tells of failures and recoveries.
    fn tells(&self, rule: &rules::Fields, occasion: Occasion) -> bool {
        let usual = matches!(occasion, Occasion::Failure | Occasion::Recovery);
        (rule.spare && usual) || self.is(&rule.on(occasion), "true")
    }

    fn occasions(&self) -> [(Occasion, &'static str); 7] {
        rules::occasions()
    }

    /// The channels to choose from, and the chosen one although it has gone.
    fn channels(&self, rule: &rules::Fields) -> Vec<&str> {
        let chosen = Some(self.of(rule, "channel")).filter(|chosen| !chosen.is_empty());
        let gone = chosen.filter(|chosen| !self.channels.iter().any(|name| name == chosen));
        self.channels.iter().map(String::as_str).chain(gone).collect()
    }

    /// Whether a field among the rarer ones of the schedule is set or wrong.
    fn has_bounds(&self) -> bool {
        let set = ["startAt", "endAt", "maxRuns", "after"].iter().any(|field| !self.text(field).is_empty());
        set || !["", "0 s", "0 ms"].contains(&self.text("jitter")) || self.exact_problem("after").is_some()
    }

    /// The problems of no field of the form.
    fn others(&self) -> impl Iterator<Item = String> {
        let known = |problem: &&Problem| {
            let name = problem.field.split(['.', '[']).next().unwrap_or_default();
            !["alerts", "after"].contains(&name) && !FIELDS.iter().any(|(field, _)| *field == name)
        };
        self.problems
            .iter()
            .filter(move |problem| known(problem))
            .map(|other| sentence(&other.field, &other.problem))
    }

    fn action(&self) -> String {
        match &self.id {
            Some(id) => self.visit.links.act(id, "edit"),
            None => self.visit.links.to("/tasks/new"),
        }
    }

    /// The page to return to without a change.
    fn back(&self) -> String {
        self.id.as_ref().map_or_else(|| self.visit.links.tasks(), |id| self.visit.links.task(id))
    }
}

/// `GET /preview`: for the form, while its reader types.
pub(in crate::dashboard) async fn preview(visit: Visit) -> Result<Response, Fault> {
    let outlook = Outlook::of(
        &visit,
        visit.query.get("schedule"),
        visit.query.get("timezone"),
        visit.query.get("task"),
    )
    .await?;
    visit.show(&outlook)
}

/// `GET /tasks/new`: empty, or a copy of the task `?from=`.
pub(in crate::dashboard) async fn new(visit: Visit) -> Result<Response, Fault> {
    ensure_editor(&visit)?;
    let from = visit.query.get("from").to_owned();
    let mut texts = if from.is_empty() { defaults() } else { read_texts(&visit, &from).await? };
    if from.is_empty() {
        texts.insert("handler".to_owned(), visit.query.get("handler").to_owned());
        texts.insert("timezone".to_owned(), visit.at.zone.name().to_owned());
    } else if let Some(name) = texts.get_mut("name") {
        name.push_str(" copy");
    }
    show(visit, None, texts, Vec::new(), None).await
}

/// `GET /tasks/{id}/edit`.
pub(in crate::dashboard) async fn edit(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    ensure_editor(&visit)?;
    let texts = read_texts(&visit, &id).await?;
    show(visit, Some(id), texts, Vec::new(), None).await
}

/// Refuses those whose change would be refused in the end.
fn ensure_editor(visit: &Visit) -> Result<(), Fault> {
    if visit.may(Role::Editor) {
        return Ok(());
    }
    let message = format!("The role editor is needed; the token has the role {}", visit.role.name());
    Err(Fault::Refused(Refusal { code: 403, message, details: Vec::new() }))
}

/// `POST /tasks/new`.
pub(in crate::dashboard) async fn create(visit: Visit, form: Form) -> Result<Response, Fault> {
    save(visit, None, &form).await
}

/// `POST /tasks/{id}/edit`.
pub(in crate::dashboard) async fn update(
    visit: Visit,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Fault> {
    save(visit, Some(id), &form).await
}

async fn save(visit: Visit, id: Option<String>, form: &Form) -> Result<Response, Fault> {
    let mut texts = form.texts();
    rules::close_ranks(&mut texts);
    if form.has("another") {
        return show(visit, id, texts, Vec::new(), None).await;
    }
    let body = match (read(form, FIELDS, visit.at), rules::read(&texts)) {
        (Ok(mut body), Ok(rules)) => {
            body.insert("alerts".to_owned(), rules);
            if let Some(problem) = follows::read(&visit, &texts, &mut body).await? {
                return show(visit, id, texts, vec![problem], None).await;
            }
            Value::Object(body).to_string()
        }
        (fields, rules) => {
            let problems = fields.err().into_iter().chain(rules.err()).flatten().collect();
            return show(visit, id, texts, problems, None).await;
        }
    };
    let (method, address) = match &id {
        Some(id) => (Method::PUT, format!("/admin/scheduler/{}", segment(id))),
        None => (Method::POST, "/admin/scheduler".to_owned()),
    };
    match visit.api.send(method, &address, Some(body)).await {
        Ok(answer) => {
            let made = answer["task"]["_key"].as_str().unwrap_or_default();
            let message = answer["meta"]["message"].as_str().unwrap_or_default();
            Ok(visit.go(&visit.links.task(made), message))
        }
        Err(Fault::Refused(Refusal { code: 400 | 409, message, details })) => {
            let message = details.is_empty().then_some(message);
            show(visit, id, texts, details, message).await
        }
        Err(fault) => Err(fault),
    }
}

async fn show(
    visit: Visit,
    id: Option<String>,
    texts: BTreeMap<String, String>,
    problems: Vec<Problem>,
    message: Option<String>,
) -> Result<Response, Fault> {
    let handlers = visit.api.get("/admin/handlers").await?;
    let alerts: Alerts = visit.api.get("/admin/alerts?limit=1").await?;
    let channels = alerts.channels.into_iter().map(|channel| channel.name).collect();
    let rules = rules::shown(&texts, &problems);
    let of = |name: &str| texts.get(name).cloned().unwrap_or_default();
    let preview =
        Outlook::of(&visit, &of("schedule"), &of("timezone"), id.as_deref().unwrap_or_default()).await?;
    let page = EditPage { visit, id, texts, problems, message, handlers, channels, rules, preview };
    page.visit.show(&page)
}

/// The texts of a task's fields.
async fn read_texts(visit: &Visit, id: &str) -> Result<BTreeMap<String, String>, Fault> {
    let found: Value = visit.api.get(&format!("/admin/scheduler/{}", segment(id))).await?;
    let none = Map::new();
    let task = found["task"].as_object().unwrap_or(&none);
    let text = |(name, kind): &(&str, Kind)| {
        let value = task.get(*name)?;
        let text = match (kind, value) {
            (Kind::Object, value) => shown_json(value),
            (Kind::Length, value) => value.as_i64().map(crate::dashboard::times::exact)?,
            (Kind::Moment, Value::Number(moment)) => {
                moment.as_i64().map(|moment| visit.at.format(moment, "%Y-%m-%dT%H:%M:%S"))?
            }
            (Kind::Words, Value::Array(words)) => {
                words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
            }
            (_, Value::String(text)) => text.clone(),
            (_, Value::Null) => String::new(),
            (_, value) => value.to_string(),
        };
        Some(((*name).to_owned(), text))
    };
    let mut texts = FIELDS.iter().filter_map(text).collect();
    follows::write(visit, &mut texts, &found["task"]["after"]).await;
    let own: Option<Vec<Rule>> =
        task.get("alerts").and_then(|rules| serde_json::from_value(rules.clone()).ok());
    rules::write(&mut texts, own.as_deref());
    Ok(texts)
}

/// The texts of an empty form: the API's own defaults.
fn defaults() -> BTreeMap<String, String> {
    const DEFAULTS: [(&str, &str); 12] = [
        (rules::MODE, "settings"),
        ("jitter", "0 s"),
        ("priority", "0"),
        ("recurring", "true"),
        ("params", "{}"),
        ("maxRetries", "0"),
        ("retryDelay", "1 min"),
        ("timeout", "5 min"),
        ("overlap", "skip"),
        ("misfire", "once"),
        ("onExhausted", "continue"),
        ("retryBackoff", "fixed"),
    ];
    DEFAULTS.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
}
