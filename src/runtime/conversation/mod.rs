//! The conversation about one run, from the frame that starts it to the one that ends it.
//!
//! Misuse to avoid: believing a runner. A frame is a claim of code that a handler may have taken
//! over, so everything in it is bounded here; at worst a runner spoils its own run.

mod begin;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use self::begin::{begin, hold};
use super::{
    Caller, HostCalls, RunCalls,
    caches::Caches,
    lease::{Guard, Held, RunsUntil, renewed, while_held},
    live::Live,
    process::Process,
    protocol::{
        Answer, CALLS_AT_ONCE, CALLS_PER_RUN, Done, End, FETCH_CALLS_AT_ONCE, FETCH_CALLS_PER_RUN,
        FromRunner, HostCall, Run, ToRunner,
    },
    result::{enforce_limits, failed, hide_in_end, hide_in_line, parse_result},
};
use crate::{
    clock::{Clock, Stopwatch},
    domain::{
        Millis,
        execution::{Ending, Line, Reason, Usage, Verdict},
        lock::lock,
        source::Source,
    },
};

/// The time that a runner has after a run's timeout to report the end itself.
const PATIENCE: Duration = Duration::from_secs(2);
/// The time that a handler has to react to its cancellation; the runner counts it too.
const CANCEL_GRACE: Duration = Duration::from_secs(1);
/// Bytes of modules that a run may be given; each is at most 8 MiB.
const MODULE_BYTES: usize = 256 * 1024 * 1024;

/// Bytes of code caches in one answer, which shares a frame with the files.
const CACHE_BYTES: usize = 12 * 1024 * 1024;

/// Between two looks at a runner's resident memory.
const LOOK: Duration = Duration::from_millis(100);
/// The most that a claim is made durable ahead of its time, in milliseconds.
const FARTHEST: Millis = 1000;
/// Bytes of the line that says that the output limit was reached, at most.
const MARKER: u64 = 1024;

/// The parts of the server that a conversation uses.
pub(super) struct Resources<'a> {
    pub(super) caches: &'a Caches,
    pub(super) host_calls: &'a Arc<dyn HostCalls>,
    pub(super) clock: &'a dyn Clock,
    pub(super) lease: Option<&'a Arc<RunsUntil>>,
    pub(super) limits: Limits,
}

/// Limits that the server holds a runner to, in case it no longer keeps them itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of memory that the process may have resident.
    pub(super) resident: u64,
    /// Bytes of output of one run.
    pub(super) output_bytes: u64,
    /// Lines of output of one run.
    pub(super) output_lines: u64,
    /// Characters of a result's JSON text.
    pub(super) result: u64,
}

/// A run that a runner is asked for.
pub(super) struct RunRequest {
    pub(super) run: Run,
    pub(super) caller: Caller,
    /// The earliest start, epoch milliseconds.
    pub(super) not_before: Millis,
    pub(super) lines: mpsc::Sender<Line>,
    pub(super) cancel: watch::Receiver<Option<String>>,
}

/// The outcome of a conversation.
pub(super) struct RunReport {
    pub(super) verdict: Verdict,
    /// The files that the run required: as they are shown, with their hashes.
    pub(super) modules: Vec<(String, [u8; 32])>,
    /// Whether the process can be used again.
    pub(super) alive: bool,
}

/// Why the server ends a run.
enum KillReason {
    Cancelled(String),
    TimedOut,
    /// Bytes of resident memory.
    TooLarge(u64),
}

/// Resolves with the name of the one who cancels; never once all senders are gone.
pub(super) async fn cancelled(cancel: &mut watch::Receiver<Option<String>>) -> String {
    let who = cancel.wait_for(Option::is_some).await.map(|who| who.clone().unwrap_or_default());
    match who {
        Ok(who) => who,
        Err(_) => std::future::pending().await,
    }
}

/// Waits until a time that is at most [`FARTHEST`] ahead. When the clock is set meanwhile, the
/// time may be far away again: the run is claimed, so it starts at once.
async fn wait_for_start(clock: &dyn Clock, not_before: Millis) {
    while (1..=FARTHEST).contains(&(not_before - clock.now())) {
        clock.sleep_until(not_before).await;
    }
}

