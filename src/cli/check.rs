//! `isochron check`

use std::{
    collections::HashSet,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use isochron::{
    app,
    clock::{Clock, SystemClock},
    config::Config,
    domain::{draft::Defaults, zone::parse_zone},
    handlers::{Loader, files::Files},
    hostcalls::ServerCalls,
    runtime::Pool,
    store::in_memory,
    taskfile::{DeclaredTask, Finding, Found, Position, find, read, shown},
};
use serde_json::json;

use super::{FolderSettings, USAGE, ensure_folder, fail, paint::Paint, run::position, say, suggest::hint};

/// Load every handler and read tasks.json, without a server, and report all problems.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: FolderSettings,
}

pub(super) fn main(options: &Options) -> ExitCode {
    let config = match options.settings.load() {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    let checked = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(check(&config)));
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => return fail(1, &error),
    };
    if options.json {
        let Checked { handlers, tasks, problems, .. } = &checked;
        say(&json!({ "handlers": handlers, "tasks": tasks, "problems": problems }).to_string());
    } else {
        checked.tell();
    }
    if checked.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Checked {
    handlers: usize,
    tasks: usize,
    /// The name of the file of tasks, if there is one.
    file: Option<&'static str>,
    problems: Vec<Finding>,
}

impl Checked {
    fn tell(&self) {
        let paint = Paint::new(&io::stdout());
        for problem in &self.problems {
            let text = problem.to_string();
            let place = text.strip_suffix(&problem.problem).unwrap_or_default();
            write(&format!("{}{}", paint.bold(place), paint.plain(&problem.problem)));
        }
        let mut read = count(self.handlers, "handler");
        if let Some(file) = self.file {
            read += &format!(" and {} in {file}", count(self.tasks, "task"));
        }
        match self.problems.len() {
            0 => write(&paint.green(&format!("{read}: no problem"))),
            many => write(&paint.red(&format!("{read}: {}", count(many, "problem")))),
        }
    }
}

async fn check(config: &Config) -> anyhow::Result<Checked> {
    ensure_folder(config)?;
    let files = Files::new(&config.tasks);
    let mut settings = app::pool_settings(config);
    (settings.min, settings.max) = (1, 1);
    // No handler is called, so nothing comes into the store.
    let store = in_memory(Arc::new(|| SystemClock.now()));
    let (client, quota) = (app::network_client(config), app::kv_quota(config));
    let host_calls = Arc::new(ServerCalls::without_system(files.clone(), store, client, quota));
    let pool = Pool::start(settings, files.clone(), host_calls, Arc::new(SystemClock)).await?;
    let mut failed = Vec::new();
    let (mut names, mut required) = (Vec::new(), HashSet::new());
    for listed in files.list() {
        let error = match listed.source {
            Ok(source) => {
                let check = pool.load(&listed.name, source).await?;
                required
                    .extend(check.modules.into_iter().map(|(file, _)| file).filter(|f| *f != listed.file));
                check.error
            }
            Err(error) => Some(error),
        };
        failed.extend(error.map(|error| (listed.file.clone(), listed.name.clone(), error)));
        names.push((listed.name, listed.file));
    }
    pool.close().await;
    // A file that handlers require need not export a handler itself.
    failed.retain(|(file, ..)| !required.contains(file));
    let (file, contents) = read_tasks(config)?;
    let mut problems: Vec<_> = failed.iter().map(|(file, _, error)| finding(file, error)).collect();
    let tasks = contents.unwrap_or_else(|findings| {
        problems.extend(findings);
        Vec::new()
    });
    for task in &tasks {
        let handler = &task.definition.handler;
        if !names.iter().any(|(name, _)| name == handler) {
            let hint = hint(handler, names.iter().map(|(name, _)| name.as_str()));
            let problem =
                format!("task \"{}\": there is no handler \"{handler}\"{hint}", task.definition.name);
            problems.push(Finding::at(&shown(file.unwrap_or_default()), task.handler_at, problem));
        }
    }
    let handlers = names.iter().filter(|(_, file)| !required.contains(file)).count();
    Ok(Checked { handlers, tasks: tasks.len(), file, problems })
}

/// The name of the file of tasks, if there is one, and its tasks.
type Read = (Option<&'static str>, Result<Vec<DeclaredTask>, Vec<Finding>>);

fn read_tasks(config: &Config) -> anyhow::Result<Read> {
    let defaults =
        Defaults { timezone: parse_zone(&config.timezone)?, keep_executions: u64::from(config.history_keep) };
    Ok(match find(&config.tasks) {
        Found::Text { name, text } => {
            let contents = read(name, &text, &defaults, SystemClock.now());
            (Some(name), contents.map(|contents| contents.tasks))
        }
        Found::Broken(finding) => (None, Err(vec![finding])),
        Found::NoFolder | Found::Absent => (None, Ok(Vec::new())),
    })
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Writes painted lines to standard output. A closed output is no error: nobody reads on.
fn write(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// The finding of a load error. The error of a syntax begins with its position, `tasks/a.js:3:22: …`; one
/// that was thrown ends with it, `…, at f (tasks/a.js:3:22)`.
fn finding(file: &str, error: &str) -> Finding {
    let (begin, rest) = error.split_once(": ").unwrap_or_default();
    if let Some((file, line, column)) = position(&format!("at {begin}")) {
        return Finding::at(file, Position { line, column }, rest);
    }
    if let Some((problem, frame)) = error.rsplit_once(", at ")
        && let Some((file, line, column)) = position(&format!("at {frame}"))
    {
        return Finding::at(file, Position { line, column }, problem);
    }
    let problem = error.strip_prefix(file).map_or(error, |rest| rest.trim_start_matches([':', ' ']));
    Finding::whole(file, problem)
}
