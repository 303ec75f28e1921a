//! Reads the text of a file of tasks, by the rules of the bodies that create tasks over the API.

use std::collections::HashMap;

use jsonc_parser::{
    ast::{self, Object},
    common::Ranged,
};
use serde_json::Value;

use super::{
    find::{NAMES, shown},
    finding::{Finding, Position},
    parse::{Text, locate},
};
use crate::domain::{
    Millis,
    definition::Definition,
    draft::{Defaults, Draft, Problem, Problems},
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
    /// The position of the handler's name.
    pub handler_at: Position,
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

/// Reads the text of the file `name`, one of [`NAMES`], at the time `now`.
///
/// # Errors
/// Every mistake in it, in the order of the file.
pub fn read(name: &str, text: &str, defaults: &Defaults, now: Millis) -> Result<Contents, Vec<Finding>> {
    let mut text = Text::new(shown(name), text);
    let value = text.parse(name == NAMES[1]).map_err(|finding| vec![finding])?;
    let contents = match &value {
        ast::Value::Object(object) => read_file(&mut text, object, defaults, now),
        other => {
            text.report(other, "the file must be an object: { \"tasks\": [ … ] }");
            Contents::default()
        }
    };
    let mut findings = text.findings;
    if findings.is_empty() {
        return Ok(contents);
    }
    findings.sort_by_key(|finding| (finding.line, finding.column));
    Err(findings)
}

fn read_file<'a>(text: &mut Text<'a>, file: &Object<'a>, defaults: &Defaults, now: Millis) -> Contents {
    let mut contents = Contents::default();
    let mut problems = Problems::default();
    problems.report_unknown(file.properties.iter().map(|p| p.name.as_str()), &["tasks", "removed"]);
    for Problem { field, problem } in problems.finish().err().unwrap_or_default() {
        let unknown = file.properties.iter().find(|property| property.name.as_str() == field);
        text.report_at(text.position(unknown.map_or(0, Ranged::start)), format!("{field} {problem}"));
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
            Some("delete") => contents.removed = Removed::Delete,
            _ => text.report(&removed.value, "removed must be \"keep\" or \"delete\""),
        }
    }
    match file.get("tasks").map(|tasks| &tasks.value) {
        Some(ast::Value::Array(tasks)) => read_tasks(text, &tasks.elements, &mut contents, defaults, now),
        Some(other) => text.report(other, "tasks must be an array of tasks"),
        None => text.report(file, "tasks is required: an array of tasks, which may be empty"),
    }
    contents
}

fn read_tasks<'a>(
    text: &mut Text<'a>,
    tasks: &[ast::Value<'a>],
    contents: &mut Contents,
    defaults: &Defaults,
    now: Millis,
) {
    let mut lines = HashMap::new();
    for (index, task) in tasks.iter().enumerate() {
        let ast::Value::Object(object) = task else {
            text.report(task, format!("task {} must be an object", index + 1));
            continue;
        };
        let Some(task) = read_task(text, object, index, defaults, now) else { continue };
        let (name, line) = (task.definition.name.clone(), task.name_at.line);
        match lines.insert(name, line) {
            Some(first) => {
                let problem = format!("the name \"{}\" is taken by line {first}", task.definition.name);
                text.report_at(task.name_at, problem);
            }
            None => contents.tasks.push(task),
        }
    }
}

/// Reads a task; reports every problem with it.
fn read_task<'a>(
    text: &mut Text<'a>,
    object: &Object<'a>,
    index: usize,
    defaults: &Defaults,
    now: Millis,
) -> Option<DeclaredTask> {
    let body = text.object(object);
    let label = match body.get("name") {
        Some(Value::String(name)) => format!("task \"{}\"", to_one_line(name)),
        _ => format!("task {}", index + 1),
    };
    match Draft::read_new(&body).and_then(|draft| draft.create(defaults, now)) {
        Ok(definition) => Some(DeclaredTask {
            name_at: text.position(locate(object, "name")),
            handler_at: text.position(locate(object, "handler")),
            definition,
        }),
        Err(problems) => {
            for Problem { field, problem } in problems {
                let unknown = object.properties.iter().find(|property| property.name.as_str() == field);
                let is_unknown = problem.starts_with("is not known");
                let byte = match unknown {
                    Some(property) if is_unknown => property.start(),
                    _ => locate(object, &field),
                };
                text.report_at(text.position(byte), format!("{label}: {field} {problem}"));
            }
            None
        }
    }
}
