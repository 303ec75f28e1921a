//! The supervisor: the second thread, which reads the server's frames and enforces the limits,
//! whatever the main thread does.
//!
//! It never runs JavaScript and never waits for the rest of a frame; while a run is on, it never
//! blocks on writing. It also ends the process in the middle of a run when the lease of the server is over, for a
//! server that stands still cannot do so. When the server has closed the socket, the process ends at once: its results
//! have no reader.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError},
    },
    thread,
    time::Duration,
};

use crate::runner::{
    os,
    watchdog::{
        link::{Inbox, Outbox, PendingCalls, Reply, log},
        pump::{Pump, exit_after},
        watch::Watch,
    },
};
use isochron::runtime::protocol::{FromRunner, Run, ToRunner};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc;

/// State that the supervisor and the main thread share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// The current run: its clocks, limits and stop.
    pub(crate) watch: Arc<Watch>,
    /// Frames to the server.
    pub(crate) outbox: Arc<Outbox>,
    /// Calls to the server.
    pub(crate) calls: Arc<PendingCalls>,
    /// The frames of a process without a supervisor.
    pub(crate) pump: Option<Arc<Pump>>,
}

impl Shared {
    /// Waits for the answer to a call; `None` when the run is stopped first. Ends the process when the
    /// server is gone.
    pub(crate) fn wait_for(&self, answer: &Receiver<Reply>) -> Option<Reply> {
        let Some(pump) = &self.pump else { return answer.recv().ok() };
        loop {
            match answer.try_recv() {
                Ok(reply) => return Some(reply),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            if let Err(error) = pump.wait() {
                exit_after(&error);
            }
        }
    }
}

/// Starts the thread. It reads frames from `inbox` and passes runs to `runs`, whose capacity must be
/// 1: the server sends the next run only after `Ready`.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(shared: Shared, mut inbox: Inbox, runs: mpsc::Sender<Box<Run>>) -> io::Result<()> {
    thread::Builder::new().name("supervisor".into()).spawn(move || {
        let error = supervise(&shared, &mut inbox, &runs);
        if error.kind() != io::ErrorKind::UnexpectedEof {
            log(&format!("cannot read the server's frames: {error}"));
        }
        os::exit_now(0)
    })?;
    Ok(())
}

fn supervise(shared: &Shared, inbox: &mut Inbox, runs: &mpsc::Sender<Box<Run>>) -> io::Error {
    let mut lease = None;
    loop {
        let tick = shared.watch.tick();
        if let Some(usage) = tick.report {
            shared.outbox.try_send(&FromRunner::Usage(usage));
        }
        if let Some(reason) = tick.overdue {
            shared.outbox.announce_death(reason);
            log("a stopped run does not end, so the runner exits");
            os::exit_now(1);
        }
        if tick.stopping {
            shared.calls.abandon();
        }
        let left = lease.filter(|_| shared.watch.is_running()).map(time_left);
        if left == Some(Duration::ZERO) {
            log("the lease of the server is over, so the runner exits");
            os::exit_now(1);
        }
        match wait(shared, tick.sleep.into_iter().chain(left).min()) {
            Ok(false) => {}
            Ok(true) => match inbox.receive(shared.outbox.fd()) {
                Ok(frames) => {
                    for frame in frames {
                        if let Err(error) = handle(shared, runs, &mut lease, frame) {
                            return error;
                        }
                    }
                }
                Err(error) => return error,
            },
            Err(error) => return error,
        }
    }
}

/// Waits for the socket, the watch's wake-up or the time; says whether the socket can be read.
fn wait(shared: &Shared, sleep: Option<Duration>) -> io::Result<bool> {
    // poll(2) rounds down: without 50 us more it would return early and spin.
    let limit = sleep.map(|sleep| sleep + Duration::from_micros(50));
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let socket = shared.outbox.fd();
    let wake_up = shared.watch.wake_up();
    let mut fds = [PollFd::new(&socket, PollFlags::IN), PollFd::new(&wake_up, PollFlags::IN)];
    match poll(&mut fds, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    if !fds[1].revents().is_empty() {
        shared.watch.clear_wake_up();
    }
    Ok(!fds[0].revents().is_empty())
}

/// The time until a moment of the clock that counts from the start of the machine.
fn time_left(until: Duration) -> Duration {
    until.saturating_sub(os::since_boot())
}

fn handle(
    shared: &Shared,
    runs: &mpsc::Sender<Box<Run>>,
    lease: &mut Option<Duration>,
    frame: ToRunner,
) -> io::Result<()> {
    match frame {
        ToRunner::Lease { until } => *lease = Some(Duration::from_millis(until)),
        ToRunner::Start(_) => return Err(unexpected("a second Start")),
        ToRunner::Run(run) => {
            if !shared.watch.start_run(&run) {
                return Err(unexpected("a Run before Ready"));
            }
            runs.try_send(run).map_err(|_| unexpected("a Run while one waits"))?;
        }
        ToRunner::Cancel { run } => shared.watch.cancel(run),
        ToRunner::Reply { call, answer } => shared.calls.deliver(call, answer),
    }
    Ok(())
}

fn unexpected(frame: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, frame)
}
