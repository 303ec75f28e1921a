//! The pool: a queue of runs, and the runners that take them from it.
//!
//! Every runner has a task of its own ([`super::lifecycle`]). A run that finds no runner idle
//! starts another one, up to the largest number.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use data_encoding::HEXLOWER;
use tokio::{
    sync::{Mutex, oneshot, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    Caller, Grants, HostCalls, Invocation, Later, Runner,
    caches::Caches,
    conversation::{Limits, Resources, RunReport, RunRequest, cancelled, converse},
    given::GivenTexts,
    lease::RunsUntil,
    process::{Process, Snapshot, Template},
    protocol::{Mode, Run, Sandbox, SandboxLevel, Settings},
    queue::RunQueue,
};
use crate::{
    clock::Clock,
    domain::{
        execution::{Reason, Verdict},
        lock::lock,
        source::Source,
    },
    handlers::{files::Files, shelf::Shelf},
};

/// The time that runs in progress have to end when the pool closes, after their cancellation.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// The pool's part of the configuration.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// The least number of runners.
    pub min: usize,
    /// The largest number of runners.
    pub max: usize,
    /// Runs after which a runner is replaced.
    pub recycle_after: u64,
    /// Bytes that a runner may have resident.
    pub resident: u64,
    /// Settings of each runner.
    pub runner: Settings,
    /// Whether the texts of handlers that were run are kept.
    pub keep_sources: bool,
    /// Handlers that may require `isochron:system`.
    pub system_handlers: HashSet<String>,
}

/// The runners of a server.
pub struct Pool {
    pub(super) shared: Arc<Shared>,
    sandbox: Sandbox,
    runners: Mutex<JoinSet<()>>,
}

/// The part of a pool that its runners' tasks use.
pub(super) struct Shared {
    pub(super) settings: PoolSettings,
    pub(super) snapshot: Snapshot,
    /// What runners that put memory back get their isolates from.
    pub(super) template: Option<Template>,
    pub(super) shelf: Shelf,
    caches: Caches,
    given: GivenTexts,
    host_calls: Arc<dyn HostCalls>,
    clock: Arc<dyn Clock>,
    /// Its length is bounded by the scheduler.
    pub(super) queue: RunQueue<QueuedRun>,
    /// Runners whose process is ready or runs.
    pub(super) alive: AtomicUsize,
    /// Runners that wait for a run.
    pub(super) idle: AtomicUsize,
    /// Runners whose task has been spawned and goes on.
    pub(super) started: AtomicUsize,
    /// Runs that wait for a runner.
    pub(super) queued: AtomicUsize,
    numbers: AtomicU64,
    /// Runners that died, by the cause.
    deaths: std::sync::Mutex<BTreeMap<&'static str, u64>>,
    pub(super) closing: watch::Sender<bool>,
    /// The end of the time for runs, where many servers share a store.
    lease: OnceLock<Arc<RunsUntil>>,
}

/// A verdict, and the files that the run required.
pub(super) type Ended = (Verdict, Vec<(String, [u8; 32])>);

/// A run in the queue.
pub(super) struct QueuedRun {
    pub(super) request: Arc<Slot>,
    pub(super) reply: oneshot::Sender<Ended>,
}

/// A request that is taken once: by a runner, or by its cancellation.
pub(super) struct Slot(std::sync::Mutex<Option<RunRequest>>);

impl Slot {
    pub(super) fn take(&self) -> Option<RunRequest> {
        lock(&self.0).take()
    }
}

/// The number of runners, and of runs that wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PoolState {
    /// Runners that are ready or run.
    pub alive: usize,
    /// Runners that are ready.
    pub idle: usize,
    /// Runs that wait.
    pub waiting: usize,
}

