//! The scrub's report. Each finding is also logged at once.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::{
    domain::lock::lock,
    store::{
        Owner, Report, ScrubState, StoreError,
        sled::engine::{keys, outbox, rows},
    },
};

/// Problems of a kind that the report lists at most.
const LISTED: usize = 1000;

#[derive(Debug, Clone, Default)]
pub(crate) struct SharedReport(Arc<Mutex<Report>>);

impl SharedReport {
    fn lock(&self) -> MutexGuard<'_, Report> {
        lock(&self.0)
    }

    pub(crate) fn get(&self) -> Report {
        self.lock().clone()
    }

    pub(crate) fn quarantine(&self, key: &[u8], why: &str) {
        let problem = format!("{}: {why}", describe(key));
        tracing::error!(problem, "a record does not verify and is quarantined");
        add(&mut self.lock().quarantined, problem);
    }

    pub(crate) fn add_rebuilt(&self, name: &str) {
        tracing::warn!(index = name, "an index differs from the records and is rebuilt");
        self.lock().rebuilt.push(name.to_owned());
    }

    pub(crate) fn add_missing(&self, problem: String) {
        tracing::error!(
            problem,
            "the store has lost something that it had acknowledged: import the newest backup with \
             `isochron store import`"
        );
        add(&mut self.lock().missing, problem);
    }

    pub(crate) fn fail(&self, error: &StoreError) {
        self.add_missing(error.to_string());
        self.lock().scrub = ScrubState::Failed;
    }

    pub(crate) fn begin(&self, tasks: u64) {
        let mut report = self.lock();
        (report.tasks, report.scrub) = (tasks, ScrubState::Running);
    }

    pub(crate) fn set_epoch(&self, epoch: u64) {
        self.lock().epoch = epoch;
    }

    pub(crate) fn end(&self, tasks: u64) {
        let mut report = self.lock();
        (report.tasks, report.scrub) = (tasks, ScrubState::Done);
        let problems = report.quarantined.len() + report.rebuilt.len() + report.missing.len();
        tracing::info!(tasks, problems, "the store is checked");
    }
}

fn add(problems: &mut Vec<String>, problem: String) {
    if problems.len() < LISTED {
        problems.push(problem);
    }
}

/// Names the owner of entries, for people.
pub(crate) fn describe_owner(owner: Owner) -> String {
    match owner {
        Owner::Shared => "all tasks".to_owned(),
        Owner::Task(task) => task.to_string(),
    }
}

/// Names a record by its key, for people.
pub(crate) fn describe(key: &[u8]) -> String {
    let Some((kind, text)) = key.split_first() else { return "a record without a key".to_owned() };
    let text = String::from_utf8_lossy(text);
    let execution = || key.get(1..17).and_then(keys::last_execution);
    match (*kind, keys::task_of(key), keys::last_execution(key)) {
        (keys::TASK, Some(task), _) => task.to_string(),
        (keys::EXECUTION, Some(task), Some(id)) => format!("{id} of {task}"),
        (keys::OUTPUT, ..) => {
            execution().map_or_else(|| format!("output {key:02x?}"), |id| format!("output of {id}"))
        }
        (keys::AUDIT, ..) => format!("audit record of {}", keys::read_millis(&key[1..]).unwrap_or_default()),
        (keys::VALUE, ..) => format!("value \"{text}\""),
        (keys::ENTRY, ..) => {
            let found = keys::entry_of(key)
                .map(|(owner, key)| format!("entry \"{key}\" of {}", describe_owner(owner)));
            found.unwrap_or_else(|| format!("entry {key:02x?}"))
        }
        (keys::STEP, Some(task), _) => {
            let name = String::from_utf8_lossy(key.get(25..).unwrap_or_default());
            format!("step \"{name}\" of {task}")
        }
        (keys::TOKEN, ..) => "a token".to_owned(),
        (keys::SESSION, ..) => "a session".to_owned(),
        (keys::BINDING, ..) => format!("secret or variable {text}"),
        (keys::PARAMS, Some(task), _) => format!("long parameters of a run of {task}"),
        (keys::SOURCE, ..) => {
            format!(
                "the source of the handler {}",
                String::from_utf8_lossy(key.get(33..).unwrap_or_default())
            )
        }
        (keys::VERSION, ..) => match rows::version_of(key) {
            Some((handler, _)) => format!("a version of the handler {handler}"),
            None => format!("{key:02x?}"),
        },
        (keys::ACTIVITY, ..) => match key.get(2..).and_then(keys::read_millis) {
            Some(start) => format!("figures of activity from {start} on"),
            None => "figures of activity of the present minute".to_owned(),
        },
        (keys::OUTBOX, ..) => {
            outbox::last_alert(key).map_or_else(|| "an alert".to_owned(), |id| id.to_string())
        }
        (keys::PIECE, ..) => {
            let owner = keys::owner(key).filter(|owner| keys::may_be_large(owner));
            format!("a piece of {}", owner.map_or_else(|| "an unknown record".to_owned(), describe))
        }
        _ => format!("{key:02x?}"),
    }
}
