//! Reads the text of a file of tasks, by the rules of the bodies that create tasks over the API.

use std::collections::HashMap;

use jsonc_parser::{
    ast::{self, Object},
    common::Ranged,
};
use serde_json::{Map, Value};

use super::{
    find::{NAMES, shown},
    finding::{Finding, Position},
    parse::{Text, locate},
};
use crate::domain::{
    Millis,
    definition::Definition,
    draft::{Defaults, Draft, Problem, Problems, handler_name, sentence},
    ids::TaskId,
    text::to_one_line,
};

/// The content of a file of tasks.
#[derive(Debug, Default)]
pub struct Contents {
    /// The tasks, in the order of the file; each name is there once.
    pub tasks: Vec<DeclaredTask>,
    /// The fate of tasks that leave the file.
    pub removed: Removed,
}

/// A task as the file has it.
#[derive(Debug)]
pub struct DeclaredTask {
    /// With the server's defaults for the fields that are left out.
    pub definition: Definition,
    /// The position of the name.
    pub name_at: Position,
    /// The name of the predecessor, if it is given by its name: the definition has no id of it yet.
    pub follows: Option<String>,
}

/// A handler's name in the file, also of a task with mistakes in other fields.
#[derive(Debug)]
pub struct HandlerUse {
    /// The task in messages: `task "nightly"`, or `task 3` if it has no name.
    pub label: String,
    /// The task's name; empty if it has none.
    pub task: String,
    /// The handler's name, which a handler may have.
    pub handler: String,
    /// The position of the handler's name.
    pub at: Position,
}

/// The result of reading a file of tasks.
#[derive(Debug, Default)]
pub struct Reading {
    /// The tasks without a mistake. All that the file has only if there is no finding.
    pub contents: Contents,
    /// The handlers that tasks name, in the order of the file.
    pub handlers: Vec<HandlerUse>,
    /// Every mistake in the text, in the order of the file.
    pub findings: Vec<Finding>,
}

/// The fate of tasks that leave the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Removed {
    /// They are paused and left to users.
    #[default]
    Keep,
    /// They are deleted, and their history with them.
    Delete,
}

/// Reads the text of the file `name`, one of [`NAMES`], at the time `now`. Whether its handlers load, and
/// whether its tasks are those of users, is not known here.
#[must_use]
pub fn read(name: &str, text: &str, defaults: &Defaults, now: Millis) -> Reading {
    let mut text = Text::new(shown(name), text);
    let mut reading = Reading::default();
    match text.parse(name == NAMES[1]) {
        Ok(ast::Value::Object(object)) => read_file(&mut text, &object, &mut reading, defaults, now),
        Ok(other) => text.report(&other, "the file must be an object: { \"tasks\": [ … ] }"),
        Err(finding) => text.findings.push(finding),
    }
    reading.findings = text.findings;
    sort(&mut reading.findings);
    reading
}

/// Puts findings into the order of the file.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (finding.line, finding.column));
}

fn read_file<'a>(
    text: &mut Text<'a>,
    file: &Object<'a>,
    reading: &mut Reading,
    defaults: &Defaults,
    now: Millis,
) {
    let mut problems = Problems::default();
    problems.report_unknown(file.properties.iter().map(|p| p.name.as_str()), &["tasks", "removed"]);
    for Problem { field, problem } in problems.finish().err().unwrap_or_default() {
        let unknown = file.properties.iter().find(|property| property.name.as_str() == field);
        text.report_at(text.position(unknown.map_or(0, Ranged::start)), sentence(&field, &problem));
    }
    for name in ["tasks", "removed"] {
        let mut given = file.properties.iter().filter(|property| property.name.as_str() == name).skip(1);
        if let Some(again) = given.next() {
            text.report(again, format!("the key \"{name}\" is given twice"));
        }
    }
    if let Some(removed) = file.get("removed") {
        let word = removed.value.as_string_lit().map(|word| word.value.as_ref());
        match word {
            Some("keep") => {}
            Some("delete") => reading.contents.removed = Removed::Delete,
            _ => text.report(&removed.value, "removed must be \"keep\" or \"delete\""),
        }
    }
    match file.get("tasks").map(|tasks| &tasks.value) {
        Some(ast::Value::Array(tasks)) => read_tasks(text, &tasks.elements, reading, defaults, now),
        Some(other) => text.report(other, "tasks must be an array of tasks"),
        None => text.report(file, "tasks is required: an array of tasks, which may be empty"),
    }
}

