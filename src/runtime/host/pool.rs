//! The pool: runs wait in line, runners take them from it.
//!
//! Every runner has a task of its own that starts the process, takes a run, talks about it,
//! waits until the process is ready again, and so on. A runner that nobody needs ends after a
//! while; a run that finds nobody idle starts another runner if there may be one more.

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    caches::Caches,
    line::Line,
    process::Process,
    snapshot::Snapshot,
    talk::{Context, Limits, Talk, Told, cancelled, talk},
};
use crate::{
    clock::Clock,
    domain::{
        execution::{Ending, Reason, Verdict},
        source::Source,
    },
    handlers::{LoadCheck, Loader, files::Files},
    runtime::{
        Invocation, Later, Runner, SystemCalls,
        protocol::{self, Cage, CageLevel, Mode, Run, Settings},
    },
};

/// A runner beyond the smallest number ends after being idle for this long.
const IDLE: Duration = Duration::from_secs(30);
/// A runner that has this many bytes resident between runs is replaced; a fresh one has 30 MiB.
const GROWN: u64 = 128 * 1024 * 1024;
/// Between attempts to start a runner that does not start.
const RESTART: Duration = Duration::from_secs(1);
/// How long runs in progress have when the pool closes; whoever cares has cancelled them before.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);
/// A load check takes at most this many milliseconds.
const LOAD_TIMEOUT: u64 = 5000;

/// The pool's part of the configuration.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Runners kept.
    pub min: usize,
    /// Runners at most.
    pub max: usize,
    /// Runs after which a runner is replaced.
    pub recycle_after: u64,
    /// Bytes that a runner may have resident.
    pub resident: u64,
    /// What each runner is told.
    pub runner: Settings,
    /// Handlers that may require `isochron:system`.
    pub system_handlers: HashSet<String>,
}

/// The runners.
pub struct Pool {
    shared: Arc<Shared>,
    cage: Cage,
    runners: Mutex<JoinSet<()>>,
}

struct Shared {
    settings: PoolSettings,
    snapshot: Snapshot,
    files: Files,
    caches: Caches,
    system: Arc<dyn SystemCalls>,
    clock: Arc<dyn Clock>,
    /// Runs in the order in which they are due; as long as the scheduler lets it grow.
    line: Line<Job>,
    alive: AtomicUsize,
    idle: AtomicUsize,
    started: AtomicUsize,
    queued: AtomicUsize,
    numbers: AtomicU64,
    closing: watch::Sender<bool>,
}

/// What came of a run, and the files it required.
type Ended = (Verdict, Vec<(String, [u8; 32])>);

struct Job {
    /// Until a runner takes it, or its cancellation.
    talk: Arc<Slot>,
    system: bool,
    reply: oneshot::Sender<Ended>,
}

/// A run that waits. Whoever takes it has it alone.
struct Slot(std::sync::Mutex<Option<Talk>>);

