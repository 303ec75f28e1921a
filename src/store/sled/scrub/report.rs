//! What the check has found so far, for whoever asks, and in the log at once.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::{
    domain::lock::lock,
    store::{Checked, Report, StoreError, sled::engine::keys},
};

/// Problems of a kind that are told one by one.
const TOLD: usize = 1000;

#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Report>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Report> {
        lock(&self.0)
    }

    pub(crate) fn get(&self) -> Report {
        self.lock().clone()
    }

    pub(crate) fn quarantine(&self, key: &[u8], why: &str) {
        let problem = format!("{}: {why}", describe(key));
        tracing::error!(problem, "a record does not verify and is set aside");
        tell(&mut self.lock().quarantined, problem);
    }

    pub(crate) fn rebuilt(&self, name: &str) {
        tracing::warn!(index = name, "an index differs from the records and is made anew");
        self.lock().rebuilt.push(name.to_owned());
    }

    pub(crate) fn missing(&self, problem: String) {
        tracing::error!(
            problem,
            "the store has lost something that it had acknowledged: restore the newest file of \
             the backups with `isochron store import`"
        );
        tell(&mut self.lock().missing, problem);
    }

    pub(crate) fn failed(&self, error: &StoreError) {
        self.missing(error.to_string());
        self.lock().check = Checked::Failed;
    }

    pub(crate) fn opened(&self, tasks: u64) {
        let mut report = self.lock();
        (report.tasks, report.check) = (tasks, Checked::Running);
    }

    pub(crate) fn counted(&self, epoch: u64) {
        self.lock().epoch = epoch;
    }

    pub(crate) fn done(&self, tasks: u64) {
        let mut report = self.lock();
        (report.tasks, report.check) = (tasks, Checked::Done);
        let problems = report.quarantined.len() + report.rebuilt.len() + report.missing.len();
        tracing::info!(tasks, problems, "the store is checked");
    }
}

fn tell(problems: &mut Vec<String>, problem: String) {
    if problems.len() < TOLD {
        problems.push(problem);
    }
}

/// A record's key for people.
pub(crate) fn describe(key: &[u8]) -> String {
    let Some((kind, text)) = key.split_first() else { return "what has no key".to_owned() };
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
        (keys::PIECE, ..) => {
            let owner = keys::owner(key).filter(|owner| keys::may_be_large(owner));
            format!("a piece of {}", owner.map_or_else(|| "nothing known".to_owned(), describe))
        }
        _ => format!("{key:02x?}"),
    }
}
