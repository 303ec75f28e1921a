//! What the supervisor and the main thread both see of the run that is on.
//!
//! A limit is *condemned* once, by whoever notices it first; from then on the
//! supervisor terminates JavaScript every [`AGAIN`] until the main thread says
//! [`Watch::close`], and whatever JavaScript still does has no effect on the end.
//! An isolate serves one run, so a termination can never hit the next one.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::runner::os::{self, ThreadClock};
use deno_core::v8::IsolateHandle;
use isochron::{
    domain::{
        execution::{Reason, Usage},
        lock::lock,
    },
    runtime::protocol::Run,
};
use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::Notify;

/// V8 may miss or undo a termination, so it is repeated this often.
const AGAIN: Duration = Duration::from_millis(10);
/// How long a cancelled handler that looks at its signal may take to finish.
const GRACE: Duration = Duration::from_secs(1);
/// The signal is aborted this long before the timeout, or half way if that is sooner.
const NOTICE: Duration = Duration::from_secs(5);
/// A run that does not end this long after it was stopped takes the process with it:
/// some of V8's built-ins look up only when they are done.
const STUBBORN: Duration = Duration::from_secs(2);
/// How often the server hears what a run has used.
const REPORT: Duration = Duration::from_secs(1);

/// Why a run is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stop {
    /// The task's timeout passed.
    Timeout = 1,
    /// The CPU budget is spent.
    Cpu,
    /// The JS heap is full.
    Heap,
    /// The ArrayBuffers are too large together.
    Buffers,
    /// The server asked for it.
    Cancel,
}

impl Stop {
    fn from_code(code: u8) -> Option<Self> {
        [Self::Timeout, Self::Cpu, Self::Heap, Self::Buffers, Self::Cancel]
            .into_iter()
            .find(|stop| *stop as u8 == code)
    }

    /// What the server records.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Timeout => Reason::Timeout,
            Self::Cpu => Reason::CpuLimit,
            Self::Heap | Self::Buffers => Reason::MemoryLimit,
            Self::Cancel => Reason::Cancelled,
        }
    }
}

/// Why the handler's signal is aborted. The numbers are known to `40_run.js`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Abort {
    /// The timeout is near.
    Timeout = 1,
    /// The run is cancelled.
    Cancel = 2,
}

/// The state shared by the two threads.
#[derive(Debug)]
pub(crate) struct Watch {
    state: Mutex<State>,
    stop: AtomicU8,
    abort: AtomicU8,
    touched: AtomicBool,
    refused: AtomicBool,
    peak_heap: AtomicU64,
    cpu_limit: Duration,
    cpu: ThreadClock,
    bell: OwnedFd,
    /// Wakes the event loop: an abort is due, or the run is stopped.
    pub(crate) wake: Notify,
}

#[derive(Debug)]
enum State {
    /// No isolate stands.
    Building,
    /// An isolate waits for a run.
    Ready(IsolateHandle),
    /// A run is on.
    Running(Armed),
}

#[derive(Debug)]
struct Armed {
    run: u64,
    isolate: IsolateHandle,
    deadline: Duration,
    abort_at: Duration,
    kill_at: Option<Duration>,
    cancelled: bool,
    cpu_start: Duration,
    cpu_check: Duration,
    report_at: Duration,
    stopped_at: Option<Duration>,
}

/// What a look at the clocks came to.
#[derive(Debug, Default)]
pub(crate) struct Tick {
    /// When to look again, if nothing happens before.
    pub(crate) sleep: Option<Duration>,
    /// Time to tell the server what was used.
    pub(crate) report: Option<Usage>,
    /// JavaScript was just terminated; nobody should stay blocked on an answer.
    pub(crate) stopping: bool,
    /// It was terminated long ago and still runs: only the process can be ended.
    pub(crate) stubborn: Option<Reason>,
    /// The run has just run out of time: ask V8 where it is before it is terminated.
    pub(crate) interrupt: Option<IsolateHandle>,
}

impl Watch {
    /// Made on the thread that will run JavaScript, whose CPU clock it keeps.
    pub(crate) fn new(cpu_limit: Duration) -> std::io::Result<Self> {
        Ok(Self {
            state: Mutex::new(State::Building),
            stop: AtomicU8::new(0),
            abort: AtomicU8::new(0),
            touched: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            peak_heap: AtomicU64::new(0),
            cpu_limit,
            cpu: ThreadClock::of_this_thread(),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            wake: Notify::new(),
        })
    }

    // --- the main thread ---

    /// An isolate stands: the server may send a run.
    pub(crate) fn offer(&self, isolate: IsolateHandle) {
        *lock(&self.state) = State::Ready(isolate);
    }

    /// The run is over; nothing terminates it from here on. Returns why it was
    /// stopped, if it was, and what it used.
    pub(crate) fn close(&self) -> (Option<Stop>, Usage) {
        let mut state = lock(&self.state);
        let before = std::mem::replace(&mut *state, State::Building);
        let State::Running(armed) = before else { return (None, Usage::default()) };
        let stop = if armed.cancelled { Some(Stop::Cancel) } else { self.stopped() };
        (stop, self.usage(&armed))
    }

