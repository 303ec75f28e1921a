//! Conversations with runners that the tests play.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::*;
use crate::{
    clock::SystemClock,
    domain::{binding::mask::Mask, execution::Traffic, source::SourceKind},
    handlers::files::Files,
    runtime::{
        Grants, Later, RunCalls,
        protocol::{Context, FetchCall, FrameBuffer, Loaded, Mode, SystemCall, Way, encode},
    },
};

const RUN: u64 = 7;

/// The runner's end of the socket.
struct Played {
    socket: UnixStream,
    unread: FrameBuffer,
}

impl Played {
    /// Sends a frame; `false` when the server has hung up.
    fn send(&mut self, frame: &FromRunner) -> bool {
        self.socket.write_all(&encode(frame).expect("encodes")).is_ok()
    }

    /// Waits for a frame; `None` when the server has hung up.
    fn receive(&mut self) -> Option<ToRunner> {
        loop {
            if let Some(frame) = self.unread.next_frame().expect("the server's frames") {
                return Some(frame);
            }
            let mut chunk = [0; 4096];
            match self.socket.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.unread.room().extend_from_slice(&chunk[..read]),
            }
        }
    }

    fn call(&mut self, call: u32) -> bool {
        let question = HostCall::System(SystemCall::Get { key: "key".to_owned() });
        self.send(&FromRunner::Call { call, question })
    }

    fn returns(&mut self, result: &str) {
        let end = End::Returned { result: result.to_owned() };
        self.send(&FromRunner::Done(Box::new(Done {
            run: RUN,
            end,
            usage: Usage::default(),
            caches: Vec::new(),
        })));
    }
}

/// Answers at once, or never; counts the calls that it has been asked and those that have ended.
#[derive(Clone, Default)]
struct Counted {
    never: bool,
    asked: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    handlers: Arc<Mutex<Vec<String>>>,
}

