//! Plan: the difference between a file of tasks and the tasks that there are.

use std::collections::{HashMap, HashSet};

use super::{
    find::shown,
    finding::Finding,
    read::{Contents, Removed},
};
use crate::domain::{
    definition::Definition,
    draft::fields::FIELDS,
    facts::{Declared, Task},
};

/// A change that makes the tasks more like the file.
#[derive(Debug)]
pub(super) enum Change<'a> {
    /// A task is missing.
    Create(Definition),
    /// A task differs, or the file does not have it yet.
    Declare(&'a Task, Definition),
    /// A task has left the file and is kept.
    Release(&'a Task),
    /// A task has left the file and goes with its history.
    Delete(&'a Task),
}

/// The way from the tasks that there are to those of the file.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) changes: Vec<Change<'a>>,
    /// Whether tasks are left that follow one which the changes create.
    pub(super) more: bool,
    /// Names that belong to differing tasks of users, and predecessors that are not there. With one of
    /// them, nothing is carried out.
    pub(super) conflicts: Vec<Finding>,
}

/// Plans the changes; none when the tasks are as the file `name` has them. Tasks that leave the file go
/// first, so that a renamed task never runs under both names.
pub(super) fn plan<'a>(contents: &'a Contents, name: &str, tasks: &'a [Task]) -> Plan<'a> {
    let names: HashSet<&str> = contents.tasks.iter().map(|task| task.definition.name.as_str()).collect();
    let by_name: HashMap<&str, &Task> =
        tasks.iter().map(|task| (task.definition.name.as_str(), task)).collect();
    let left = |task: &&Task| task.managed_by().is_some() && !names.contains(task.definition.name.as_str());
    let mut changes: Vec<_> = tasks
        .iter()
        .filter(left)
        .map(|task| match contents.removed {
            Removed::Keep => Change::Release(task),
            Removed::Delete => Change::Delete(task),
        })
        .collect();
    let (mut more, mut conflicts) = (false, Vec::new());
    for declared in &contents.tasks {
        let predecessor = declared.follows.as_deref().map(|name| (name, by_name.get(name)));
        if let Some((predecessor, None)) = predecessor {
            more = true;
            if !names.contains(predecessor) {
                let name_of = &declared.definition.name;
                let problem = format!("task \"{name_of}\": after.task names no task: \"{predecessor}\"");
                conflicts.push(Finding::at(&shown(name), declared.name_at, problem));
            }
            continue;
        }
        let mut definition = declared.definition.clone();
        if let (Some(after), Some((_, Some(task)))) = (&mut definition.after, predecessor) {
            after.task_id = task.id;
        }
        let Some(task) = by_name.get(definition.name.as_str()) else {
            changes.push(Change::Create(definition));
            continue;
        };
        let differences = differences(&task.definition, &definition);
        match &task.declared {
            None if !differences.is_empty() => {
                let problem = format!(
                    "task \"{}\" exists and is not managed by a file, and its {} differs: make them equal, \
                     or rename or delete one of the two",
                    task.definition.name,
                    differences.join(", ")
                );
                conflicts.push(Finding::at(&shown(name), declared.name_at, problem));
            }
            Some(Declared::By(file)) if file == name && differences.is_empty() => {}
            _ => changes.push(Change::Declare(task, definition)),
        }
    }
    Plan { changes, more, conflicts }
}

/// The names of the fields that differ.
fn differences(old: &Definition, new: &Definition) -> Vec<String> {
    if old == new {
        return Vec::new();
    }
    let fields = |definition| serde_json::to_value(definition).unwrap_or_default();
    let (old, new) = (fields(old), fields(new));
    // A field that has its default may be left out.
    let names = FIELDS.iter().filter(|field| field.show(&old) != field.show(&new));
    names.map(|field| field.name.to_owned()).collect()
}
