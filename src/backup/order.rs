//! Whether the records of a copy belong together: nothing twice, nothing without its owner.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    domain::{
        Millis,
        ids::{AlertId, ExecutionId, TaskId, TokenId},
    },
    store::{Owner, Span, copy::Record},
};

/// Looks at the records of a copy one after the other. It remembers every id and name of a
/// task (some hundred bytes each), and of executions only those of the task at hand.
#[derive(Debug, Default)]
pub(super) struct Order {
    tasks: HashSet<TaskId>,
    names: HashSet<Box<str>>,
    values: HashSet<String>,
    bindings: HashSet<String>,
    activity: BTreeSet<(Span, Millis)>,
    alerts: HashSet<AlertId>,
    versions: HashSet<(String, Vec<u8>)>,
    task: Option<TaskId>,
    /// Executions of the task at hand, with the last piece of output.
    executions: HashMap<ExecutionId, Option<u32>>,
    /// Keys of the entries, and planned times and names of the steps, of the task at hand.
    entries: HashSet<String>,
    steps: HashSet<(Millis, String)>,
    tokens: HashSet<TokenId>,
    /// Keys of the entries that all tasks share.
    shared: HashSet<String>,
}

impl Order {
    /// Looks at the next record.
    ///
    /// # Errors
    /// Says why it cannot stand here.
    pub(super) fn look(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Task(task) => {
                self.executions.clear();
                self.entries.clear();
                self.steps.clear();
                self.task = Some(task.id);
                let name = &task.definition.name;
                ensure_first(self.tasks.insert(task.id), || format!("the task {}", task.id))?;
                ensure_first(self.names.insert(name.as_str().into()), || {
                    format!("a task with the name \"{name}\"")
                })
            }
            Record::Execution(row) => {
                if self.task != Some(row.task_id) {
                    return Err(format!(
                        "the execution {} does not stand behind its task {}",
                        row.id, row.task_id
                    ));
                }
                ensure_first(self.executions.insert(row.id, None).is_none(), || {
                    format!("the execution {}", row.id)
                })
            }
            Record::Output(output) => {
                let (id, chunk) = (output.execution, output.chunk);
                let Some(last) = self.executions.get_mut(&id) else {
                    return Err(format!("output of {id} does not stand behind its execution"));
                };
                if last.is_some_and(|last| last >= chunk) {
                    return Err(format!(
                        "piece {chunk} of the output of {id} does not come after the one before it"
                    ));
                }
                *last = Some(chunk);
                Ok(())
            }
            Record::Value { key, .. } => {
                ensure_first(self.values.insert(key.clone()), || format!("the value \"{key}\""))
            }
            Record::Version { owner, .. } => self.ensure_behind_its_task(*owner, || "a version".to_owned()),
            Record::Entry { owner, key, .. } => {
                self.ensure_behind_its_task(*owner, || format!("the entry \"{key}\""))?;
                let keys = if *owner == Owner::Shared { &mut self.shared } else { &mut self.entries };
                ensure_first(keys.insert(key.clone()), || format!("the entry \"{key}\""))
            }
            Record::Binding(binding) => {
                let is_first = self.bindings.insert(binding.name.clone());
                ensure_first(is_first, || format!("the {} {}", binding.kind().word(), binding.name))
            }
            Record::Step { .. } | Record::Params(_) | Record::Source(_) => self.look_at_kept(record),
            Record::Activity { span, bucket } => self.look_at_activity(*span, bucket.start),
            Record::Token(token) => ensure_first(self.tokens.insert(token.id), || token.id.to_string()),
            Record::Alert(delivery) => self.look_at_alert(delivery.alert.id),
            Record::Audit(_) | Record::Quarantine(_) => Ok(()),
        }
    }
}

impl Order {
    fn look_at_kept(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Step { task, scheduled_for, step } => {
                self.ensure_behind_its_task(Owner::Task(*task), || format!("the step \"{}\"", step.name))?;
                ensure_first(self.steps.insert((*scheduled_for, step.name.clone())), || {
                    format!("the step \"{}\" of {task}", step.name)
                })
            }
            Record::Params(kept) => self
                .ensure_behind_its_task(Owner::Task(kept.task), || format!("the parameters {}", kept.hash)),
            Record::Source(version) => {
                let key = (version.handler.clone(), version.hash.clone());
                ensure_first(self.versions.insert(key), || format!("a version of {}", version.handler))
            }
            _ => Ok(()),
        }
    }

    fn look_at_activity(&mut self, span: Span, start: Millis) -> Result<(), String> {
        // There is one present minute, whatever its start.
        let key = (span, if span == Span::Present { 0 } else { start });
        ensure_first(self.activity.insert(key), || format!("the activity from {start} on"))
    }

    fn look_at_alert(&mut self, id: AlertId) -> Result<(), String> {
        ensure_first(self.alerts.insert(id), || format!("the alert {id}"))
    }

    fn ensure_behind_its_task(&self, owner: Owner, what: impl FnOnce() -> String) -> Result<(), String> {
        match owner {
            Owner::Task(task) if self.task != Some(task) => {
                Err(format!("{} does not stand behind its task {task}", what()))
            }
            Owner::Task(_) | Owner::Shared => Ok(()),
        }
    }
}

fn ensure_first(first: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if first { Ok(()) } else { Err(format!("{} is there twice", what())) }
}
