//! `isochron run <handler>`

mod report;
mod watch;

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use isochron::{
    app,
    clock::{Clock, SystemClock},
    config::Config,
    domain::{
        draft::{check_params, sentence},
        execution::{Ending, Trigger, Verdict},
    },
    handlers::files::Files,
    hostcalls::{Alone, ServerCalls},
    runtime::{Invocation, Pool, Runner, protocol::Context},
    store::{Store, in_memory},
};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch as channel};

pub(super) use self::report::position;
use self::{report::Report, watch::Watch};
use super::{INTERRUPTED, Settings, USAGE, ensure_folder, fail, suggest::hint};

/// Ends of the names of handlers' files, which may stand behind a handler's name on the command line.
const ENDS: [&str; 6] = [".js", ".cjs", ".mjs", ".ts", ".cts", ".mts"];

/// Run one handler now, in the same sandbox, without a server.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The handler's name, or its file
    handler: String,
    /// The parameters: a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    params: String,
    /// The timeout in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(100..=86_400_000))]
    timeout: u64,
    /// Run again whenever a file in the handlers' folder is saved
    #[arg(long)]
    watch: bool,
    /// Keep state in memory only (the default; --data DIR keeps it in the store of that folder)
    #[arg(long)]
    ephemeral: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(options: Options) -> ExitCode {
    let params = match read_params(&options.params) {
        Ok(params) => params,
        Err(error) => return fail(USAGE, &error),
    };
    if options.ephemeral && options.settings.data.is_some() {
        let error = anyhow!(
            "--ephemeral keeps state in memory only and --data in a folder's store: leave one of the two out"
        );
        return fail(USAGE, &error);
    }
    let config = match options.settings.load() {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    let ran = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(options, params, config)));
    ran.unwrap_or_else(|error| fail(1, &error))
}

fn read_params(text: &str) -> anyhow::Result<Map<String, Value>> {
    let value = serde_json::from_str(text).context("--params is not valid JSON")?;
    let Value::Object(params) = value else {
        bail!("--params must be a JSON object, such as '{{\"days\": 7}}'")
    };
    if let Err(problems) = check_params(&params) {
        let texts: Vec<_> = problems.iter().map(|p| sentence(&p.field, &p.problem)).collect();
        bail!("--params: {}", texts.join("; "));
    }
    Ok(params)
}

async fn run(options: Options, params: Map<String, Value>, config: Config) -> anyhow::Result<ExitCode> {
    ensure_folder(&config)?;
    let files = Files::new(&config.tasks);
    let handler = name_of(&options.handler, &config.tasks);
    if let Err(error) = files.entry(&handler)
        && !options.watch
    {
        let names: Vec<_> = files.list().into_iter().map(|listed| listed.name).collect();
        return Err(anyhow!("{error}{}", hint(&handler, names.iter().map(String::as_str))));
    }
    let mut settings = app::pool_settings(&config);
    (settings.min, settings.max) = (1, 1);
    let keeps = options.settings.data.is_some() && !options.ephemeral;
    let store = if keeps { open_store(&config).await? } else { in_memory(Arc::new(|| SystemClock.now())) };
    let (client, quota) = (app::network_client(&config), app::kv_quota(&config));
    let mut host_calls = ServerCalls::without_system(store.clone(), client, quota);
    if keeps {
        host_calls = host_calls
            .with_vault(Arc::new(app::open_vault(&config, store.clone(), Arc::new(SystemClock)).await?));
    }
    let pool = Pool::start(settings, files, Arc::new(host_calls), Arc::new(SystemClock)).await?;
    let alone =
        Alone::new(store.clone(), Arc::new(SystemClock), &handler).await.map_err(anyhow::Error::msg)?;
    let session = Session { pool, alone, handler, params, timeout: options.timeout, folder: config.tasks };
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let code = tokio::select! {
        code = session.run(options.watch) => code,
        () = interrupt => return Ok(ExitCode::from(INTERRUPTED)),
    };
    session.pool.close().await;
    store.close().await?;
    Ok(code)
}

/// Opens the store of the data folder, which no server may have open.
async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data)
        .with_context(|| format!("make the folder {}", config.data.display()))?;
    app::open_joined(config).await
}

/// The handler that a word on the command line means: its name, or the path of its file.
fn name_of(word: &str, tasks: &Path) -> String {
    let Some(bare) = ENDS.iter().find_map(|end| word.strip_suffix(end)) else { return word.to_owned() };
    let path = PathBuf::from(word);
    let (Ok(file), Ok(tasks)) = (path.canonicalize(), tasks.canonicalize()) else { return bare.to_owned() };
    let within = file.strip_prefix(tasks).ok().and_then(Path::to_str);
    let name = within.and_then(|within| ENDS.iter().find_map(|end| within.strip_suffix(end)));
    name.unwrap_or(bare).to_owned()
}

/// One handler, run once or again and again.
struct Session {
    pool: Arc<Pool>,
    /// The runs' state.
    alone: Alone,
    handler: String,
    params: Map<String, Value>,
    timeout: u64,
    folder: PathBuf,
}

impl Session {
    async fn run(&self, watches: bool) -> ExitCode {
        let report = Report::new(&self.folder, &io::stdout(), &io::stderr());
        if !watches {
            let (_canceller, cancel) = channel::channel(None);
            return self.run_once(&report, cancel).await;
        }
        let mut watch = Watch::new(&self.folder);
        loop {
            let (canceller, cancel) = channel::channel(None);
            let saved = {
                let running = self.run_once(&report, cancel);
                tokio::pin!(running);
                tokio::select! {
                    _ = &mut running => None,
                    saved = watch.wait_for_save() => {
                        canceller.send_replace(Some("a file was saved".to_owned()));
                        running.await;
                        Some(saved)
                    }
                }
            };
            let saved = match saved {
                Some(saved) => saved,
                None => {
                    report.tell_waiting(&self.folder);
                    watch.wait_for_save().await
                }
            };
            report.tell_saved(&saved);
        }
    }

    async fn run_once(&self, report: &Report, cancel: channel::Receiver<Option<String>>) -> ExitCode {
        let (lines, mut printed) = mpsc::channel(64);
        let attempt = match self.alone.begin().await {
            Ok(attempt) => attempt,
            Err(error) => return fail(1, &anyhow!(error)),
        };
        let context = Context {
            task_id: attempt.task.to_string(),
            execution_id: attempt.execution.to_string(),
            task_name: self.handler.clone(),
            attempt: 1,
            max_attempts: 1,
            trigger: Trigger::Manual,
            scheduled_for: attempt.scheduled_for,
            traceparent: None,
            after: None,
        };
        let invocation = Invocation {
            handler: self.handler.clone(),
            attempt: Some(attempt),
            live: Arc::default(),
            params: self.params.clone(),
            context,
            not_before: 0,
            timeout: self.timeout,
            lines,
            cancel,
        };
        let print = async {
            while let Some(line) = printed.recv().await {
                report.show(&line);
            }
        };
        let (verdict, ()) = tokio::join!(self.pool.run(invocation), print);
        if let Err(error) = self.alone.end(attempt, &verdict).await {
            return fail(1, &anyhow!(error));
        }
        report.tell_end(&verdict);
        exit_code(&verdict)
    }
}

fn exit_code(verdict: &Verdict) -> ExitCode {
    match &verdict.ending {
        Ending::Completed { .. } => ExitCode::SUCCESS,
        Ending::Failed { .. } => ExitCode::FAILURE,
        Ending::Cancelled { .. } => ExitCode::from(INTERRUPTED),
    }
}