fn read_tasks<'a>(
    text: &mut Text<'a>,
    tasks: &[ast::Value<'a>],
    reading: &mut Reading,
    defaults: &Defaults,
    now: Millis,
) {
    let mut lines = HashMap::new();
    for (index, task) in tasks.iter().enumerate() {
        let ast::Value::Object(object) = task else {
            text.report(task, format!("task {} must be an object", index + 1));
            continue;
        };
        let Some(task) = read_task(text, object, index, &mut reading.handlers, (defaults, now)) else {
            continue;
        };
        let (name, line) = (task.definition.name.clone(), task.name_at.line);
        match lines.insert(name, line) {
            Some(first) => {
                let problem = format!("the name \"{}\" is taken by line {first}", task.definition.name);
                text.report_at(task.name_at, problem);
            }
            None => reading.contents.tasks.push(task),
        }
    }
    for task in &reading.contents.tasks {
        if let Some(names) = circle(task, &reading.contents.tasks) {
            let problem = format!("makes a circle: {}", names.join(" runs after "));
            text.report_at(task.name_at, format!("task {}: after.task {problem}", names[0]));
        }
    }
}

/// The names of a circle that begins with `first`, among the tasks of the file.
fn circle(first: &DeclaredTask, tasks: &[DeclaredTask]) -> Option<Vec<String>> {
    let (mut names, mut last) = (vec![format!("\"{}\"", first.definition.name)], first);
    while names.len() <= tasks.len() {
        let next = last.follows.as_ref()?;
        last = tasks.iter().find(|task| task.definition.name == *next)?;
        names.push(format!("\"{next}\""));
        if last.definition.name == first.definition.name {
            return Some(names);
        }
    }
    None
}

/// Takes the name of the predecessor out of `after: {task, on}`, and puts an id of no task in its place, also
/// if the name is wrong: the other fields are read in any case.
fn take_name(body: &mut Map<String, Value>) -> Result<Option<String>, String> {
    let own = body.get("name").cloned();
    let Some(after) = body.get_mut("after").and_then(Value::as_object_mut) else { return Ok(None) };
    let Some(task) = after.remove("task") else { return Ok(None) };
    let no_task = TaskId::from_bytes([0; 16]).to_string();
    let other = after.insert("taskId".to_owned(), no_task.into());
    match task {
        _ if other.is_some() => Err("is given beside after.taskId: give one of the two".to_owned()),
        task if Some(&task) == own.as_ref() => Err("is the task itself: name another one".to_owned()),
        Value::String(name) => Ok(Some(name)),
        other => Err(format!("must be the name of a task, not {}", shorten(&other))),
    }
}

/// A value in a message.
fn shorten(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        value => value.to_string(),
    }
}

/// Reads a task; reports every problem with it.
fn read_task<'a>(
    text: &mut Text<'a>,
    object: &Object<'a>,
    index: usize,
    handlers: &mut Vec<HandlerUse>,
    (defaults, now): (&Defaults, Millis),
) -> Option<DeclaredTask> {
    let mut body = text.object(object);
    let follows = take_name(&mut body);
    let word = |field: &str| body.get(field).and_then(Value::as_str);
    let label = match word("name") {
        Some(name) => format!("task \"{}\"", to_one_line(name)),
        None => format!("task {}", index + 1),
    };
    if let Some(handler) = word("handler").filter(|handler| handler_name(handler).is_ok()) {
        let (task, handler) = (word("name").unwrap_or_default().to_owned(), handler.to_owned());
        let at = text.position(locate(object, "handler"));
        handlers.push(HandlerUse { label: label.clone(), task, handler, at });
    }
    let (follows, is_wrong) = match follows {
        Ok(follows) => (follows, false),
        Err(problem) => {
            let at = text.position(locate(object, "after.task"));
            text.report_at(at, format!("{label}: after.task {problem}"));
            (None, true)
        }
    };
    match Draft::define(&body, defaults, now) {
        Ok(_) if is_wrong => None,
        Ok(definition) => {
            Some(DeclaredTask { name_at: text.position(locate(object, "name")), definition, follows })
        }
        Err(problems) => {
            for Problem { field, problem } in problems {
                let unknown = object.properties.iter().find(|property| property.name.as_str() == field);
                let is_unknown = problem.starts_with("is not known");
                let byte = match unknown {
                    Some(property) if is_unknown => property.start(),
                    _ => locate(object, &field),
                };
                text.report_at(text.position(byte), format!("{label}: {}", sentence(&field, &problem)));
            }
            None
        }
    }
}