/// Has a runner do a run, and listens until its end.
pub(super) async fn converse(
    process: &mut Process,
    resources: &Resources<'_>,
    request: RunRequest,
) -> RunReport {
    let RunRequest { mut run, caller, not_before, lines, mut cancel } = request;
    let entry_key = run.entry.cache_key();
    run.entry.cache = resources.caches.get(&process.engine, &entry_key);
    let (number, limit) = (run.run, Duration::from_millis(run.timeout));
    wait_for_start(resources.clock, not_before).await;
    let mut lease = match hold(resources.lease, &caller, process) {
        Ok(lease) => lease,
        Err(over) => return RunReport { verdict: over.verdict(), modules: Vec::new(), alive: true },
    };
    let started = resources.clock.now();
    let stopwatch = Stopwatch::start();
    let live = caller.live.clone();
    live.add_file(run.entry.file.clone(), run.entry.hash);
    let mut conversation = Conversation::new(resources, live, resources.host_calls.begin(caller));
    conversation.given.push(entry_key);
    run.environment = conversation.answers.environment();
    let end = match begin(process, run, lease.as_mut()).await {
        Ok(()) => {
            let deadline = Instant::now() + limit + PATIENCE;
            conversation.listen(process, (number, deadline), &lines, &mut cancel, &mut lease).await
        }
        Err(error) => Err(error),
    };
    conversation.calls.shutdown().await;
    let traffic = conversation.answers.traffic();
    let (ending, alive) = match end {
        Ok(Some(done)) => {
            conversation.usage = Some(done.usage);
            resources.caches.put(&process.engine, done.caches, &conversation.given);
            let end = hide_in_end(&lock(conversation.answers.mask()), done.end);
            (conversation.judge(enforce_limits(end, resources.limits.result)), true)
        }
        Ok(None) => (conversation.explain_death(process).await, false),
        Err(error) => {
            process.kill();
            process.reap().await;
            (failed(Reason::Crashed, format!("the runner could not be understood: {error}")), false)
        }
    };
    let hashes = conversation.live.hashes();
    let verdict = Verdict {
        started: Some(started),
        duration: Some(stopwatch.millis()),
        handler_hash: hashes.as_ref().map(|hashes| hashes.handler.clone()),
        files_hash: hashes.map(|hashes| hashes.files),
        output_truncated: conversation.truncated,
        usage: conversation
            .usage
            .or((traffic.requests > 0).then(Usage::default))
            .map(|usage| usage.with_traffic(traffic)),
        ..Verdict::of(ending)
    };
    RunReport { verdict, modules: conversation.live.modules(), alive }
}

/// A host call that has been answered.
struct Answered {
    call: u32,
    /// Whether it was about a request.
    of_fetch: bool,
    answer: Result<Answer, String>,
}

struct Conversation<'a> {
    resources: &'a Resources<'a>,
    /// The keys of the code caches that it may make.
    given: Vec<[u8; 32]>,
    usage: Option<Usage>,
    /// The limit that the runner says it may die of.
    dying: Option<Reason>,
    truncated: bool,
    kill: Option<KillReason>,
    /// Its files and its progress.
    live: Arc<Live>,
    /// Answers the run's host calls.
    answers: Arc<dyn RunCalls>,
    /// The host calls under way. They end with the conversation.
    calls: JoinSet<Answered>,
    /// Host calls made so far, but for those about requests.
    calls_made: u32,
    /// The calls about requests among `calls`.
    fetch_calls: usize,
    /// Calls about requests made so far.
    fetch_calls_made: u32,
    /// Bytes of modules given so far.
    module_bytes: usize,
    lines_left: u64,
    bytes_left: u64,
}

impl<'a> Conversation<'a> {
    fn new(resources: &'a Resources<'a>, live: Arc<Live>, answers: Arc<dyn RunCalls>) -> Self {
        Self {
            resources,
            given: Vec::new(),
            usage: None,
            dying: None,
            truncated: false,
            kill: None,
            live,
            answers,
            calls: JoinSet::new(),
            calls_made: 0,
            fetch_calls: 0,
            fetch_calls_made: 0,
            module_bytes: 0,
            // The runner's own last line says that there is no more.
            lines_left: resources.limits.output_lines + 1,
            bytes_left: resources.limits.output_bytes + MARKER,
        }
    }

