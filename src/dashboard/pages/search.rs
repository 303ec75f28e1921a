//! Search: pages, tasks, handlers and runs by a part of their name or by their id. The palette shows the
//! same results.

use askama::Template;
use axum::response::Response;

use crate::dashboard::{
    ask::Fault,
    documents::{Found, HandlerHit, RunHit, TaskHit},
    links::Query,
    shown,
    visit::Visit,
};

#[derive(Template)]
#[template(path = "search.html", blocks = ["results"])]
struct SearchPage {
    visit: Visit,
    text: String,
    hits: Vec<Hit>,
    /// Whether all names were looked at.
    complete: bool,
}

/// A result, and the address behind it.
struct Hit {
    icon: &'static str,
    name: String,
    more: String,
    address: String,
}

/// `/search`.
pub(in crate::dashboard) async fn show(visit: Visit) -> Result<Response, Fault> {
    let text: String = visit.query.get("q").trim().chars().take(100).collect();
    // A page that is meant comes first; one that has the text somewhere comes last.
    let part = text.to_lowercase();
    let begins = |hit: &Hit| hit.name.to_lowercase().starts_with(&part);
    let (mut hits, others): (Vec<_>, Vec<_>) = pages(&visit, &part).into_iter().partition(begins);
    let mut complete = true;
    if !text.is_empty() {
        let found: Found = visit.api.get(&Query::default().with("q", &text).after("/admin/search")).await?;
        complete = found.complete;
        hits.extend(found.tasks.into_iter().map(|hit| of_task(&visit, hit)));
        hits.extend(found.handlers.into_iter().map(|hit| of_handler(&visit, hit)));
        hits.extend(found.executions.into_iter().map(|hit| of_run(&visit, hit)));
    }
    hits.extend(others);
    let page = SearchPage { visit, text, hits, complete };
    match page.visit.part() {
        "results" => page.visit.show(&page.as_results()),
        _ => page.visit.show(&page),
    }
}

/// The pages with a text in their name, whatever its case; all of them for no text.
fn pages(visit: &Visit, part: &str) -> Vec<Hit> {
    let places = visit.places().into_iter().map(|place| (place.icon, place.label, place.path));
    let new = visit.edits().then_some(("add", "New task", "/tasks/new"));
    let named = places.chain(new).filter(|(_, label, _)| label.to_lowercase().contains(part));
    let hit = |(icon, label, path): (&'static str, &str, &str)| Hit {
        icon,
        name: label.to_owned(),
        more: "page".to_owned(),
        address: visit.links.to(path),
    };
    named.map(hit).collect()
}

fn of_task(visit: &Visit, TaskHit { id, name, handler }: TaskHit) -> Hit {
    Hit { icon: "tasks", name, more: format!("task, {handler}"), address: visit.links.task(&id) }
}

fn of_handler(visit: &Visit, name: HandlerHit) -> Hit {
    Hit { icon: "handlers", address: visit.links.handler(&name), name, more: "handler".to_owned() }
}

fn of_run(visit: &Visit, RunHit { id, task_name, status }: RunHit) -> Hit {
    let more = format!("run, {}", shown::word(&status).to_lowercase());
    Hit { icon: "runs", name: task_name, more, address: visit.links.execution(&id) }
}
