//! What the check has found so far, for whoever asks, and in the log at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::keys;
use crate::store::{Checked, Report, StoreError};

/// Problems of a kind that are told one by one.
const TOLD: usize = 1000;

#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Report>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self) -> Report {
        self.lock().clone()
    }

    pub(super) fn set_aside(&self, key: &[u8], why: &str) {
        let problem = format!("{}: {why}", keys::describe(key));
        tracing::error!(problem, "a record does not verify and is set aside");
        tell(&mut self.lock().set_aside, problem);
    }

    pub(super) fn rebuilt(&self, name: &str) {
        tracing::warn!(index = name, "an index differs from the records and is made anew");
        self.lock().rebuilt.push(name.to_owned());
    }

    pub(super) fn missing(&self, problem: String) {
        tracing::error!(
            problem,
            "the store has lost something that it had acknowledged: restore the newest file of \
             the backups with `isochron store import`"
        );
        tell(&mut self.lock().missing, problem);
    }

    pub(super) fn failed(&self, error: &StoreError) {
        self.missing(error.to_string());
        self.lock().check = Checked::Failed;
    }

    pub(super) fn opened(&self, tasks: u64) {
        let mut report = self.lock();
        (report.tasks, report.check) = (tasks, Checked::Running);
    }

    pub(super) fn counted(&self, epoch: u64) {
        self.lock().epoch = epoch;
    }

    pub(super) fn done(&self, tasks: u64) {
        let mut report = self.lock();
        (report.tasks, report.check) = (tasks, Checked::Done);
        let problems = report.set_aside.len() + report.rebuilt.len() + report.missing.len();
        tracing::info!(tasks, problems, "the store is checked");
    }
}

fn tell(problems: &mut Vec<String>, problem: String) {
    if problems.len() < TOLD {
        problems.push(problem);
    }
}