impl Pool {
    /// Makes the snapshot and starts the smallest number of runners.
    ///
    /// # Errors
    /// When the snapshot cannot be made or a first runner does not start.
    pub async fn start(
        settings: PoolSettings,
        shelf: impl Into<Shelf>,
        host_calls: Arc<dyn HostCalls>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Arc<Self>> {
        let snapshot = Snapshot::build()
            .await
            .map_err(|e| io::Error::new(e.kind(), format!("make the runners' startup snapshot: {e}")))?;
        let shared = Arc::new(Shared {
            template: start_template(&snapshot, &settings.runner),
            settings,
            snapshot,
            shelf: shelf.into(),
            caches: Caches::default(),
            given: GivenTexts::default(),
            host_calls,
            clock,
            queue: RunQueue::default(),
            alive: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            deaths: std::sync::Mutex::default(),
            closing: watch::channel(false).0,
            lease: OnceLock::new(),
        });
        let first = shared
            .start_process()
            .await
            .map_err(|e| io::Error::new(e.kind(), format!("start a runner: {e}")))?;
        let sandbox = first
            .sandbox
            .clone()
            .ok_or_else(|| io::Error::other("the first runner did not describe its sandbox"))?;
        if sandbox.level != SandboxLevel::Full {
            tracing::warn!(%sandbox, "this system has no full sandbox for the runners");
        }
        let pool = Arc::new(Self { shared, sandbox, runners: Mutex::default() });
        pool.add(Some(first)).await;
        for _ in 1..pool.shared.settings.min {
            pool.add(None).await;
        }
        Ok(pool)
    }

    /// Holds all runs to a lease from now on. Call it once, before the first run.
    pub fn hold_to(&self, lease: Arc<RunsUntil>) {
        // A second call changes nothing.
        let _ = self.shared.lease.set(lease);
    }

    /// The number of runners and of waiting runs at the moment.
    #[must_use]
    pub fn state(&self) -> PoolState {
        PoolState {
            alive: self.shared.alive.load(Ordering::Relaxed),
            idle: self.shared.idle.load(Ordering::Relaxed),
            waiting: self.shared.queued.load(Ordering::Relaxed),
        }
    }

    /// The runners that died since the start, by the cause.
    #[must_use]
    pub fn deaths(&self) -> Vec<(&'static str, u64)> {
        lock(&self.shared.deaths).iter().map(|(reason, count)| (*reason, *count)).collect()
    }

    /// The sandbox that runners have on this system.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Ends every runner and waits for that.
    pub async fn close(&self) {
        self.shared.closing.send_replace(true);
        let mut runners = self.runners.lock().await;
        let all_ended = async { while runners.join_next().await.is_some() {} };
        if timeout(CLOSED_WITHIN, all_ended).await.is_err() {
            // Dropping a runner's task kills its process.
            runners.shutdown().await;
        }
    }

    async fn add(&self, process: Option<Process>) {
        let mut runners = self.runners.lock().await;
        while runners.try_join_next().is_some() {}
        if *self.shared.closing.borrow() {
            return;
        }
        self.shared.started.fetch_add(1, Ordering::Relaxed);
        self.shared.alive.fetch_add(usize::from(process.is_some()), Ordering::Relaxed);
        runners.spawn(self.shared.clone().keep_runner(process));
    }

    /// Puts a run into the queue and waits for its end.
    pub(super) async fn submit(&self, mode: Mode, entry: (Source, Files), invocation: Invocation) -> Ended {
        let request = self.shared.request(mode, entry, invocation);
        let mut cancel = request.cancel.clone();
        let slot = Arc::new(Slot(std::sync::Mutex::new(Some(request))));
        let (reply, mut answer) = oneshot::channel();
        self.shared.queued.fetch_add(1, Ordering::Relaxed);
        let taken = self.shared.queue.put(QueuedRun { request: slot.clone(), reply });
        if !taken && self.shared.started.load(Ordering::Relaxed) < self.shared.settings.max {
            self.add(None).await;
        }
        let ended = tokio::select! {
            ended = &mut answer => ended,
            who = cancelled(&mut cancel) => match slot.take() {
                Some(_) => {
                    self.shared.queued.fetch_sub(1, Ordering::Relaxed);
                    Ok((Verdict::cancelled(who), Vec::new()))
                }
                // A runner has it: the conversation hears the cancellation too.
                None => answer.await,
            }
        };
        ended.unwrap_or_else(|_| (Verdict::failed(Reason::Crashed, "the server is stopping"), Vec::new()))
    }
}

impl Shared {
    /// Counts a runner that died.
    pub(super) fn count_death(&self, cause: &'static str) {
        *lock(&self.deaths).entry(cause).or_default() += 1;
    }

    /// Reads the source of a handler, and keeps the text of a new version of it.
    fn read_entry(&self, files: &Files, handler: &str) -> Result<Source, String> {
        let (source, typed) = files.entry_with_types(handler)?;
        if self.settings.keep_sources {
            self.given.add(handler, source.hash, || typed.unwrap_or_else(|| source.text.clone()));
        }
        Ok(source)
    }

