//! The watch: clocks, limits and stop of the current run, for the supervisor and the main thread.
//!
//! The thread that first notices an exceeded limit calls [`Watch::stop`]. From then on the
//! supervisor terminates JavaScript every [`AGAIN`] until the main thread calls
//! [`Watch::end_run`], and nothing that JavaScript still does changes the run's end. An isolate
//! serves one run, so a termination never hits the next one.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Mutex,
    time::Duration,
};

use crate::runner::{
    os::{self, CpuClock},
    watchdog::{
        flags::{Abort, Flags, Stop},
        target::Target,
    },
};
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
/// Time that a cancelled handler has to finish, if it uses its signal.
const GRACE: Duration = Duration::from_secs(1);
/// The signal is aborted this long before the timeout, or half way if that is sooner.
const NOTICE: Duration = Duration::from_secs(5);
/// The process ends if a stopped run goes on for longer: some of V8's built-ins check for a
/// termination only when they are done.
const OVERDUE: Duration = Duration::from_secs(2);
/// Interval of the reports of usage to the server.
const REPORT: Duration = Duration::from_secs(1);

/// The state shared by the two threads.
#[derive(Debug)]
pub(crate) struct Watch {
    state: Mutex<State>,
    flags: &'static Flags,
    cpu_limit: Duration,
    cpu: CpuClock,
    /// Wakes the supervisor (eventfd(2)).
    wake_up: OwnedFd,
    /// Wakes the event loop when an abort is due or the run is stopped.
    pub(crate) wake: Notify,
}

#[derive(Debug)]
enum State {
    /// No isolate is ready.
    Building,
    /// An isolate waits for a run.
    Ready(Target),
    /// A run is in progress.
    Running(ActiveRun),
}

#[derive(Debug)]
struct ActiveRun {
    id: u64,
    target: Target,
    deadline: Duration,
    abort_at: Duration,
    kill_at: Option<Duration>,
    cpu_start: Duration,
    cpu_check: Duration,
    report_at: Duration,
    stopped_at: Option<Duration>,
}

/// The supervisor's next steps.
#[derive(Debug, Default)]
pub(crate) struct Tick {
    /// Time until the next tick; none if only a frame or a stop needs one.
    pub(crate) sleep: Option<Duration>,
    /// Usage to report to the server now.
    pub(crate) report: Option<Usage>,
    /// The run is stopped, so the main thread must not stay blocked on an answer.
    pub(crate) stopping: bool,
    /// The stopped run goes on after [`OVERDUE`]: end the process with this reason.
    pub(crate) overdue: Option<Reason>,
}

/// Makes an event that ends a supervisor's wait.
///
/// # Errors
/// When the system gives no event descriptor.
pub(crate) fn wake_up() -> std::io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

impl Watch {
    /// Call it on the thread that will run JavaScript: the watch reads that thread's CPU clock.
    pub(crate) fn new(cpu_limit: Duration) -> std::io::Result<Self> {
        Ok(Self::over(Box::leak(Box::default()), CpuClock::of_this_thread(), wake_up()?, cpu_limit))
    }

    /// A watch over given flags; `cpu` is the clock of the thread that runs JavaScript, and `wake_up` an eventfd(2).
    pub(crate) fn over(flags: &'static Flags, cpu: CpuClock, wake_up: OwnedFd, cpu_limit: Duration) -> Self {
        Self { state: Mutex::new(State::Building), flags, cpu_limit, cpu, wake_up, wake: Notify::new() }
    }

    // --- the main thread ---

    /// Notes that an isolate is ready: the server may send a run.
    pub(crate) fn set_ready(&self, target: Target) {
        *lock(&self.state) = State::Ready(target);
    }

    /// Ends the run: no termination comes after this. Returns why the run was stopped, if it was,
    /// and its usage.
    pub(crate) fn end_run(&self) -> (Option<Stop>, Usage) {
        let mut state = lock(&self.state);
        let before = std::mem::replace(&mut *state, State::Building);
        let State::Running(run) = before else { return (None, Usage::default()) };
        let stop = if self.flags.is_cancelled() { Some(Stop::Cancel) } else { self.stop_reason() };
        (stop, self.usage(&run))
    }

    /// Why the run is stopped, if it is. One atomic load; call it after each call into JavaScript.
    pub(crate) fn stop_reason(&self) -> Option<Stop> {
        self.flags.stop_reason()
    }

    /// Why the signal is to be aborted, if it is.
    pub(crate) fn abort_reason(&self) -> Option<Abort> {
        self.flags.abort_reason()
    }

    /// Notes that the handler uses its signal.
    pub(crate) fn note_signal_use(&self) {
        self.flags.note_signal_use();
    }

    /// Whether the handler has used its signal: otherwise no one need abort it.
    pub(crate) fn is_signal_used(&self) -> bool {
        self.flags.is_signal_used()
    }

    /// Notes a size of the heap in bytes; the peak is kept.
    pub(crate) fn note_heap(&self, bytes: u64) {
        self.flags.note_heap(bytes);
    }

    /// Notes that an ArrayBuffer was refused.
    pub(crate) fn note_refusal(&self) {
        self.flags.note_refusal();
    }

    /// Whether an ArrayBuffer was refused since the last call.
    pub(crate) fn take_refusal(&self) -> bool {
        self.flags.take_refusal()
    }

