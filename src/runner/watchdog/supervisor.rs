//! The second thread: listens to the server and keeps the limits, whatever the
//! first thread is doing.
//!
//! It never runs JavaScript, never waits for the other half of a frame and never
//! blocks on writing. When the server is gone, so is the process, at once: there is
//! nobody left to whom an end could be reported.

use std::{io, sync::Arc, thread, time::Duration};

use crate::runner::{
    os,
    run::interrupt,
    watchdog::{
        link::{Calls, Inbox, Outbox, complain},
        watch::Watch,
    },
};
use isochron::runtime::protocol::{FromRunner, Run, ToRunner};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc;

/// What the supervisor and the main thread share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// The run that is on.
    pub(crate) watch: Arc<Watch>,
    /// Frames to the server.
    pub(crate) outbox: Arc<Outbox>,
    /// Questions to the server.
    pub(crate) calls: Arc<Calls>,
}

/// Starts the thread, which reads on from `inbox`. Runs arrive in `runs`, which needs room for one: the server
/// sends the next only after `Ready`.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(shared: Shared, mut inbox: Inbox, runs: mpsc::Sender<Box<Run>>) -> io::Result<()> {
    thread::Builder::new().name("supervisor".into()).spawn(move || {
        let error = supervise(&shared, &mut inbox, &runs);
        if error.kind() != io::ErrorKind::UnexpectedEof {
            complain(&format!("the server's frames: {error}"));
        }
        os::leave(0)
    })?;
    Ok(())
}

fn supervise(shared: &Shared, inbox: &mut Inbox, runs: &mpsc::Sender<Box<Run>>) -> io::Error {
    loop {
        let tick = shared.watch.tick();
        if let Some(usage) = tick.report {
            shared.outbox.offer(&FromRunner::Usage(usage));
        }
        if let Some(isolate) = &tick.interrupt {
            interrupt::ask(isolate);
        }
        if let Some(reason) = tick.stubborn {
            shared.outbox.dying(reason);
            complain("a stopped run did not end");
            os::leave(1);
        }
        if tick.stopping {
            shared.calls.abandon();
        }
        match wait(shared, tick.sleep) {
            Ok(false) => {}
            Ok(true) => match inbox.receive(shared.outbox.fd()) {
                Ok(frames) => {
                    for frame in frames {
                        if let Err(error) = obey(shared, runs, frame) {
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

/// Waits for the socket, the bell or the time; says whether the socket has something.
fn wait(shared: &Shared, sleep: Option<Duration>) -> io::Result<bool> {
    // poll(2) rounds down below its own resolution: a moment more, so as not to spin.
    let limit = sleep.map(|sleep| sleep + Duration::from_micros(50));
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let socket = shared.outbox.fd();
    let bell = shared.watch.bell();
    let mut fds = [PollFd::new(&socket, PollFlags::IN), PollFd::new(&bell, PollFlags::IN)];
    match poll(&mut fds, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    if !fds[1].revents().is_empty() {
        shared.watch.hush();
    }
    Ok(!fds[0].revents().is_empty())
}

fn obey(shared: &Shared, runs: &mpsc::Sender<Box<Run>>, frame: ToRunner) -> io::Result<()> {
    match frame {
        ToRunner::Start(_) => return Err(unexpected("a second Start")),
        ToRunner::Run(run) => {
            if !shared.watch.open(&run) {
                return Err(unexpected("a Run that nobody was ready for"));
            }
            runs.try_send(run).map_err(|_| unexpected("a Run while one waits"))?;
        }
        ToRunner::Cancel { run } => shared.watch.cancel(run),
        ToRunner::Reply { call, answer } => shared.calls.answer(call, answer),
    }
    Ok(())
}

fn unexpected(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