    /// A request for a run with the rights of the invocation's handler.
    fn request(&self, mode: Mode, (entry, files): (Source, Files), invocation: Invocation) -> RunRequest {
        let Invocation { handler, attempt, live, params, context, not_before, timeout, lines, cancel } =
            invocation;
        let system = self.settings.system_handlers.contains(&handler);
        let only_loads = mode == Mode::Load;
        let caller = Caller { handler, attempt, only_loads, grants: Grants { system }, files, live };
        let params = serde_json::Value::Object(params).to_string();
        let run = self.numbers.fetch_add(1, Ordering::Relaxed);
        let run = Run { run, mode, entry, params, context, timeout, system, environment: Vec::new() };
        RunRequest { run, caller, not_before, lines, cancel }
    }

    /// Starts a runner.
    pub(super) async fn start_process(&self) -> io::Result<Process> {
        Process::start(&self.snapshot, self.template.as_ref(), &self.settings.runner).await
    }

    /// Has a runner do a run, within the pool's limits.
    pub(super) async fn converse(&self, process: &mut Process, request: RunRequest) -> RunReport {
        let limits = Limits {
            resident: self.settings.resident,
            output_bytes: self.settings.runner.output_bytes,
            output_lines: self.settings.runner.output_lines,
            result: self.settings.runner.result,
        };
        let resources = Resources {
            caches: &self.caches,
            host_calls: &self.host_calls,
            clock: self.clock.as_ref(),
            lease: self.lease.get(),
            limits,
        };
        converse(process, &resources, request).await
    }

    /// Does one run in a process of its own, beside the pool.
    pub(super) async fn run_apart(
        &self,
        mode: Mode,
        entry: (Source, Files),
        invocation: Invocation,
    ) -> io::Result<Ended> {
        let mut started = self.start_process().await;
        if let Err(error) = &started {
            // Something outside may have killed it: the OOM killer, an operator.
            tracing::warn!(%error, "a runner does not start; trying once more");
            started = self.start_process().await;
        }
        let mut process = started.map_err(|error| io::Error::other(format!("no runner starts: {error}")))?;
        let request = self.request(mode, entry, invocation);
        let RunReport { verdict, modules, .. } = self.converse(&mut process, request).await;
        process.kill();
        process.reap().await;
        Ok((verdict, modules))
    }
}

impl Runner for Pool {
    fn run(&self, invocation: Invocation) -> Later<'_, Verdict> {
        Box::pin(async move {
            self.shared.host_calls.prepare().await;
            let (shared, handler) = (self.shared.clone(), invocation.handler.clone());
            let files = match shared.shelf.files().await {
                Ok(files) => files,
                Err(problem) => return Verdict::failed(Reason::LoadError, problem),
            };
            let read = move || (shared.read_entry(&files, &handler), files);
            match tokio::task::spawn_blocking(read).await {
                Ok((Ok(source), files)) => self.submit(Mode::Call, (source, files), invocation).await.0,
                Ok((Err(problem), _)) => Verdict::failed(Reason::LoadError, problem),
                Err(error) => {
                    Verdict::failed(Reason::LoadError, format!("reading the handler failed: {error}"))
                }
            }
        })
    }

    fn source<'a>(&'a self, handler: &'a str, hash: &'a str) -> Later<'a, Option<String>> {
        Box::pin(async move {
            if !self.shared.settings.keep_sources {
                return None;
            }
            let bytes = HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()?;
            if let Some(text) = self.shared.given.take(&bytes) {
                return Some(text);
            }
            let (files, handler) = (self.shared.shelf.seen(), handler.to_owned());
            let read = tokio::task::spawn_blocking(move || files.text(&handler)).await;
            let (found, text) = read.ok()??;
            (found == hash).then_some(text)
        })
    }

    fn capacity(&self) -> usize {
        self.shared.settings.max
    }
}

/// Starts the template, if runners are to put memory back and this system may.
fn start_template(snapshot: &Snapshot, settings: &Settings) -> Option<Template> {
    #[cfg(target_os = "linux")]
    if settings.rewind {
        let started = Template::start(snapshot, settings);
        return started.inspect_err(|error| tracing::warn!(%error, "no template for the runners")).ok();
    }
    None
}