    /// Stops the run; the first reason counts. Takes no lock, because V8's allocators call it too.
    pub(crate) fn stop(&self, stop: Stop) {
        self.flags.stop(stop);
        let _ = rustix::io::write(&self.wake_up, &1u64.to_ne_bytes());
    }

    // --- the supervisor ---

    /// Readable once the run is stopped.
    pub(crate) fn wake_up(&self) -> BorrowedFd<'_> {
        self.wake_up.as_fd()
    }

    /// Makes [`Self::wake_up`] unreadable again.
    pub(crate) fn clear_wake_up(&self) {
        let _ = rustix::io::read(&self.wake_up, &mut [0; 8]);
    }

    /// Whether a run is in progress.
    pub(crate) fn is_running(&self) -> bool {
        matches!(*lock(&self.state), State::Running(_))
    }

    /// Whether the process that does the run has begun with it.
    pub(crate) fn has_begun(&self) -> bool {
        self.flags.has_begun()
    }

    /// Starts the clocks of a run. `false` when no isolate is ready for it.
    pub(crate) fn start_run(&self, run: &Run) -> bool {
        self.flags.reset();
        self.adopt_run(run)
    }

    /// As [`Self::start_run`], for flags that another process has reset.
    pub(crate) fn adopt_run(&self, run: &Run) -> bool {
        let mut state = lock(&self.state);
        let State::Ready(target) = &*state else { return false };
        let target = target.clone();
        let (now, cpu) = (os::monotonic(), self.cpu.read());
        let timeout = Duration::from_millis(run.timeout);
        let notice = if timeout > NOTICE { timeout - NOTICE } else { timeout / 2 };
        *state = State::Running(ActiveRun {
            id: run.run,
            target,
            deadline: now.saturating_add(timeout),
            abort_at: now.saturating_add(notice),
            kill_at: None,
            cpu_start: cpu,
            cpu_check: now.saturating_add(self.cpu_limit),
            report_at: now + REPORT,
            stopped_at: None,
        });
        true
    }

    /// Cancels the run with this id, if it is the current one.
    pub(crate) fn cancel(&self, id: u64) {
        let mut state = lock(&self.state);
        let State::Running(run) = &mut *state else { return };
        if run.id != id || self.flags.is_cancelled() {
            return;
        }
        self.flags.cancel();
        if self.is_signal_used() {
            run.kill_at = Some(os::monotonic() + GRACE);
        } else {
            self.stop(Stop::Cancel);
        }
        self.wake(run);
    }

    /// Reads the clocks, stops or aborts the run when it is time, and says what the supervisor does next.
    pub(crate) fn tick(&self) -> Tick {
        let mut state = lock(&self.state);
        let State::Running(run) = &mut *state else { return Tick::default() };
        let now = os::monotonic();
        if self.stop_reason().is_none() {
            self.check_limits(run, now);
        }
        let mut tick = Tick::default();
        if let Some(stop) = self.stop_reason() {
            let first = run.stopped_at.is_none();
            let since = *run.stopped_at.get_or_insert(now);
            // The frames are recorded first, and only if the time is up: they show where it went.
            if first && matches!(stop, Stop::Timeout | Stop::Cpu) {
                run.target.interrupt();
            } else {
                run.target.terminate();
            }
            let reason = if self.flags.is_cancelled() { Reason::Cancelled } else { stop.reason() };
            tick.overdue = (now > since + OVERDUE).then_some(reason);
            self.wake(run);
            tick.stopping = true;
            tick.sleep = Some(AGAIN);
            return tick;
        }
        if now >= run.report_at {
            run.report_at = now + REPORT;
            tick.report = Some(self.usage(run));
        }
        let next = [Some(run.deadline), run.kill_at, Some(run.cpu_check), Some(run.report_at)]
            .into_iter()
            .chain([self.abort_reason().is_none().then_some(run.abort_at)])
            .flatten()
            .min();
        tick.sleep = next.map(|at| at.saturating_sub(now));
        tick
    }

    fn check_limits(&self, run: &mut ActiveRun, now: Duration) {
        if run.kill_at.is_some_and(|at| now >= at) {
            return self.stop(Stop::Cancel);
        }
        if now >= run.deadline {
            return self.stop(Stop::Timeout);
        }
        if now >= run.cpu_check {
            let used = self.cpu.read().saturating_sub(run.cpu_start);
            let left = self.cpu_limit.saturating_sub(used);
            if left.is_zero() {
                return self.stop(Stop::Cpu);
            }
            // The budget cannot run out earlier.
            run.cpu_check = now.saturating_add(left);
        }
        if now >= run.abort_at && self.abort_reason().is_none() {
            self.flags.abort(Abort::Timeout);
            self.wake(run);
        }
    }

    /// Wakes the event loop of the run.
    fn wake(&self, run: &ActiveRun) {
        self.wake.notify_one();
        run.target.wake();
    }

    fn usage(&self, run: &ActiveRun) -> Usage {
        let cpu = self.cpu.read().saturating_sub(run.cpu_start);
        Usage {
            cpu_ms: u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX),
            peak_heap_bytes: self.flags.peak_heap(),
            // The server counts requests.
            ..Usage::default()
        }
    }
}
