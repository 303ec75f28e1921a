//! A folder with a file of tasks, a scheduler and a store in memory.

use std::{fs, io};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{
    clock::SystemClock,
    domain::{
        execution::{Ending, Verdict},
        facts::Task,
        source::Source,
        step::Policy,
    },
    events::Events,
    handlers::{LoadCheck, Loader, files::Files},
    runtime::{Invocation, Later, Runner},
    scheduler::Actor,
    store::{
        Direction, TaskQuery, TaskSort,
        memory::{MemoryStore, disk::Disk},
    },
};

mod changes;
mod mistakes;

/// Completes every run, and loads every file that does not say `broken`.
struct Willing;

impl Runner for Willing {
    fn run(&self, _: Invocation) -> Later<'_, Verdict> {
        Box::pin(async { Verdict::of(Ending::Completed { result: json!(null) }) })
    }

    fn capacity(&self) -> usize {
        1
    }
}

impl Loader for Willing {
    fn load<'a>(&'a self, _: &'a str, entry: Source) -> Later<'a, io::Result<LoadCheck>> {
        let error = entry.text.contains("broken").then(|| "tasks/hello.js:1:1: it is broken".to_owned());
        Box::pin(async { Ok(LoadCheck { error, timed_out: false, modules: Vec::new() }) })
    }
}

struct Scene {
    folder: TempDir,
    store: Arc<dyn Store>,
    scheduler: Arc<Scheduler>,
    file: TaskFile,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(SystemClock);
        let store: Arc<dyn Store> =
            Arc::new(MemoryStore::open(&Arc::new(Disk::default()), Arc::new(|| SystemClock.now())));
        let scheduler = Scheduler::new(
            store.clone(),
            Arc::new(Willing),
            clock.clone(),
            Events::default(),
            Policy::default(),
        );
        let file = TaskFile::new(Parts {
            folder: folder.path().to_owned(),
            scheduler: scheduler.clone(),
            store: store.clone(),
            catalog: Catalog::new(Files::new(folder.path()), Arc::new(Willing)),
            clock,
            defaults: defaults(),
        });
        let scene = Self { folder, store, scheduler, file };
        scene.write("hello.js", "");
        scene
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("written");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).expect("removed");
    }

    /// Reads the file as the server does at its start; returns the problems.
    async fn start(&mut self) -> Vec<String> {
        self.file.start().await;
        lock(&self.file.state()).problems.clone()
    }

    async fn apply(&mut self, tasks: &str) -> Vec<String> {
        self.write("tasks.json", tasks);
        self.start().await
    }

    async fn tasks(&self) -> Vec<Task> {
        let query = TaskQuery {
            status: None,
            handler: None,
            tag: None,
            after: None,
            bound: None,
            name: None,
            sort: TaskSort::Name,
            direction: Direction::Ascending,
            skip: 0,
            limit: 100,
            newest: 0,
        };
        self.store.tasks(query).await.expect("it reads").items.into_iter().map(|view| view.task).collect()
    }

    /// `name schedule file` of each task, with `paused` behind it.
    async fn shown(&self) -> Vec<String> {
        let shown = self.tasks().await.into_iter().map(|task| {
            let paused = if task.facts.paused { " paused" } else { "" };
            let file = task.managed_by().unwrap_or("-");
            format!("{} {} {file}{paused}", task.definition.name, task.definition.schedule)
        });
        shown.collect()
    }

    async fn task(&self, name: &str) -> Task {
        let tasks = self.tasks().await;
        tasks.into_iter().find(|task| task.definition.name == name).expect("the task is there")
    }
}

fn defaults() -> Defaults {
    Defaults { timezone: chrono_tz::UTC, keep_executions: 100 }
}

fn actor() -> Actor {
    Actor::of_system("test", "test".to_owned())
}

/// The text of a file with these tasks, `name schedule` each.
fn file(tasks: &[&str]) -> String {
    let tasks: Vec<_> = tasks
        .iter()
        .map(|task| {
            let (name, schedule) = task.split_once(' ').expect("a schedule");
            json!({"name": name, "description": "", "handler": "hello", "schedule": schedule, "recurring": true})
        })
        .collect();
    json!({ "tasks": tasks }).to_string()
}