/// Counts an end, whether by an answer or by being dropped.
struct Ends(Arc<AtomicUsize>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The calls of one run.
struct CountedRun(Counted, Caller, Mutex<Mask>);

impl HostCalls for Counted {
    fn begin(&self, caller: Caller) -> Arc<dyn RunCalls> {
        Arc::new(CountedRun(self.clone(), caller, Mutex::default()))
    }
}

impl RunCalls for CountedRun {
    fn environment(&self) -> Vec<(String, Result<String, String>)> {
        Vec::new()
    }

    fn mask(&self) -> &Mutex<Mask> {
        &self.2
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn answer(self: Arc<Self>, _call: HostCall) -> Later<'static, Result<Answer, String>> {
        let Self(counted, caller, _) = &*self;
        counted.asked.fetch_add(1, Ordering::SeqCst);
        counted.handlers.lock().expect("whole").push(caller.handler.clone());
        let (ends, never) = (Ends(counted.ended.clone()), counted.never);
        Box::pin(async move {
            let _ends = ends;
            if never {
                std::future::pending::<()>().await;
            }
            Ok(Answer::Json("null".to_owned()))
        })
    }
}

fn empty_source() -> Source {
    let text = String::new();
    Source {
        file: text.clone(),
        kind: SourceKind::Script,
        text,
        hash: [0; 32],
        names: Vec::new(),
        cache: None,
    }
}

fn caller() -> Caller {
    Caller {
        handler: "h".to_owned(),
        attempt: None,
        only_loads: false,
        grants: Grants { system: true },
        files: Files::new("nowhere"),
        live: Arc::default(),
    }
}

/// The verdict on a run whose runner does as `play` says and then is silent.
async fn verdict_on(host_calls: &Arc<Counted>, play: impl FnOnce(&mut Played) + Send + 'static) -> Verdict {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let mut process = Process::played_by(ours).expect("a process");
    let caches = Caches::default();
    let limits = Limits { resident: u64::MAX, output_bytes: 1 << 20, output_lines: 100, result: 1000 };
    let host_calls: Arc<dyn HostCalls> = host_calls.clone();
    let resources =
        Resources { caches: &caches, host_calls: &host_calls, clock: &SystemClock, lease: None, limits };
    let entry = empty_source();
    let run = Run {
        run: RUN,
        mode: Mode::Call,
        entry,
        params: "{}".to_owned(),
        context: Context::default(),
        timeout: 60_000,
        system: true,
        environment: Vec::new(),
    };
    let caller = caller();
    let (lines, _unread) = mpsc::channel(100);
    let (_never_cancelled, cancel) = watch::channel(None);
    let played = thread::spawn(move || {
        let mut played = Played { socket: theirs, unread: FrameBuffer::default() };
        assert!(matches!(played.receive(), Some(ToRunner::Run(_))));
        play(&mut played);
        played
    });
    let request = RunRequest { run, caller, not_before: 0, lines, cancel };
    let report = converse(&mut process, &resources, request).await;
    drop(process);
    played.join().expect("it has played its part");
    report.verdict
}

fn error_of(verdict: &Verdict) -> &str {
    match &verdict.ending {
        Ending::Failed { reason: Reason::Crashed, error, .. } => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_frame_that_has_no_business_in_a_run_ends_it_with_a_short_error() {
    let calls: Arc<Counted> = Arc::default();
    let verdict = verdict_on(&calls, |runner| {
        runner.send(&FromRunner::Ready { engine: "x".repeat(20 << 20), sandbox: None, process: None });
    });
    let verdict = verdict.await;
    let error = error_of(&verdict);
    assert!(error.len() < 200 && error.contains("Ready"), "{} bytes: {error:.300}", error.len());
}

#[tokio::test]
async fn calls_are_answered_in_the_name_of_the_run_that_makes_them() {
    let calls: Arc<Counted> = Arc::default();
    let verdict = verdict_on(&calls, |runner| {
        for call in 1..=100 {
            runner.call(call);
            let answer = runner.receive();
            assert!(matches!(answer, Some(ToRunner::Reply { call: same, answer: Ok(_) }) if same == call));
        }
        runner.returns("1");
    });
    assert_eq!(verdict.await.ending, Ending::Completed { result: 1.into() });
    assert_eq!(*calls.handlers.lock().expect("whole"), vec!["h"; 100]);
}

#[tokio::test]
async fn no_call_outlives_the_run_that_made_it() {
    let calls = Arc::new(Counted { never: true, ..Counted::default() });
    let asked = calls.clone();
    let verdict = verdict_on(&calls, move |runner| {
        (1..=3).for_each(|call| assert!(runner.call(call)));
        while asked.asked.load(Ordering::SeqCst) < 3 {
            thread::yield_now();
        }
        runner.returns("1");
    });
    assert_eq!(verdict.await.ending, Ending::Completed { result: 1.into() });
    assert_eq!(calls.ended.load(Ordering::SeqCst), 3, "calls that go on");
}

#[tokio::test]
async fn a_runner_that_makes_more_calls_at_once_than_it_may_is_ended() {
    let calls = Arc::new(Counted { never: true, ..Counted::default() });
    let verdict = verdict_on(&calls, |runner| while runner.call(1) {}).await;
    assert!(error_of(&verdict).contains("more calls"), "{verdict:?}");
    let asked = calls.asked.load(Ordering::SeqCst);
    assert!(asked <= CALLS_AT_ONCE + 1, "{asked} were worked on");
}

#[tokio::test]
async fn a_runner_that_makes_more_calls_altogether_than_it_may_is_ended() {
    let calls: Arc<Counted> = Arc::default();
    let verdict = verdict_on(&calls, |runner| while runner.call(1) && runner.receive().is_some() {}).await;
    assert!(error_of(&verdict).contains("more calls"), "{verdict:?}");
    assert_eq!(calls.asked.load(Ordering::SeqCst), CALLS_PER_RUN as usize);
}

#[tokio::test]
async fn calls_about_requests_have_a_budget_of_their_own() {
    let read = || FromRunner::Call { call: 1, question: HostCall::Fetch(FetchCall::Read { fetch: 1 }) };
    let never = Arc::new(Counted { never: true, ..Counted::default() });
    let verdict = verdict_on(&never, move |runner| while runner.send(&read()) {}).await;
    assert!(error_of(&verdict).contains("more calls"), "{verdict:?}");
    let asked = never.asked.load(Ordering::SeqCst);
    assert!((33..=FETCH_CALLS_AT_ONCE).contains(&asked), "{asked} were worked on");
    let calls: Arc<Counted> = Arc::default();
    let verdict = verdict_on(&calls, move |runner| {
        for _ in 0..CALLS_PER_RUN + 1 {
            runner.send(&read());
            runner.receive();
        }
        assert!(runner.call(2) && runner.receive().is_some());
        runner.returns("1");
    });
    assert_eq!(verdict.await.ending, Ending::Completed { result: 1.into() });
}

#[tokio::test]
async fn a_run_that_has_been_given_enough_modules_gets_no_more() {
    let calls: Arc<Counted> = Arc::default();
    let (caches, host_calls) = (Caches::default(), calls.clone() as Arc<dyn HostCalls>);
    let limits = Limits { resident: u64::MAX, output_bytes: 0, output_lines: 0, result: 0 };
    let resources =
        Resources { caches: &caches, host_calls: &host_calls, clock: &SystemClock, lease: None, limits };
    let mut conversation = Conversation::new(&resources, Arc::default(), host_calls.begin(caller()));
    let module =
        || HostCall::Module { from: "tasks/h.js".to_owned(), specifier: "./m".to_owned(), way: Way::Require };
    let text = "x".repeat(MODULE_BYTES / 32);
    for call in 0..33 {
        conversation.call(call, module(), None).expect("within the limits of calls");
        let answered = conversation.calls.join_next().await.expect("a call is under way");
        if let Ok(Answered { answer: Err(error), .. }) = &answered {
            assert!(call == 32 && error.contains("256 MiB of modules"), "{call}: {error}");
            continue;
        }
        let source = Source { text: text.clone(), ..empty_source() };
        let answered = Answered {
            call,
            of_fetch: false,
            answer: Ok(Answer::Modules(Loaded { files: vec![source], links: Vec::new() })),
        };
        conversation.reply("engine", Ok(answered)).expect("a reply");
    }
    assert_eq!(calls.asked.load(Ordering::SeqCst), 32);
}

#[tokio::test]
async fn the_error_of_a_runner_that_ends_itself_fits_its_reason() {
    for (reason, words) in [
        (Reason::MemoryLimit, "used up its memory"),
        (Reason::CpuLimit, "CPU time"),
        (Reason::Timeout, "by its timeout"),
    ] {
        let calls: Arc<Counted> = Arc::default();
        let verdict = verdict_on(&calls, move |runner| {
            runner.send(&FromRunner::Dying(reason));
            runner.socket.shutdown(std::net::Shutdown::Both).expect("it was connected");
        });
        match verdict.await.ending {
            Ending::Failed { reason: said, error, .. } => {
                assert_eq!(said, reason);
                assert!(error.contains(words), "{reason:?}: {error}");
            }
            other => panic!("{other:?}"),
        }
    }
}
