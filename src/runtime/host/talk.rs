//! The conversation about one run, from the frame that starts it to the one that ends it.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use super::{
    caches::Caches,
    process::Process,
    result::{failed, held, kept},
};
use crate::{
    clock::{Clock, Stopwatch},
    domain::{
        Millis,
        execution::{Ending, Line, Reason, Usage, Verdict},
        source::Source,
    },
    handlers::files::{Files, hex},
    runtime::{
        SystemCalls,
        protocol::{Answer, Done, End, FromRunner, Run, ToRunner, Want},
    },
};

/// How long a runner has after its limit to report it itself.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a handler has that listens for its cancellation; the runner counts it too.
const CANCEL_GRACE: Duration = Duration::from_secs(1);
/// Host calls under way at once; the runner keeps to it too.
const CALLS: usize = 32;

/// How often a runner's memory is looked at while it runs.
const LOOK: Duration = Duration::from_millis(100);
/// The farthest that a claim is made durable ahead of its moment, in milliseconds.
const FARTHEST: Millis = 1000;
/// Bytes of the line that says that the output limit was reached, and more.
const MARKER: u64 = 1024;

/// What a conversation needs besides the process.
pub(super) struct Context<'a> {
    pub(super) files: &'a Files,
    pub(super) caches: &'a Caches,
    pub(super) system: Option<Arc<dyn SystemCalls>>,
    pub(super) clock: &'a dyn Clock,
    pub(super) limits: Limits,
}

/// What the server itself holds a runner to, in case it no longer holds itself to anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of memory that the process may have resident.
    pub(super) resident: u64,
    /// Bytes of output of one run.
    pub(super) output_bytes: u64,
    /// Lines of output of one run.
    pub(super) output_lines: u64,
    /// Characters of a result.
    pub(super) result: u64,
}

/// A run, and who follows it.
pub(super) struct Talk {
    pub(super) run: Run,
    pub(super) not_before: Millis,
    pub(super) lines: mpsc::Sender<Line>,
    pub(super) cancel: watch::Receiver<Option<String>>,
}

/// How a conversation ended.
pub(super) struct Told {
    pub(super) verdict: Verdict,
    /// The files that the handler required, as they are shown, with their hashes.
    pub(super) modules: Vec<(String, [u8; 32])>,
    /// Whether the process can take another run.
    pub(super) alive: bool,
}

/// Who ended the run from this side, which decides how a death is read.
enum Pressed {
    No,
    Cancelled(String),
    TimedOut,
    TooLarge(u64),
}

/// Resolves with who cancelled; never when nobody can any more.
pub(super) async fn cancelled(cancel: &mut watch::Receiver<Option<String>>) -> String {
    let who = cancel.wait_for(Option::is_some).await.map(|who| who.clone().unwrap_or_default());
    match who {
        Ok(who) => who,
        Err(_) => std::future::pending().await,
    }
}

/// Waits until a moment that is at most a little ahead. When the clock is set meanwhile the
/// moment may be far away again: it was claimed, so it starts at once.
async fn hold(clock: &dyn Clock, until: Millis) {
    while (1..=FARTHEST).contains(&(until - clock.now())) {
        clock.sleep_until(until).await;
    }
}

/// Sends the run and listens until its end.
pub(super) async fn talk(process: &mut Process, context: &Context<'_>, talk: Talk) -> Told {
    let Talk { mut run, not_before, lines, mut cancel } = talk;
    let entry = run.entry.hash;
    run.entry.cache = context.caches.get(&process.engine, &run.entry.hash);
    let (number, limit) = (run.run, Duration::from_millis(run.timeout));
    hold(context.clock, not_before).await;
    let started = context.clock.now();
    let stopwatch = Stopwatch::start();
    let mut told = Listening {
        modules: Vec::new(),
        usage: None,
        dying: None,
        truncated: false,
        pressed: Pressed::No,
        calls: 0,
        // The runner's own last line says that there is no more.
        lines_left: context.limits.output_lines + 1,
        bytes_left: context.limits.output_bytes + MARKER,
    };
    let end = match process.send(&ToRunner::Run(Box::new(run))).await {
        Ok(()) => {
            let deadline = Instant::now() + limit + PATIENCE;
            told.listen(process, context, number, deadline, &lines, &mut cancel).await
        }
        Err(error) => Err(error),
    };
    let (ending, alive) = match end {
        Ok(Some(done)) => {
            told.usage = Some(done.usage);
            let given: Vec<_> = told.modules.iter().map(|(_, hash)| *hash).chain([entry]).collect();
            context.caches.put(&process.engine, done.caches, &given);
            (told.reported(held(done.end, context.limits.result)), true)
        }
        Ok(None) => (told.died(process).await, false),
        Err(error) => {
            process.kill();
            process.reap().await;
            (failed(Reason::Crashed, format!("the runner could not be understood: {error}")), false)
        }
    };
    let verdict = Verdict {
        ending,
        started: Some(started),
        duration: Some(stopwatch.millis()),
        handler_hash: Some(hex(&entry)),
        output_truncated: told.truncated,
        usage: told.usage,
    };
    Told { verdict, modules: told.modules, alive }
}