impl Slot {
    fn take(&self) -> Option<Talk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How many runners there are, and how many runs wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PoolState {
    /// Ready or running.
    pub alive: usize,
    /// Ready.
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
        files: Files,
        system: Arc<dyn SystemCalls>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Arc<Self>> {
        let snapshot = Snapshot::build()
            .await
            .map_err(|e| io::Error::new(e.kind(), format!("make the runners' startup snapshot: {e}")))?;
        let shared = Arc::new(Shared {
            settings,
            snapshot,
            files,
            caches: Caches::default(),
            system,
            clock,
            line: Line::default(),
            alive: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            closing: watch::channel(false).0,
        });
        let first = Process::start(&shared.snapshot, &shared.settings.runner)
            .await
            .map_err(|e| io::Error::new(e.kind(), format!("start a runner: {e}")))?;
        let cage =
            first.cage.clone().ok_or_else(|| io::Error::other("the runner said nothing of its cage"))?;
        if cage.level != CageLevel::Full {
            tracing::warn!(%cage, "this system does not cage the runners wholly");
        }
        let pool = Arc::new(Self { shared, cage, runners: Mutex::default() });
        pool.add(Some(first)).await;
        for _ in 1..pool.shared.settings.min {
            pool.add(None).await;
        }
        Ok(pool)
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> PoolState {
        PoolState {
            alive: self.shared.alive.load(Ordering::Relaxed),
            idle: self.shared.idle.load(Ordering::Relaxed),
            waiting: self.shared.queued.load(Ordering::Relaxed),
        }
    }

    /// How well the runners are caged on this system.
    #[must_use]
    pub fn cage(&self) -> &Cage {
        &self.cage
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

    /// Puts a run into the line and waits for its end.
    async fn submit(&self, mode: Mode, source: Source, invocation: Invocation) -> Ended {
        let (talk, system) = self.shared.talk(mode, source, invocation);
        let mut cancel = talk.cancel.clone();
        let slot = Arc::new(Slot(std::sync::Mutex::new(Some(talk))));
        let (reply, mut answer) = oneshot::channel();
        let job = Job { talk: slot.clone(), system, reply };
        self.shared.queued.fetch_add(1, Ordering::Relaxed);
        let taken = self.shared.line.put(job);
        if !taken && self.shared.started.load(Ordering::Relaxed) < self.shared.settings.max {
            self.add(None).await;
        }
        let told = tokio::select! {
            told = &mut answer => told,
            who = cancelled(&mut cancel) => match slot.take() {
                Some(_) => {
                    self.shared.queued.fetch_sub(1, Ordering::Relaxed);
                    let mut verdict = Verdict::failed(Reason::Cancelled, String::new());
                    verdict.ending = Ending::Cancelled { error: who };
                    Ok((verdict, Vec::new()))
                }
                // A runner has it: the conversation hears the cancellation too.
                None => answer.await,
            }
        };
        told.unwrap_or_else(|_| (Verdict::failed(Reason::Crashed, "the server is stopping"), Vec::new()))
    }
}

/// Resolves when the pool closes.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // Its sender lives as long as the pool, so an error means the same.
    let _ = closing.wait_for(|closing| *closing).await;
}

impl Shared {
    /// The life of one place in the pool.
    async fn keep_runner(self: Arc<Self>, mut process: Option<Process>) {
        let mut closing = self.closing.subscribe();
        loop {
            let started = match process.take() {
                Some(process) => Ok(process),
                None => tokio::select! {
                    started = Process::start(&self.snapshot, &self.settings.runner) => {
                        self.alive.fetch_add(usize::from(started.is_ok()), Ordering::Relaxed);
                        started
                    }
                    () = closed(&mut closing) => break,
                },
            };
            match started {
                Ok(mut process) => {
                    let goes_on = self.serve(&mut process, &mut closing).await;
                    self.alive.fetch_sub(1, Ordering::Relaxed);
                    process.kill();
                    process.reap().await;
                    if !goes_on {
                        break;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a runner does not start; trying again");
                    tokio::select! {
                        () = sleep(RESTART) => {}
                        () = closed(&mut closing) => break,
                    }
                }
            }
        }
    }

    /// Runs one after the other until the process is used up; whether another is to take its place.
    async fn serve(&self, process: &mut Process, closing: &mut watch::Receiver<bool>) -> bool {
        loop {
            self.idle.fetch_add(1, Ordering::Relaxed);
            let job = tokio::select! {
                biased;
                () = closed(closing) => None,
                () = process.gone() => {
                    self.idle.fetch_sub(1, Ordering::Relaxed);
                    tracing::warn!(runner = process.id(), words = process.last_words(), "an idle runner died and is replaced");
                    return true;
                }
                job = self.next_job() => Some(job),
                () = self.not_needed() => None,
            };
            self.idle.fetch_sub(1, Ordering::Relaxed);
            let Some((talk_about, job)) = job else { return false };
            self.queued.fetch_sub(1, Ordering::Relaxed);
            let context = self.context(job.system);
            let Told { verdict, modules, alive } = talk(process, &context, talk_about).await;
            // Whoever waited for it may be gone.
            let _ = job.reply.send((verdict, modules));
            process.runs += 1;
            if !alive || process.runs >= self.settings.recycle_after {
                return true;
            }
            if let Err(error) = process.ready().await {
                tracing::warn!(%error, "a runner died after its run and is replaced");
                return true;
            }
            if process.resident().is_some_and(|resident| resident > GROWN) {
                return true;
            }
        }
    }

    /// What is said to the runner, and whether the handler may use `isochron:system`.
    fn talk(&self, mode: Mode, entry: Source, invocation: Invocation) -> (Talk, bool) {
        let system = self.settings.system_handlers.contains(&invocation.handler);
        let Invocation { params, context, not_before, timeout, lines, cancel, .. } = invocation;
        let params = serde_json::Value::Object(params).to_string();
        let run = self.numbers.fetch_add(1, Ordering::Relaxed);
        (
            Talk {
                run: Run { run, mode, entry, params, context, timeout, system },
                not_before,
                lines,
                cancel,
            },
            system,
        )
    }

    /// One run in a process of its own, beside the pool.
    async fn run_apart(&self, mode: Mode, entry: Source, invocation: Invocation) -> io::Result<Ended> {
        let started = Process::start(&self.snapshot, &self.settings.runner).await;
        let mut process = started.map_err(|error| io::Error::other(format!("no runner starts: {error}")))?;
        let (talk_about, system) = self.talk(mode, entry, invocation);
        let Told { verdict, modules, .. } = talk(&mut process, &self.context(system), talk_about).await;
        process.kill();
        process.reap().await;
        Ok((verdict, modules))
    }

    fn context(&self, system: bool) -> Context<'_> {
        let limits = Limits {
            resident: self.settings.resident,
            output_bytes: self.settings.runner.output_bytes,
            output_lines: self.settings.runner.output_lines,
            result: self.settings.runner.result,
        };
        let system = system.then(|| self.system.clone());
        Context { files: &self.files, caches: &self.caches, system, clock: self.clock.as_ref(), limits }
    }

    /// The next run that nobody has cancelled.
    async fn next_job(&self) -> (Talk, Job) {
        loop {
            let job = self.line.take().await;
            if let Some(talk) = job.talk.take() {
                return (talk, job);
            }
        }
    }

    /// Resolves, and counts this runner off, when it has been idle for long and there are more
    /// than the smallest number.
    async fn not_needed(&self) {
        loop {
            sleep(IDLE).await;
            let spare = |started: usize| (started > self.settings.min).then(|| started - 1);
            if self.started.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spare).is_ok() {
                return;
            }
        }
    }
}

impl Runner for Pool {
    fn run(&self, invocation: Invocation) -> Later<'_, Verdict> {
        Box::pin(async move {
            let (files, handler) = (self.shared.files.clone(), invocation.handler.clone());
            match tokio::task::spawn_blocking(move || files.entry(&handler)).await {
                Ok(Ok(source)) => self.submit(Mode::Call, source, invocation).await.0,
                Ok(Err(problem)) => Verdict::failed(Reason::LoadError, problem),
                Err(error) => {
                    Verdict::failed(Reason::LoadError, format!("reading the handler failed: {error}"))
                }
            }
        })
    }

