//! `isochron run <handler>`

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context as _, bail};
use clap::Args;
use isochron::{
    app,
    clock::{Clock, SystemClock},
    domain::{
        draft::check_params,
        execution::{Ending, Level, Line, Trigger, Verdict},
    },
    handlers::files::Files,
    hostcalls::ServerCalls,
    network::Client,
    runtime::{Invocation, Pool, PoolSettings, Runner, protocol::Context},
};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};

use super::{INTERRUPTED, Settings, USAGE, fail, say, tell};

/// Run one handler now, in the same sandbox, without a server.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The handler's name: its file in the handlers' folder without .js
    handler: String,
    /// The parameters: a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    params: String,
    /// The timeout in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(100..=86_400_000))]
    timeout: u64,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(options: Options) -> ExitCode {
    let params = match read_params(&options.params) {
        Ok(params) => params,
        Err(error) => return fail(USAGE, &error),
    };
    let parts = match options.settings.load() {
        Ok(config) => {
            let mut settings = app::pool_settings(&config);
            (settings.min, settings.max) = (1, 1);
            (settings, Files::new(&config.tasks), app::network_client(&config))
        }
        Err(error) => return fail(USAGE, &error),
    };
    let ran = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(options, params, parts)));
    ran.unwrap_or_else(|error| fail(1, &error))
}

fn read_params(text: &str) -> anyhow::Result<Map<String, Value>> {
    let value = serde_json::from_str(text).context("--params is not valid JSON")?;
    let Value::Object(params) = value else {
        bail!("--params must be a JSON object, such as '{{\"days\": 7}}'")
    };
    if let Err(problems) = check_params(&params) {
        let texts: Vec<_> = problems.iter().map(|p| format!("{} {}", p.field, p.problem)).collect();
        bail!("--params: {}", texts.join("; "));
    }
    Ok(params)
}

async fn run(
    options: Options,
    params: Map<String, Value>,
    (settings, files, client): (PoolSettings, Files, Client),
) -> anyhow::Result<ExitCode> {
    let clock = SystemClock;
    let (lines, mut printed) = mpsc::channel(64);
    let (canceller, cancel) = watch::channel(None);
    let host_calls = Arc::new(ServerCalls::without_store(files.clone(), client));
    let pool = Pool::start(settings, files, host_calls, Arc::new(clock)).await?;
    let context = Context {
        task_name: options.handler.clone(),
        attempt: 1,
        max_attempts: 1,
        trigger: Trigger::Manual,
        scheduled_for: clock.now(),
        ..Context::default()
    };
    let invocation = Invocation {
        handler: options.handler,
        attempt: None,
        params,
        context,
        not_before: 0,
        timeout: options.timeout,
        lines,
        cancel,
    };
    let print = async {
        while let Some(line) = printed.recv().await {
            show(&line);
        }
    };
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_ok() {
            canceller.send_replace(Some("interrupted".to_owned()));
        }
        std::future::pending::<()>().await;
    };
    let (verdict, ()) = tokio::select! {
        both = async { tokio::join!(pool.run(invocation), print) } => both,
        () = interrupt => return Ok(ExitCode::from(INTERRUPTED)),
    };
    pool.close().await;
    Ok(report(&verdict))
}

/// Warnings and errors of the handler go to standard error, as they would in Node.
fn show(line: &Line) {
    match line.level {
        Level::Warn | Level::Error => tell(&line.message),
        Level::Debug | Level::Log | Level::Info => say(&line.message),
    }
}

fn report(verdict: &Verdict) -> ExitCode {
    let took = verdict.duration.map_or_else(String::new, |ms| format!(" after {ms} ms"));
    match &verdict.ending {
        Ending::Completed { result } => {
            tell(&format!("completed{took}"));
            say(&serde_json::to_string_pretty(result).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Ending::Failed { reason, error, stack, .. } => {
            let reason = serde_json::to_value(reason).ok();
            let reason = reason.as_ref().and_then(Value::as_str).unwrap_or_default();
            tell(&format!("failed ({reason}){took}: {error}"));
            if let Some(stack) = stack {
                tell(stack);
            }
            ExitCode::FAILURE
        }
        Ending::Cancelled { error } => {
            tell(&format!("cancelled{took}: {error}"));
            ExitCode::from(INTERRUPTED)
        }
    }
}
