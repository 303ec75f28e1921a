//! Tasks from a file: `tasks.json` (or `tasks.jsonc`) in the handlers' folder declares tasks, and the
//! server makes the tasks that there are like them.
//!
//! The file is looked at every second ([`mod@find`]). A text that stands still for two looks is read by the
//! rules of the API's bodies ([`mod@read`]), compared with the tasks that there are ([`plan`], a pure
//! function), and the difference is carried out through the scheduler, one durable change after the
//! other ([`apply`]). A mistake anywhere in the text leaves every task as it is.
//!
//! Nothing is remembered between readings except in the tasks themselves: a server that dies half-way
//! plans the rest of the difference at its next start, and two that read at the same time end at the same
//! tasks, because a change that came too late is refused and planned again.
//!
//! Misuse to avoid: taking a missing folder for an empty file. The folder may be a disk that is not there
//! yet, and all tasks would be paused.

mod apply;
mod find;
mod finding;
mod parse;
mod plan;
mod read;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::Serialize;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval},
};

use self::{apply::Counts, find::Stamp};
pub use self::{
    find::{Found, NAMES, find, shown},
    finding::{Finding, Position},
    read::{Contents, DeclaredTask, HandlerUse, Reading, Removed, read, sort},
};
use crate::{
    clock::Clock,
    domain::{draft::Defaults, lock::lock},
    handlers::catalog::Catalog,
    scheduler::Scheduler,
    store::Store,
};

/// The time between two looks at the file.
const EVERY: Duration = Duration::from_secs(1);
/// The shortest and the longest wait before a file with mistakes is read again although it has not
/// changed: a handler may have been missing, or the disk full.
const AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// The most mistakes that the log and the state name.
const MOST_SHOWN: usize = 20;

/// The state of the file of tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TaskFileState {
    /// The name of the file, if there is one.
    pub file: Option<String>,
    /// The number of tasks in the last text without a mistake.
    pub tasks: usize,
    /// The number of mistakes in the present text; none of it has been carried out.
    pub mistakes: usize,
    /// The first mistakes.
    pub problems: Vec<String>,
}

/// The parts of the server that a file of tasks needs.
pub struct Parts {
    /// The handlers' folder.
    pub folder: PathBuf,
    /// Makes changes.
    pub scheduler: Arc<Scheduler>,
    /// Answers reads.
    pub store: Arc<dyn Store>,
    /// Checks handlers.
    pub catalog: Catalog,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The defaults of fields that a task leaves out.
    pub defaults: Defaults,
}

/// Watches the file of tasks.
pub struct TaskFile {
    parts: Parts,
    state: Arc<Mutex<TaskFileState>>,
    /// The state of the file system at the last look.
    stamp: Option<Stamp>,
    /// The hash of the last look.
    seen: Option<[u8; 32]>,
    /// The hash of the last text that was read.
    done: Option<[u8; 32]>,
    /// When a text with mistakes is read again, and after which wait.
    again: Option<(Instant, Duration)>,
}

impl TaskFile {
    /// A watcher that has not looked yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, state: Arc::default(), stamp: None, seen: None, done: None, again: None }
    }

    /// The state, which changes with every reading.
    #[must_use]
    pub fn state(&self) -> Arc<Mutex<TaskFileState>> {
        self.state.clone()
    }

    /// Reads the file at the start of the server: before the first due task runs, tasks are as it has them.
    pub async fn start(&mut self) {
        let found = self.look().await;
        self.seen = Some(found.hash());
        self.read(found).await;
    }

    /// Looks at the file every second until `stopping` is true.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                _ = looks.tick() => {}
            }
            let is_due = self.again.is_some_and(|(due, _)| due <= Instant::now());
            if !self.may_have_changed().await && self.done == self.seen && !is_due {
                continue;
            }
            let found = self.look().await;
            let hash = found.hash();
            // An editor writes a file in pieces: a text counts once it has stood still.
            let stands_still = self.seen.replace(hash) == Some(hash);
            if stands_still && (self.done != Some(hash) || is_due) {
                self.read(found).await;
            }
        }
    }

    /// Whether the file may be another than at the last look, without reading it.
    async fn may_have_changed(&mut self) -> bool {
        let folder = self.parts.folder.clone();
        let stamp = spawn_blocking(move || Stamp::read(&folder)).await.ok();
        let is_same = stamp
            .as_ref()
            .is_some_and(|stamp| self.stamp.as_ref() == Some(stamp) && stamp.is_old(self.parts.clock.now()));
        self.stamp = stamp;
        !is_same
    }

    async fn look(&self) -> Found {
        let folder = self.parts.folder.clone();
        let looked = spawn_blocking(move || find(&folder)).await;
        looked.unwrap_or_else(|error| Found::Broken(Finding::whole(&shown(NAMES[0]), error.to_string())))
    }

    async fn read(&mut self, found: Found) {
        let hash = found.hash();
        let file = match &found {
            Found::Text { name, .. } => Some((*name).to_owned()),
            Found::Broken(finding) => {
                Some(finding.file.strip_prefix("tasks/").unwrap_or(&finding.file).to_owned())
            }
            Found::NoFolder | Found::Absent => None,
        };
        let is_new = self.done != Some(hash);
        let mut before = Vec::new();
        if is_new {
            // While a new text is applied, the mistakes of the one before are no news.
            let mut state = lock(&self.state);
            before = std::mem::take(&mut state.problems);
            state.file.clone_from(&file);
        }
        let outcome = apply::apply(&self.parts, found).await;
        self.done = Some(hash);
        let mut state = lock(&self.state);
        state.file = file;
        match outcome {
            Ok((tasks, counts)) => {
                if counts != Counts::default() {
                    tracing::info!(%counts, "tasks have been made as the file has them");
                } else if !before.is_empty() || !state.problems.is_empty() {
                    tracing::info!("the file of tasks has no mistake any more");
                }
                *state = TaskFileState { tasks, problems: Vec::new(), mistakes: 0, ..state.clone() };
                self.again = None;
            }
            Err(findings) => {
                let more = findings.len().saturating_sub(MOST_SHOWN);
                let mut problems: Vec<_> = findings.iter().take(MOST_SHOWN).map(Finding::to_string).collect();
                problems.extend((more > 0).then(|| format!("and {more} more")));
                if is_new || state.problems != problems {
                    for problem in &problems {
                        tracing::error!(problem, "the file of tasks has a mistake and changes no task");
                    }
                }
                (state.problems, state.mistakes) = (problems, findings.len());
                let wait =
                    self.again.filter(|_| !is_new).map_or(AGAIN.0, |(_, wait)| (wait * 2).min(AGAIN.1));
                self.again = Some((Instant::now() + wait, wait));
            }
        }
    }
}
