//! App: the server's parts, put together, started and stopped.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
    time::timeout,
};

use crate::{
    api::{self, Api, Readiness, RunnersReady, Token},
    backup::{BackupState, Backups},
    clock::{Clock, SystemClock, random_token},
    config::Config,
    domain::{draft::Defaults, step::Policy, zone::parse_zone},
    events::Events,
    handlers::{catalog::Catalog, files::Files},
    hostcalls::ServerCalls,
    runtime::{Pool, PoolSettings, protocol},
    scheduler::Scheduler,
    store::{Store, sled::SledStore},
};

/// How long open connections have at a stop, once everything else has stopped.
const CONNECTIONS_WITHIN: Duration = Duration::from_secs(2);

/// The pool's part of the configuration.
#[must_use]
pub fn pool_settings(config: &Config) -> PoolSettings {
    PoolSettings {
        min: config.runners.min,
        max: config.runners.max,
        recycle_after: config.runners.recycle_after,
        resident: config.limits.resident,
        runner: protocol::Settings {
            heap: config.limits.heap,
            buffers: config.limits.buffers,
            cpu: config.limits.cpu,
            output_bytes: config.limits.output_bytes,
            output_lines: config.limits.output_lines,
            result: config.limits.result,
            web_assembly: config.engine.web_assembly,
            eval: config.engine.eval,
        },
        system_handlers: config.system_handlers.iter().cloned().collect(),
    }
}

/// Serves until a signal says to stop, then stops in order. `say` is told the lines for people.
///
/// # Errors
/// When the server cannot start, or the store fails.
pub async fn serve(config: &Config, say: impl Fn(&str)) -> anyhow::Result<()> {
    let mut stop = Signals::new().context("listen for signals")?;
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("listen on {}", config.listen))?;
    let address = listener.local_addr().context("ask for the address")?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "listening beyond this machine without encryption: put a TLS proxy in front");
    }
    private_directory(&config.data)
        .with_context(|| format!("make the data directory {}", config.data.display()))?;
    let store = open_store(config)?;
    let (token, token_is) = admin_token(config)?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let events = Events::default();
    let files = Files::new(&config.tasks);
    let host_calls = Arc::new(ServerCalls::new(files.clone(), store.clone(), clock.clone()));
    let pool = Pool::start(pool_settings(config), files.clone(), host_calls, clock.clone()).await?;
    let scheduler =
        Scheduler::new(store.clone(), pool.clone(), clock.clone(), events.clone(), policy(config));
    scheduler.recover().await.context("close what an earlier process left in progress")?;
    let backups = Backups::new(store.clone(), clock.clone(), config.data.join("backups"));
    let parts =
        Arc::new(Parts { pool: pool.clone(), backups: backups.clone(), scheduling: AtomicBool::new(true) });
    let router = api::router(Api {
        scheduler: scheduler.clone(),
        store: store.clone(),
        catalog: Catalog::new(files, pool.clone()),
        clock,
        events,
        token,
        defaults: Defaults {
            timezone: parse_zone(&config.timezone)?,
            keep_executions: u64::from(config.history_keep),
        },
        readiness: parts.clone(),
    });

    let (hang_up, hung_up) = oneshot::channel::<()>();
    let mut serving = tokio::spawn(
        axum::serve(listener, router)
            .with_graceful_shutdown(async {
                // Either way it is over.
                let _ = hung_up.await;
            })
            .into_future(),
    );
    let mut scheduling = tokio::spawn({
        let scheduler = scheduler.clone();
        async move { scheduler.run().await }
    });
    let (stop_backups, stopping) = watch::channel(false);
    let backing_up = tokio::spawn(backups.run(stopping));
    say(&format!("listening on http://{address}"));
    say(&format!("token      {token_is}"));
    say(&format!("handlers   {} (drop a .js file there)", config.tasks.display()));
    say("stop       Ctrl-C");

    let failed = tokio::select! {
        () = stop.next() => None,
        ended = &mut scheduling => Some(match ended {
            Ok(Ok(())) => anyhow::anyhow!("the scheduler stopped by itself"),
            Ok(Err(error)) => anyhow::Error::from(error).context("the scheduler failed"),
            Err(error) => anyhow::Error::from(error).context("the scheduler failed"),
        }),
        ended = &mut serving => Some(match ended {
            Ok(Ok(())) => anyhow::anyhow!("the API stopped by itself"),
            Ok(Err(error)) => anyhow::Error::from(error).context("serve the API"),
            Err(error) => anyhow::Error::from(error).context("serve the API"),
        }),
    };
    parts.scheduling.store(false, Ordering::Relaxed);
    tracing::info!(grace = config.shutdown_grace, "stopping; a second signal stops at once");
    let stopping = async {
        scheduler.stop(Duration::from_millis(config.shutdown_grace)).await;
        let _ = hang_up.send(());
        // A connection that does not end is cut.
        let _ = timeout(CONNECTIONS_WITHIN, serving).await;
        pool.close().await;
        stop_backups.send_replace(true);
        // It ends by itself.
        let _ = backing_up.await;
        store.close().await
    };
    tokio::select! {
        closed = stopping => closed.context("close the store")?,
        () = stop.next() => anyhow::bail!("stopped at once by a second signal"),
    }
    failed.map_or(Ok(()), Err)
}

fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let store = SledStore::open(&config.store.path, config.store.cache, Arc::new(|| SystemClock.now()))?;
    let store: Arc<dyn Store> = Arc::new(store);
    let report = store.report();
    tracing::info!(epoch = report.epoch, tasks = report.tasks, "the store is open");
    Ok(store)
}

fn policy(config: &Config) -> Policy {
    Policy {
        misfire_after: config.misfire_after.cast_signed(),
        catch_up_window: config.catch_up_window.cast_signed(),
        catch_up_max: config.catch_up_max,
    }
}

/// The token, and where it is. The one of the environment goes before the one of the file;
/// when there is neither, a file with a new one is made.
fn admin_token(config: &Config) -> anyhow::Result<(Token, String)> {
    if let Some(secret) = &config.admin_token {
        return Ok((Token::new(secret.expose()), "from ISOCHRON_ADMIN_TOKEN".to_owned()));
    }
    let path = config.data.join("admin-token");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = random_token();
            write_token(&path, &token).with_context(|| format!("write {}", path.display()))?;
            token
        }
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    anyhow::ensure!(
        text.len() >= 16,
        "the token in {} is shorter than 16 characters: delete the file to have a new one made",
        path.display()
    );
    Ok((Token::new(&text), format!("in {}", path.display())))
}

/// Complete or not there, and for its owner only.
fn write_token(path: &Path, token: &str) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let unfinished: PathBuf = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

fn private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

struct Parts {
    pool: Arc<Pool>,
    backups: Arc<Backups>,
    scheduling: AtomicBool,
}

impl Readiness for Parts {
    fn runners(&self) -> RunnersReady {
        let state = self.pool.state();
        RunnersReady { alive: state.alive, idle: state.idle, waiting: state.waiting }
    }

    fn cage(&self) -> String {
        self.pool.sandbox().to_string()
    }

    fn backup(&self) -> BackupState {
        self.backups.state()
    }

    fn scheduler(&self) -> bool {
        self.scheduling.load(Ordering::Relaxed)
    }
}

/// The signals that stop the server.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