    /// Listens until `Done` (which is returned) or the process's end.
    async fn listen(
        &mut self,
        process: &mut Process,
        (run, mut deadline): (u64, Instant),
        lines: &mpsc::Sender<Line>,
        cancel: &mut watch::Receiver<Option<String>>,
        lease: &mut Option<Held>,
    ) -> io::Result<Option<Box<Done>>> {
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                frame = process.receive() => match frame? {
                    None => return Ok(None),
                    Some(FromRunner::Done(done)) if done.run == run => return Ok(Some(done)),
                    Some(FromRunner::Line { time, level, message }) => {
                        if let Some(message) = self.take_line(message) {
                            // The receiver may be gone; the handler need not care.
                            let _ = lines.send(Line { time, level, message }).await;
                        }
                    }
                    Some(FromRunner::Progress(mut progress)) => {
                        progress.text = progress.text.map(|text| lock(self.answers.mask()).apply(text));
                        self.live.set_progress(progress);
                    }
                    Some(FromRunner::Call { call, question }) => {
                        self.call(call, question, lease.as_ref().map(Held::guard))?;
                    }
                    Some(frame) => self.note(&frame)?,
                },
                Some(answered) = self.calls.join_next() => {
                    let reply = self.reply(&process.engine, answered)?;
                    process.send(&reply).await?;
                }
                Some(frame) = renewed(lease) => process.send(&frame).await?,
                _ = look.tick() => {
                    let resident = process.resident().unwrap_or_default();
                    if resident > self.resources.limits.resident && self.kill.is_none() {
                        self.kill = Some(KillReason::TooLarge(resident));
                        process.kill();
                    }
                }
                who = cancelled(cancel), if self.kill.is_none() => {
                    self.kill = Some(KillReason::Cancelled(who));
                    deadline = deadline.min(Instant::now() + CANCEL_GRACE + PATIENCE);
                    process.send(&ToRunner::Cancel { run }).await?;
                },
                () = sleep_until(deadline) => {
                    self.kill.get_or_insert(KillReason::TimedOut);
                    process.kill();
                    deadline = Instant::now() + Duration::from_secs(3600);
                }
            }
        }
    }

    /// Keeps the content of a frame that asks for nothing.
    fn note(&mut self, frame: &FromRunner) -> io::Result<()> {
        match frame {
            FromRunner::OutputCut => self.truncated = true,
            FromRunner::Usage(usage) => self.usage = Some(*usage),
            FromRunner::Dying(reason) => self.dying = Some(*reason),
            other => {
                let error = format!("it sent the frame {}, which has no business in this run", other.name());
                return Err(io::Error::other(error));
            }
        }
        Ok(())
    }

    /// The text of a line without secrets; `None` for a line beyond the limits, which is dropped.
    fn take_line(&mut self, message: String) -> Option<String> {
        // The runner cuts a line that reaches the limit.
        let cut = self.bytes_left.saturating_sub(message.len() as u64) <= MARKER;
        let message = hide_in_line(&lock(self.answers.mask()), message, cut);
        let bytes = message.len() as u64;
        if self.lines_left == 0 || bytes > self.bytes_left {
            self.truncated = true;
            return None;
        }
        self.lines_left -= 1;
        self.bytes_left -= bytes;
        Some(message)
    }

    /// Starts a host call. A runner keeps to the limits of calls by itself, so one that does not
    /// has been broken into, and its run ends.
    fn call(&mut self, call: u32, question: HostCall, guard: Option<Guard>) -> io::Result<()> {
        if guard.as_ref().is_some_and(Guard::is_over) {
            // The runner is about to be killed.
            return Ok(());
        }
        self.count_call(&question)?;
        if matches!(question, HostCall::Module { .. }) && self.module_bytes >= MODULE_BYTES {
            let error = format!("more than {} MiB of modules in one run", MODULE_BYTES >> 20);
            self.calls.spawn(async move { Answered { call, of_fetch: false, answer: Err(error) } });
            return Ok(());
        }
        let of_fetch = matches!(question, HostCall::Fetch(_));
        let answer = self.answers.clone().answer(question);
        let answer = while_held(guard, answer);
        self.calls.spawn(async move { Answered { call, of_fetch, answer: answer.await } });
        Ok(())
    }

    /// Counts a host call, and refuses one beyond the limits.
    fn count_call(&mut self, question: &HostCall) -> io::Result<()> {
        let (made, most) = if let HostCall::Fetch(_) = question {
            let in_time = self.fetch_calls < FETCH_CALLS_AT_ONCE;
            self.fetch_calls += 1;
            (&mut self.fetch_calls_made, if in_time { FETCH_CALLS_PER_RUN } else { 0 })
        } else {
            // A `require` stands still and comes on top.
            let in_time = self.calls.len() - self.fetch_calls <= CALLS_AT_ONCE;
            (&mut self.calls_made, if in_time { CALLS_PER_RUN } else { 0 })
        };
        if *made >= most {
            return Err(io::Error::other("it made more calls to the server than a run may"));
        }
        *made += 1;
        Ok(())
    }

    /// The reply to a host call that has been answered.
    fn reply(&mut self, engine: &str, answered: Result<Answered, JoinError>) -> io::Result<ToRunner> {
        let Answered { call, of_fetch, answer } =
            answered.map_err(|error| io::Error::other(format!("its call broke off: {error}")))?;
        self.fetch_calls -= usize::from(of_fetch);
        let answer = answer.map(|answer| match answer {
            Answer::Modules(mut loaded) => {
                let mut room = CACHE_BYTES;
                for source in &mut loaded.files {
                    self.note_module(source);
                    let cache = self.resources.caches.get(engine, &source.cache_key());
                    source.cache = cache.filter(|cache| cache.len() <= room);
                    room -= source.cache.as_ref().map_or(0, Vec::len);
                }
                Answer::Modules(loaded)
            }
            other => other,
        });
        Ok(ToRunner::Reply { call, answer })
    }

    fn note_module(&mut self, source: &Source) {
        self.module_bytes += source.text.len();
        self.given.push(source.cache_key());
        self.live.add_file(source.file.clone(), source.hash);
    }

    /// The ending of a run whose runner reports its end.
    fn judge(&self, end: End) -> Ending {
        match end {
            End::Loaded => Ending::Completed { result: serde_json::Value::Null },
            End::Returned { result } => {
                parse_result(&result).map_or_else(|end| end, |result| Ending::Completed { result })
            }
            End::Failed { reason: Reason::Cancelled, error, .. } => {
                let error = match &self.kill {
                    Some(KillReason::Cancelled(who)) => who.clone(),
                    _ => error,
                };
                Ending::Cancelled { error }
            }
            End::Failed { reason, error, stack, result } => {
                let result = result.and_then(|text| parse_result(&text).ok());
                Ending::Failed { reason, error, stack, result }
            }
        }
    }

    /// The ending of a run whose runner has died. The meaning of a death depends on what went
    /// before it.
    async fn explain_death(&self, process: &mut Process) -> Ending {
        let status = match timeout(PATIENCE, process.reap()).await {
            Ok(status) => status.map_or_else(|| "an unknown status".to_owned(), |status| status.to_string()),
            Err(_) => {
                process.kill();
                "its socket closed".to_owned()
            }
        };
        match (&self.kill, self.dying) {
            (Some(KillReason::Cancelled(who)), _) => Ending::Cancelled { error: who.clone() },
            (Some(KillReason::TimedOut), _) | (None, Some(Reason::Timeout)) => failed(
                Reason::Timeout,
                "the handler did not end by its timeout and its runner did not answer, so it was killed",
            ),
            (None, Some(Reason::CpuLimit)) => failed(
                Reason::CpuLimit,
                "the handler did not end at its limit of CPU time, so its runner was killed",
            ),
            (Some(KillReason::TooLarge(bytes)), _) => failed(
                Reason::MemoryLimit,
                format!("the runner had {} MiB of memory resident and was killed", bytes >> 20),
            ),
            (None, Some(reason)) => failed(reason, "the run used up its memory and its runner with it"),
            (None, None) => {
                let words = process.last_words();
                let words = words.lines().rev().find(|line| !line.trim().is_empty());
                let said = words.map_or_else(String::new, |words| format!("; it said: {}", words.trim()));
                let said = lock(self.answers.mask()).apply(said);
                failed(Reason::Crashed, format!("the runner died ({status}){said}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
