//! The runner's half of the socket: frames out, frames in, answers to their askers.

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

/// The writing side. The main thread writes and may block when the server reads
/// slowly; the supervisor only ever tries.
#[derive(Debug)]
pub(crate) struct Outbox {
    socket: Stdin,
    silent: bool,
    writing: Mutex<()>,
}

impl Outbox {
    /// Writes to standard input, which is one end of a socket pair.
    pub(crate) fn new() -> Self {
        Self { socket: io::stdin(), silent: false, writing: Mutex::new(()) }
    }

    /// Writes to nobody.
    pub(crate) fn silent() -> Self {
        Self { silent: true, ..Self::new() }
    }

    /// Sends a frame, waiting for room. Ends the process when the server is gone.
    pub(crate) fn send(&self, frame: &FromRunner) {
        let writing = lock(&self.writing);
        self.put(frame);
        drop(writing);
    }

    /// Sends a small frame if that needs no waiting at all.
    pub(crate) fn offer(&self, frame: &FromRunner) {
        let Ok(_writing) = self.writing.try_lock() else { return };
        let Ok(bytes) = protocol::encode(frame) else { return };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // A stream socket takes a frame this small whole or not at all; were it ever to
        // take a part, the stream could not be saved.
        match send(self.fd(), &bytes, flags) {
            Ok(sent) if sent < bytes.len() => os::leave(1),
            _ => {}
        }
    }

    /// Announces a limit that this process may not survive. Called from inside V8's
    /// allocator: takes the lock if it can be had soon, never waits for long.
    pub(crate) fn dying(&self, reason: Reason) {
        for _ in 0..100 {
            match self.writing.try_lock() {
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
                Ok(_) | Err(TryLockError::Poisoned(_)) => return self.put(&FromRunner::Dying(reason)),
            }
        }
    }

    fn put(&self, frame: &FromRunner) {
        if self.silent {
            return;
        }
        let bytes = protocol::encode(frame).unwrap_or_else(|error| {
            eprintln!("runner: cannot encode a frame: {error}");
            os::leave(1)
        });
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match send(self.fd(), rest, SendFlags::NOSIGNAL) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::INTR) => {}
                Err(_) => os::leave(0),
            }
        }
    }

    /// The socket, to wait for.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The reading side: collects bytes without ever waiting for the rest of a frame.
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

    /// Waits for the first frame, on the main thread, before any other thread exists.
    ///
    /// # Errors
    /// When the stream ends or does not start with [`ToRunner::Start`].
    pub(crate) fn settings(&mut self, socket: BorrowedFd<'_>) -> io::Result<protocol::Settings> {
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

/// What came of a call to the server.
pub(crate) type Reply = Result<Answer, String>;

/// Calls to the server whose answers are awaited. The main thread asks, the supervisor answers.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    last: AtomicU32,
    waiting: Mutex<HashMap<u32, Waiter>>,
}

#[derive(Debug)]
enum Waiter {
    /// The main thread stands still until the answer comes.
    Blocked(mpsc::SyncSender<Reply>),
    /// A promise of the handler waits.
    Promised(oneshot::Sender<Reply>),
}

impl Calls {
    /// A call whose answer the calling thread will block for. The receiver fails
    /// when the run is stopped first.
    pub(crate) fn blocking(&self) -> (u32, mpsc::Receiver<Reply>) {
        let (sender, receiver) = mpsc::sync_channel(1);
        (self.enter(Waiter::Blocked(sender)), receiver)
    }

    /// A call whose answer is awaited.
    pub(crate) fn promised(&self) -> (u32, oneshot::Receiver<Reply>) {
        let (sender, receiver) = oneshot::channel();
        (self.enter(Waiter::Promised(sender)), receiver)
    }

    fn enter(&self, waiter: Waiter) -> u32 {
        let call = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        lock(&self.waiting).insert(call, waiter);
        call
    }

    /// Hands over an answer; one that nobody waits for any more is dropped.
    pub(crate) fn answer(&self, call: u32, reply: Reply) {
        match lock(&self.waiting).remove(&call) {
            Some(Waiter::Blocked(sender)) => drop(sender.try_send(reply)),
            Some(Waiter::Promised(sender)) => drop(sender.send(reply)),
            None => {}
        }
    }

    /// Forgets every question, which wakes whoever is blocked on one.
    pub(crate) fn abandon(&self) {
        lock(&self.waiting).clear();
    }
}

/// Writes what a human should read into the server's log.
pub(crate) fn complain(text: &str) {
    drop(writeln!(io::stderr(), "runner: {text}"));
}
