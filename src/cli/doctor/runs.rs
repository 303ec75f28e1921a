//! The sandbox, and a test run in it.

use std::{fs, sync::Arc};

use isochron::{
    app,
    clock::{Clock, SystemClock, random_token},
    config::Config,
    domain::execution::{Ending, Trigger},
    handlers::files::Files,
    hostcalls::ServerCalls,
    runtime::{
        Invocation, Pool, Runner,
        protocol::{Context, SandboxLevel},
    },
    store::in_memory,
};
use serde_json::{Map, json};
use tokio::sync::{mpsc, watch};

use super::Line;

/// Runs of the test; the quickest of them is told.
const RUNS: usize = 5;

pub(super) fn look(config: &Config) -> Vec<Line> {
    let folder = std::env::temp_dir().join(format!("isochron-doctor-{}", random_token()));
    let looked = fs::create_dir(&folder)
        .and_then(|()| fs::write(folder.join("doctor.js"), "module.exports = () => 6 * 7;\n"))
        .map_err(anyhow::Error::from)
        .and_then(|()| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run(config, &Files::new(&folder)))
        });
    // It may not be there.
    let _ = fs::remove_dir_all(&folder);
    looked.unwrap_or_else(|error| {
        let mend =
            "look at the limits of processes and memory; the folder for temporary files must be writable";
        vec![Line::bad("test run", format!("no runner starts: {error:#}"), mend)]
    })
}

async fn run(config: &Config, files: &Files) -> anyhow::Result<Vec<Line>> {
    let mut settings = app::pool_settings(config);
    (settings.min, settings.max) = (1, 1);
    let store = in_memory(Arc::new(|| SystemClock.now()));
    let (client, quota) = (app::network_client(config), app::kv_quota(config));
    let host_calls = Arc::new(ServerCalls::without_system(store, client, quota));
    let pool = Pool::start(settings, files.clone(), host_calls, Arc::new(SystemClock)).await?;
    let mut lines = vec![describe_sandbox(&pool)];
    let mut quickest = None;
    for _ in 0..RUNS {
        let verdict = pool.run(invocation()).await;
        match verdict.ending {
            Ending::Completed { result } if result == json!(42) => {
                quickest = quickest.into_iter().chain(verdict.duration).min();
            }
            ending => {
                let found = format!("the handler that answers 42 ended as {ending:?}");
                lines.push(Line::bad(
                    "test run",
                    found,
                    "take a fresh binary: this one does not run handlers",
                ));
                pool.close().await;
                return Ok(lines);
            }
        }
    }
    pool.close().await;
    let took = quickest.map_or_else(String::new, |took| format!(" in {took} ms"));
    lines.push(Line::ok("test run", format!("a handler ran{took}")));
    Ok(lines)
}

fn describe_sandbox(pool: &Pool) -> Line {
    let sandbox = pool.sandbox();
    match sandbox.level {
        SandboxLevel::Full => Line::ok("sandbox", sandbox.to_string()),
        SandboxLevel::Partial | SandboxLevel::ProcessBoundary => Line::better(
            "sandbox",
            sandbox.to_string(),
            "a Linux kernel of 5.13 or newer with Landlock and seccomp holds handlers tighter",
        ),
    }
}

fn invocation() -> Invocation {
    let (lines, _unread) = mpsc::channel(1);
    let (_never_cancelled, cancel) = watch::channel(None);
    let context = Context {
        task_name: "doctor".to_owned(),
        attempt: 1,
        max_attempts: 1,
        trigger: Trigger::Manual,
        ..Context::default()
    };
    Invocation {
        handler: "doctor".to_owned(),
        attempt: None,
        live: Arc::default(),
        params: Map::new(),
        context,
        not_before: 0,
        timeout: 5000,
        lines,
        cancel,
    }
}