    /// Why the run must stop, if it must. Cheap; ask after every piece of JavaScript.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        Stop::from_code(self.stop.load(Ordering::Acquire))
    }

    /// Whether the signal is to be aborted, and why.
    pub(crate) fn abort(&self) -> Option<Abort> {
        match self.abort.load(Ordering::Acquire) {
            1 => Some(Abort::Timeout),
            2 => Some(Abort::Cancel),
            _ => None,
        }
    }

    /// The handler looked at its signal, so it is worth aborting.
    pub(crate) fn touch(&self) {
        self.touched.store(true, Ordering::Release);
    }

    /// Whether the handler ever looked at its signal.
    pub(crate) fn touched(&self) -> bool {
        self.touched.load(Ordering::Acquire)
    }

    /// A heap size was seen.
    pub(crate) fn saw_heap(&self, bytes: u64) {
        self.peak_heap.fetch_max(bytes, Ordering::Relaxed);
    }

    /// An ArrayBuffer was refused.
    pub(crate) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether one was refused since the last question.
    pub(crate) fn take_refusal(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }

    /// Stops the run, if nothing has stopped it yet. Called from V8's allocators
    /// too: takes no lock.
    pub(crate) fn condemn(&self, stop: Stop) {
        let _ = self.stop.compare_exchange(0, stop as u8, Ordering::AcqRel, Ordering::Acquire);
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }

    // --- the supervisor ---

    /// Readable when somebody was condemned.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Makes [`Self::bell`] silent again.
    pub(crate) fn hush(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
    }

    /// A run has come: the clocks start. `false` when none was asked for.
    pub(crate) fn open(&self, run: &Run) -> bool {
        let mut state = lock(&self.state);
        let State::Ready(isolate) = &*state else { return false };
        let isolate = isolate.clone();
        let (now, cpu) = (os::monotonic(), self.cpu.read());
        let timeout = Duration::from_millis(run.timeout);
        let notice = if timeout > NOTICE { timeout - NOTICE } else { timeout / 2 };
        self.stop.store(0, Ordering::Release);
        self.abort.store(0, Ordering::Release);
        self.touched.store(false, Ordering::Release);
        self.refused.store(false, Ordering::Relaxed);
        self.peak_heap.store(0, Ordering::Relaxed);
        *state = State::Running(Armed {
            run: run.run,
            isolate,
            deadline: now.saturating_add(timeout),
            abort_at: now.saturating_add(notice),
            kill_at: None,
            cancelled: false,
            cpu_start: cpu,
            cpu_check: now.saturating_add(self.cpu_limit),
            report_at: now + REPORT,
            stopped_at: None,
        });
        true
    }

    /// The server wants the run with this id to end.
    pub(crate) fn cancel(&self, run: u64) {
        let mut state = lock(&self.state);
        let State::Running(armed) = &mut *state else { return };
        if armed.run != run || armed.cancelled {
            return;
        }
        armed.cancelled = true;
        self.abort.store(Abort::Cancel as u8, Ordering::Release);
        if self.touched() {
            armed.kill_at = Some(os::monotonic() + GRACE);
        } else {
            self.condemn(Stop::Cancel);
        }
        self.wake.notify_one();
    }

    /// Looks at the clocks and acts on what they say.
    pub(crate) fn tick(&self) -> Tick {
        let mut state = lock(&self.state);
        let State::Running(armed) = &mut *state else { return Tick::default() };
        let now = os::monotonic();
        if self.stopped().is_none() {
            self.judge(armed, now);
        }
        let mut tick = Tick::default();
        if let Some(stop) = self.stopped() {
            let first = armed.stopped_at.is_none();
            let since = *armed.stopped_at.get_or_insert(now);
            // Where was it? Only worth asking when it ran out of time, and only V8 knows.
            if first && matches!(stop, Stop::Timeout | Stop::Cpu) {
                tick.interrupt = Some(armed.isolate.clone());
            } else {
                armed.isolate.terminate_execution();
            }
            let reason = if armed.cancelled { Reason::Cancelled } else { stop.reason() };
            tick.stubborn = (now > since + STUBBORN).then_some(reason);
            self.wake.notify_one();
            tick.stopping = true;
            tick.sleep = Some(AGAIN);
            return tick;
        }
        if now >= armed.report_at {
            armed.report_at = now + REPORT;
            tick.report = Some(self.usage(armed));
        }
        let next = [Some(armed.deadline), armed.kill_at, Some(armed.cpu_check), Some(armed.report_at)]
            .into_iter()
            .chain([self.abort().is_none().then_some(armed.abort_at)])
            .flatten()
            .min();
        tick.sleep = next.map(|at| at.saturating_sub(now));
        tick
    }

    fn judge(&self, armed: &mut Armed, now: Duration) {
        if armed.kill_at.is_some_and(|at| now >= at) {
            return self.condemn(Stop::Cancel);
        }
        if now >= armed.deadline {
            return self.condemn(Stop::Timeout);
        }
        if now >= armed.cpu_check {
            let used = self.cpu.read().saturating_sub(armed.cpu_start);
            let left = self.cpu_limit.saturating_sub(used);
            if left.is_zero() {
                return self.condemn(Stop::Cpu);
            }
            // The budget cannot run out before this, whatever the thread does.
            armed.cpu_check = now.saturating_add(left);
        }
        if now >= armed.abort_at && self.abort().is_none() {
            self.abort.store(Abort::Timeout as u8, Ordering::Release);
            self.wake.notify_one();
        }
    }

    fn usage(&self, armed: &Armed) -> Usage {
        let cpu = self.cpu.read().saturating_sub(armed.cpu_start);
        Usage {
            cpu_ms: u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX),
            peak_heap_bytes: self.peak_heap.load(Ordering::Relaxed),
        }
    }
}
