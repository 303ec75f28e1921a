//! The runner's end of the socket: frames out, frames in, answers to pending calls.

use std::{
    collections::HashMap,
    io::{self, Stdin, Write},
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Mutex, TryLockError,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::runner::os;
use isochron::{
    domain::{execution::Reason, lock::lock},
    runtime::protocol::{self, Answer, FrameBuffer, FromRunner, ToRunner},
};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use tokio::sync::oneshot;

/// Sends frames. The main thread may block while the server reads slowly; the supervisor uses
/// [`Self::try_send`].
#[derive(Debug)]
pub(crate) struct Outbox {
    socket: Stdin,
    silent: bool,
    writing: Mutex<()>,
}

impl Outbox {
    /// Sends to standard input, which is one end of a socket pair.
    pub(crate) fn new() -> Self {
        Self { socket: io::stdin(), silent: false, writing: Mutex::new(()) }
    }

    /// Drops every frame.
    pub(crate) fn silent() -> Self {
        Self { silent: true, ..Self::new() }
    }

    /// Sends a frame, waiting for room. Ends the process when the server is gone.
    pub(crate) fn send(&self, frame: &FromRunner) {
        let writing = lock(&self.writing);
        self.write(frame);
        drop(writing);
    }

    /// Sends a small frame, or drops it if sending would wait.
    pub(crate) fn try_send(&self, frame: &FromRunner) {
        let Ok(_writing) = self.writing.try_lock() else { return };
        let Ok(bytes) = protocol::encode(frame) else { return };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // A stream socket takes a frame this small whole or not at all. A part of a frame would
        // break the stream, so it ends the process.
        match send(self.fd(), &bytes, flags) {
            Ok(sent) if sent < bytes.len() => os::exit_now(1),
            _ => {}
        }
    }

    /// Announces a limit that this process may not survive. V8's allocator calls this too: it
    /// waits for the lock for about 100 ms at most, and then gives up.
    pub(crate) fn announce_death(&self, reason: Reason) {
        for _ in 0..100 {
            match self.writing.try_lock() {
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
                Ok(_) | Err(TryLockError::Poisoned(_)) => return self.write(&FromRunner::Dying(reason)),
            }
        }
    }

    fn write(&self, frame: &FromRunner) {
        if self.silent {
            return;
        }
        let bytes = protocol::encode(frame).unwrap_or_else(|error| {
            eprintln!("runner: cannot encode a frame: {error}");
            os::exit_now(1)
        });
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match send(self.fd(), rest, SendFlags::NOSIGNAL) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::INTR) => {}
                Err(_) => os::exit_now(0),
            }
        }
    }

    /// The socket, for poll(2).
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Receives frames, without ever waiting for the rest of one.
#[derive(Debug, Default)]
pub(crate) struct Inbox(FrameBuffer);

impl Inbox {
    /// Takes the bytes that the socket holds, and returns the frames that are complete now.
    ///
    /// # Errors
    /// At the end of the stream and on bytes that are no frame.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<Vec<ToRunner>> {
        self.read(socket, RecvFlags::DONTWAIT)?;
        let mut frames = Vec::new();
        while let Some(frame) = self.0.next_frame()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    /// Waits for the first frame. Call it on the main thread, before any other thread exists.
    ///
    /// # Errors
    /// When the stream ends or does not start with [`ToRunner::Start`].
    pub(crate) fn receive_settings(&mut self, socket: BorrowedFd<'_>) -> io::Result<protocol::Settings> {
        loop {
            match self.0.next_frame()? {
                Some(ToRunner::Start(settings)) => return Ok(settings),
                Some(_) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the first frame is not Start"));
                }
                None => self.read(socket, RecvFlags::empty())?,
            }
        }
    }

    fn read(&mut self, socket: BorrowedFd<'_>, flags: RecvFlags) -> io::Result<()> {
        let mut chunk = [0; 64 * 1024];
        match recv(socket, &mut chunk, flags) {
            Ok((_, 0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, n)) => {
                self.0.room().extend_from_slice(&chunk[..n]);
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The server's answer to a call, or its error for the handler's author.
pub(crate) type Reply = Result<Answer, String>;

/// Calls to the server that have no answer yet. The main thread adds calls, the supervisor delivers
/// the answers.
#[derive(Debug, Default)]
pub(crate) struct PendingCalls {
    last: AtomicU32,
    waiters: Mutex<HashMap<u32, Waiter>>,
}

#[derive(Debug)]
enum Waiter {
    /// The main thread is blocked until the answer comes.
    Blocked(mpsc::SyncSender<Reply>),
    /// A promise of the handler waits for the answer.
    Awaiting(oneshot::Sender<Reply>),
}

impl PendingCalls {
    /// Adds a call whose answer the calling thread blocks for. The receiver fails when the run is
    /// stopped first.
    pub(crate) fn add_blocking(&self) -> (u32, mpsc::Receiver<Reply>) {
        let (sender, receiver) = mpsc::sync_channel(1);
        (self.add(Waiter::Blocked(sender)), receiver)
    }

    /// Adds a call whose answer a promise waits for.
    pub(crate) fn add_awaiting(&self) -> (u32, oneshot::Receiver<Reply>) {
        let (sender, receiver) = oneshot::channel();
        (self.add(Waiter::Awaiting(sender)), receiver)
    }

    /// Whether a call was ever added.
    pub(crate) fn were_made(&self) -> bool {
        self.last.load(Ordering::Relaxed) != 0
    }

    fn add(&self, waiter: Waiter) -> u32 {
        let call = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        lock(&self.waiters).insert(call, waiter);
        call
    }

    /// Delivers an answer, or drops it if its call is no longer pending.
    pub(crate) fn deliver(&self, call: u32, reply: Reply) {
        match lock(&self.waiters).remove(&call) {
            Some(Waiter::Blocked(sender)) => drop(sender.try_send(reply)),
            Some(Waiter::Awaiting(sender)) => drop(sender.send(reply)),
            None => {}
        }
    }

    /// Drops every pending call, which wakes the main thread if it is blocked on one.
    pub(crate) fn abandon(&self) {
        lock(&self.waiters).clear();
    }
}

/// Writes a text for people into the server's log.
pub(crate) fn log(text: &str) {
    drop(writeln!(io::stderr(), "runner: {text}"));
}
