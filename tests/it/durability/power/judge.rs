//! A server started on a picture of a disk: whether it has the acknowledged changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    image::Image,
    scene::{Scene, Story, Version},
};
use crate::{
    durability::kills::HANDLERS,
    harness::{Home, Options, Server},
};

/// The outcome of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every acknowledged change is there.
    Whole,
    /// Every acknowledged change is there, but the start rebuilt indexes or quarantined records.
    Repaired(String),
    /// The server does not start.
    Closed(String),
    /// The server starts, and these changes are missing or wrong.
    Lost(Vec<String>),
}

/// Starts a server on an image cut at `cut` and compares everything that it shows.
pub(super) fn judge(scene: &Scene, image: &Image, cut: u64) -> Outcome {
    let home = Home::in_memory();
    for (name, source) in HANDLERS {
        home.write(name, source);
    }
    image.lay_out(home.path());
    let server = match Options::default().start_in(home) {
        Ok(server) => server,
        Err(said) => return Outcome::Closed(reason_of(&said)),
    };
    let mut wrong = Vec::new();
    let found = listed(&server);
    for story in &scene.stories {
        let expected = Expected::at(story, cut);
        wrong.extend(expected.check(found.get(&story.name)));
        if let Some(task) = found.get(&story.name) {
            wrong.extend(check_executions(&server, task, story, cut));
        }
    }
    if !wrong.is_empty() {
        return Outcome::Lost(wrong);
    }
    let start = server.client().get("/ready").body["store"]["start"].take();
    if (&start["setAside"], &start["rebuilt"]) == (&json!([]), &json!([])) {
        Outcome::Whole
    } else {
        Outcome::Repaired(start.to_string())
    }
}

/// The states that a task may have: the last acknowledged one, or any requested since.
struct Expected<'a> {
    name: &'a str,
    /// The task may be missing.
    nothing: bool,
    bodies: Vec<&'a Value>,
}

impl<'a> Expected<'a> {
    fn at(story: &'a Story, cut: u64) -> Self {
        let acknowledged = |version: &Version| version.acknowledged.is_some_and(|at| at <= cut);
        let last = story.versions.iter().rposition(acknowledged);
        let possible: Vec<_> = story
            .versions
            .iter()
            .enumerate()
            .filter(|(at, version)| Some(*at) == last || (Some(*at) > last && version.sent <= cut))
            .map(|(_, version)| version.body.as_ref())
            .collect();
        Self {
            name: &story.name,
            nothing: last.is_none() || possible.contains(&None),
            bodies: possible.into_iter().flatten().collect(),
        }
    }

    fn check(&self, found: Option<&Value>) -> Option<String> {
        let Self { name, nothing, bodies } = self;
        match found {
            None => (!nothing).then(|| format!("{name} is lost")),
            Some(_) if bodies.is_empty() => Some(format!("{name} is back after its deletion")),
            Some(found) => {
                let agrees = bodies.iter().any(|body| agrees(body, found));
                (!agrees).then(|| format!("{name} is neither as acknowledged nor as asked for since"))
            }
        }
    }
}

fn agrees(body: &Value, found: &Value) -> bool {
    body.as_object().expect("a body").iter().all(|(key, value)| &found[key] == value)
}

fn check_executions(server: &Server, task: &Value, story: &Story, cut: u64) -> Vec<String> {
    let id = task["_key"].as_str().unwrap_or_default();
    // Older executions may have been pruned, and unanswered ones have rows too.
    let newest = story.executions.iter().filter(|(at, _)| *at <= cut).rev().take(2);
    let wrong = newest.filter_map(|(_, execution)| {
        let name = execution["id"].as_str().unwrap_or_default();
        let answer = server.client().get(&format!("/admin/scheduler/{id}/executions/{name}"));
        let found = &answer.body["execution"];
        (found != execution).then(|| match answer.status {
            200 => format!("{}: the execution {name} is not as it was", story.name),
            _ => format!("{}: the execution {name} is lost", story.name),
        })
    });
    wrong.collect()
}

fn listed(server: &Server) -> BTreeMap<String, Value> {
    let page = server.client().get("/admin/scheduler?limit=100&name=recorded-").expect(200);
    let tasks = page["tasks"].as_array().expect("tasks");
    assert_eq!(page["total"], tasks.len(), "one page is not enough");
    tasks.iter().map(|task| (task["name"].as_str().expect("a name").to_owned(), task.clone())).collect()
}

/// The words of a log that give the reason, without the parts that differ from run to run.
fn reason_of(said: &str) -> String {
    let line = said.lines().find(|line| line.contains("panicked")).map_or_else(
        || said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned(),
        |line| {
            let after: Vec<_> = said.lines().skip_while(|other| *other != line).take(2).collect();
            after.join(" ")
        },
    );
    let line: String = line.chars().filter(|c| !c.is_ascii_digit()).collect();
    line.chars().take(240).collect()
}