    fn capacity(&self) -> usize {
        self.shared.settings.max
    }
}

impl Pool {
    async fn load_once(&self, name: &str, entry: Source) -> io::Result<Ended> {
        let (lines, _dropped) = mpsc::channel(1);
        let (_nobody, cancel) = watch::channel(None);
        let invocation = Invocation {
            handler: name.to_owned(),
            params: serde_json::Map::new(),
            context: protocol::Context::default(),
            not_before: 0,
            timeout: LOAD_TIMEOUT,
            lines,
            cancel,
        };
        // Whoever asks waits for the answer, which must not take as long as the runs in progress.
        if self.shared.idle.load(Ordering::Relaxed) == 0 {
            self.shared.run_apart(Mode::Load, entry, invocation).await
        } else {
            Ok(self.submit(Mode::Load, entry, invocation).await)
        }
    }
}

impl Loader for Pool {
    fn load<'a>(&'a self, name: &'a str, entry: Source) -> Later<'a, io::Result<LoadCheck>> {
        Box::pin(async move {
            let (mut verdict, mut modules) = self.load_once(name, entry.clone()).await?;
            if let Ending::Failed { reason: Reason::Crashed, .. } = verdict.ending {
                // The runner may have been killed from outside (the OOM killer, an operator), so try
                // once more. If the second one dies too, the handler is the cause.
                (verdict, modules) = self.load_once(name, entry).await?;
            }
            let error = match verdict.ending {
                Ending::Completed { .. } => None,
                Ending::Failed { error, .. } | Ending::Cancelled { error } => Some(error),
            };
            Ok(LoadCheck { error, modules })
        })
    }
}