struct Listening {
    modules: Vec<(String, [u8; 32])>,
    usage: Option<Usage>,
    dying: Option<Reason>,
    truncated: bool,
    pressed: Pressed,
    calls: usize,
    lines_left: u64,
    bytes_left: u64,
}

impl Listening {
    /// Until `Done` (which is returned) or the process's end.
    async fn listen(
        &mut self,
        process: &mut Process,
        context: &Context<'_>,
        run: u64,
        mut deadline: Instant,
        lines: &mpsc::Sender<Line>,
        cancel: &mut watch::Receiver<Option<String>>,
    ) -> io::Result<Option<Box<Done>>> {
        let (answered, mut answers) = mpsc::channel(CALLS);
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                frame = process.receive() => match frame? {
                    None => return Ok(None),
                    Some(FromRunner::Done(done)) if done.run == run => return Ok(Some(done)),
                    Some(FromRunner::Line { time, level, message }) => {
                        if self.has_room(&message) {
                            // Nobody may be listening any more; the handler need not care.
                            let _ = lines.send(Line { time, level, message }).await;
                        }
                    }
                    Some(FromRunner::OutputCut) => self.truncated = true,
                    Some(FromRunner::Usage(usage)) => self.usage = Some(usage),
                    Some(FromRunner::Dying(reason)) => self.dying = Some(reason),
                    Some(FromRunner::Call { call, want }) => self.serve(context, &process.engine, call, want, &answered),
                    Some(other) => {
                        let error = format!("it sent the frame {}, which has no business in this run", other.name());
                        return Err(io::Error::other(error));
                    }
                },
                Some(reply) = answers.recv() => {
                    self.calls -= 1;
                    process.send(&reply).await?;
                }
                _ = look.tick() => {
                    let resident = process.resident().unwrap_or_default();
                    if resident > context.limits.resident && matches!(self.pressed, Pressed::No) {
                        self.pressed = Pressed::TooLarge(resident);
                        process.kill();
                    }
                }
                who = cancelled(cancel), if matches!(self.pressed, Pressed::No) => {
                    self.pressed = Pressed::Cancelled(who);
                    deadline = deadline.min(Instant::now() + CANCEL_GRACE + PATIENCE);
                    process.send(&ToRunner::Cancel { run }).await?;
                },
                () = sleep_until(deadline) => {
                    if matches!(self.pressed, Pressed::No) {
                        self.pressed = Pressed::TimedOut;
                    }
                    process.kill();
                    deadline = Instant::now() + Duration::from_secs(3600);
                }
            }
        }
    }

    /// Counts a line; one beyond what a runner may send is dropped.
    fn has_room(&mut self, message: &str) -> bool {
        let bytes = message.len() as u64;
        if self.lines_left == 0 || bytes > self.bytes_left {
            self.truncated = true;
            return false;
        }
        self.lines_left -= 1;
        self.bytes_left -= bytes;
        true
    }

    fn serve(
        &mut self,
        context: &Context<'_>,
        engine: &str,
        call: u32,
        want: Want,
        answered: &mpsc::Sender<ToRunner>,
    ) {
        let answered = answered.clone();
        self.calls += 1;
        if self.calls > CALLS {
            let answer = Err(format!("more than {CALLS} calls to the server at once"));
            tokio::spawn(async move { answered.send(ToRunner::Reply { call, answer }).await });
            return;
        }
        match want {
            Want::Module { from, specifier } => {
                let answer = context.files.require(&from, &specifier).map(|source| {
                    self.modules.push((source.file.clone(), source.hash));
                    let cache = context.caches.get(engine, &source.hash);
                    Answer::Module(Source { cache, ..source })
                });
                tokio::spawn(async move { answered.send(ToRunner::Reply { call, answer }).await });
            }
            Want::System { method, argument } => {
                let system = context.system.clone();
                tokio::spawn(async move {
                    let answer = match system {
                        Some(system) => system.call(&method, &argument).await.map(Answer::Json),
                        None => Err("this handler may not use isochron:system".to_owned()),
                    };
                    answered.send(ToRunner::Reply { call, answer }).await
                });
            }
        }
    }

    fn reported(&self, end: End) -> Ending {
        match end {
            End::Loaded => Ending::Completed { result: serde_json::Value::Null },
            End::Returned { result } => {
                kept(&result).map_or_else(|end| end, |result| Ending::Completed { result })
            }
            End::Failed { reason: Reason::Cancelled, error, .. } => {
                let error = match &self.pressed {
                    Pressed::Cancelled(who) => who.clone(),
                    _ => error,
                };
                Ending::Cancelled { error }
            }
            End::Failed { reason, error, stack, result } => {
                let result = result.and_then(|text| kept(&text).ok());
                Ending::Failed { reason, error, stack, result }
            }
        }
    }

    /// What a death means depends on what went before it.
    async fn died(&self, process: &mut Process) -> Ending {
        let status = match timeout(PATIENCE, process.reap()).await {
            Ok(status) => status.map_or_else(|| "an unknown status".to_owned(), |status| status.to_string()),
            Err(_) => {
                process.kill();
                "its socket closed".to_owned()
            }
        };
        match (&self.pressed, self.dying) {
            (Pressed::Cancelled(who), _) => Ending::Cancelled { error: who.clone() },
            (Pressed::TimedOut, _) => failed(
                Reason::Timeout,
                "the handler did not end by its timeout and its runner did not answer, so it was killed",
            ),
            (Pressed::TooLarge(bytes), _) => failed(
                Reason::MemoryLimit,
                format!("the runner had {} MiB of memory resident and was killed", bytes >> 20),
            ),
            (Pressed::No, Some(reason)) => {
                failed(reason, "the run used up its memory and its runner with it")
            }
            (Pressed::No, None) => {
                let words = process.last_words();
                let words = words.lines().rev().find(|line| !line.trim().is_empty());
                let said = words.map_or_else(String::new, |words| format!("; it said: {}", words.trim()));
                failed(Reason::Crashed, format!("the runner died ({status}){said}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::net::UnixStream, thread};

    use super::*;
    use crate::{
        clock::SystemClock,
        runtime::protocol::{self, Mode, encode},
    };

    /// The verdict on a run whose runner sends `frames` and then nothing more.
    async fn verdict_on(frames: Vec<FromRunner>) -> Verdict {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let mut process = Process::played_by(ours).expect("a process");
        let (files, caches) = (Files::new("nowhere"), Caches::default());
        let limits = Limits { resident: u64::MAX, output_bytes: 1 << 20, output_lines: 100, result: 1000 };
        let context = Context { files: &files, caches: &caches, system: None, clock: &SystemClock, limits };
        let text = String::new();
        let entry = Source {
            file: text.clone(),
            kind: protocol::SourceKind::Script,
            text,
            hash: [0; 32],
            cache: None,
        };
        let run = Run {
            run: 7,
            mode: Mode::Call,
            entry,
            params: "{}".to_owned(),
            context: protocol::Context::default(),
            timeout: 60_000,
            system: false,
        };
        let (lines, _nobody_reads) = mpsc::channel(100);
        let (_nobody_cancels, cancel) = watch::channel(None);
        let played = thread::spawn(move || {
            for frame in frames {
                // The server may have hung up.
                let _ = theirs.write_all(&encode(&frame).expect("encodes"));
            }
            theirs
        });
        let told = talk(&mut process, &context, Talk { run, not_before: 0, lines, cancel }).await;
        drop(process);
        played.join().expect("it has written");
        told.verdict
    }

    #[tokio::test]
    async fn a_frame_that_has_no_business_in_a_run_ends_it_with_a_short_error() {
        let engine = "x".repeat(20 << 20);
        let verdict = verdict_on(vec![FromRunner::Ready { engine, cage: None }]).await;
        let Ending::Failed { reason: Reason::Crashed, error, .. } = verdict.ending else {
            panic!("{verdict:?}")
        };
        assert!(error.len() < 200 && error.contains("Ready"), "{} bytes: {error:.300}", error.len());
    }
}
