//! `isochron check`

use std::{
    collections::HashSet,
    fs,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use isochron::{
    app,
    clock::{Clock, SystemClock},
    config::Config,
    domain::{alerts::Rule, draft::Defaults, zone::parse_zone},
    handlers::{
        Loader,
        files::{Files, HandlerFile, Ignored},
    },
    hostcalls::ServerCalls,
    runtime::Pool,
    store::in_memory,
    taskfile::{DeclaredTask, Finding, Found, HandlerUse, Position, Reading, find, read, shown, sort},
};
use serde_json::json;

use super::{
    FolderSettings, USAGE, ensure_folder, fail, init, paint::Paint, run::position, say, suggest::hint,
};

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
        let Checked { handlers, tasks, problems, notes, .. } = &checked;
        let told = json!({ "handlers": handlers, "tasks": tasks, "problems": problems, "notes": notes });
        say(&told.to_string());
    } else {
        checked.print();
    }
    if checked.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The findings of a check.
#[derive(Default)]
struct Checked {
    handlers: usize,
    tasks: usize,
    /// The name of the file of tasks, if there is one.
    file: Option<&'static str>,
    problems: Vec<Finding>,
    /// Things to know that are no problem.
    notes: Vec<Finding>,
}

impl Checked {
    fn print(&self) {
        let paint = Paint::new(&io::stdout());
        for problem in &self.problems {
            let text = problem.to_string();
            let place = text.strip_suffix(&problem.problem).unwrap_or_default();
            write(&format!("{}{}", paint.bold(place), paint.plain(&problem.problem)));
        }
        for note in &self.notes {
            write(&paint.dim(&format!("note: {note}")));
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

/// The handlers of the folder after their load checks.
#[derive(Default)]
struct Loaded {
    /// Name and file of each.
    names: Vec<(String, String)>,
    /// Those that do not load.
    failed: Vec<Failed>,
    /// The files that handlers require.
    required: HashSet<String>,
}

/// A handler that does not load.
struct Failed {
    name: String,
    finding: Finding,
    /// Whether it is an example that only lacks packages.
    lacks_packages: bool,
}

async fn check(config: &Config) -> anyhow::Result<Checked> {
    ensure_folder(config)?;
    let files = Files::new(&config.tasks);
    let loaded = load(config, &files).await?;
    let (file, reading) = read_tasks(config)?;
    let mut checked = Checked { file, tasks: reading.tasks, ..Checked::default() };
    checked.handlers = loaded.names.iter().filter(|(_, file)| !loaded.required.contains(file)).count();
    for failed in &loaded.failed {
        let Failed { finding, lacks_packages, .. } = failed;
        let list = if *lacks_packages { &mut checked.notes } else { &mut checked.problems };
        // A file that handlers require need not export a handler itself.
        list.extend((!loaded.required.contains(&finding.file)).then(|| finding.clone()));
    }
    let ignored = files.ignored().into_iter().filter(|ignored| !loaded.required.contains(&ignored.file));
    checked.notes.extend(ignored.map(|Ignored { file, reason }| Finding::whole(&file, reason)));
    let mut of_file = reading.findings;
    let shown = shown(file.unwrap_or_default());
    for HandlerUse { label, handler, at, .. } in &reading.handlers {
        let names = || loaded.names.iter().map(|(name, _)| name.as_str());
        if !names().any(|name| name == handler) {
            let problem = format!("{label}: there is no handler \"{handler}\"{}", hint(handler, names()));
            of_file.push(Finding::at(&shown, *at, problem));
        } else if let Some(Failed { finding, .. }) = loaded.failed.iter().find(|f| f.name == *handler) {
            // The excerpt of the source, in the lines after the first, is shown at the handler.
            let text = finding.to_string();
            let why = text.lines().next().unwrap_or_default();
            let problem = format!("{label}: the handler \"{handler}\" does not load: {why}");
            of_file.push(Finding::at(&shown, *at, problem));
        }
    }
    of_file.extend(unknown_channels(config, &reading.rules, &shown));
    sort(&mut of_file);
    checked.problems.extend(of_file);
    Ok(checked)
}

/// The rules of tasks whose channel the settings do not have.
fn unknown_channels(config: &Config, rules: &[RuleUse], shown: &str) -> Vec<Finding> {
    let names = || config.alerts.channels.keys().map(String::as_str);
    let known = match names().collect::<Vec<_>>().as_slice() {
        [] => "the settings have none".to_owned(),
        known => format!("known are {}", known.join(", ")),
    };
    let unknown = rules.iter().filter(|rule| !names().any(|name| name == rule.channel));
    let finding = |rule: &RuleUse| {
        let RuleUse { task, index, channel, at } = rule;
        let near = hint(channel, names());
        let problem =
            format!("task \"{task}\": alerts[{index}].channel \"{channel}\" is no channel{near}; {known}");
        Finding::at(shown, *at, problem)
    };
    unknown.map(finding).collect()
}

/// Loads every handler.
async fn load(config: &Config, files: &Files) -> anyhow::Result<Loaded> {
    let mut settings = app::pool_settings(config);
    (settings.min, settings.max) = (1, 1);
    // No handler is called, so nothing comes into the store.
    let store = in_memory(Arc::new(|| SystemClock.now()));
    let (client, quota) = (app::network_client(config), app::kv_quota(config));
    let host_calls = Arc::new(ServerCalls::without_system(store, client, quota));
    let pool = Pool::start(settings, files.clone(), host_calls, Arc::new(SystemClock)).await?;
    let mut loaded = Loaded::default();
    for HandlerFile { name, file, source, .. } in files.list() {
        let error = match source {
            Ok(source) => {
                let check = pool.load(&name, source).await?;
                let required = check.modules.into_iter().map(|(file, _)| file);
                loaded.required.extend(required.filter(|required| *required != file));
                check.error
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            let lacks_packages = error.contains("(npm install ") && is_example(config, &file);
            let finding = if lacks_packages { explain_example(&file) } else { finding(&file, &error) };
            loaded.failed.push(Failed { name: name.clone(), finding, lacks_packages });
        }
        loaded.names.push((name, file));
    }
    pool.close().await;
    Ok(loaded)
}

/// Whether a file is a shipped example that nobody has changed.
fn is_example(config: &Config, shown: &str) -> bool {
    let name = shown.trim_start_matches("tasks/");
    let text = fs::read_to_string(config.tasks.join(name)).unwrap_or_default();
    name.starts_with("examples/") && init::is_shipped(name, &text)
}

fn explain_example(file: &str) -> Finding {
    let problem = "this example runs once its packages are there: the comment at its start names them";
    Finding::whole(file, problem)
}

/// What a check needs of the file of tasks.
#[derive(Default)]
struct TasksRead {
    tasks: usize,
    handlers: Vec<HandlerUse>,
    rules: Vec<RuleUse>,
    findings: Vec<Finding>,
}

/// A rule of alerts in the file.
struct RuleUse {
    task: String,
    index: usize,
    channel: String,
    /// The position of the task's name.
    at: Position,
}

fn rules_of(task: &DeclaredTask) -> Vec<RuleUse> {
    let rules = task.definition.alerts.iter().flatten().enumerate();
    let rule = |(index, rule): (usize, &Rule)| RuleUse {
        task: task.definition.name.clone(),
        index,
        channel: rule.channel.clone(),
        at: task.name_at,
    };
    rules.map(rule).collect()
}

/// The name of the file of tasks, if there is one, and its content.
fn read_tasks(config: &Config) -> anyhow::Result<(Option<&'static str>, TasksRead)> {
    let defaults =
        Defaults { timezone: parse_zone(&config.timezone)?, keep_executions: u64::from(config.history_keep) };
    Ok(match find(&config.tasks) {
        Found::Text { name, text } => {
            let Reading { contents, handlers, findings } = read(name, &text, &defaults, SystemClock.now());
            let rules = contents.tasks.iter().flat_map(rules_of).collect();
            (Some(name), TasksRead { tasks: contents.tasks.len(), handlers, rules, findings })
        }
        Found::Broken(finding) => (None, TasksRead { findings: vec![finding], ..TasksRead::default() }),
        Found::NoFolder | Found::Absent => (None, TasksRead::default()),
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
