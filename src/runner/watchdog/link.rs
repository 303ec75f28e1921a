//! The runner's half of the socket: frames out, frames in, answers to their askers.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Stdin, Write},
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::runner::os;
use isochron::{
    domain::execution::Reason,
    runtime::protocol::{self, Answer, FromRunner, ToRunner},
};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use tokio::sync::oneshot;

/// A panic elsewhere leaves no state worth refusing to look at: the process ends soon.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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
pub(crate) struct Inbox {
    bytes: VecDeque<u8>,
}

impl Inbox {
    /// Takes what the socket holds and returns the frames that are now complete.
    ///
    /// # Errors
    /// At the end of the stream and on bytes that are no frame.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<Vec<ToRunner>> {
        let mut chunk = [0; 64 * 1024];
        match recv(socket, &mut chunk, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, n)) => self.bytes.extend(&chunk[..n]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut frames = Vec::new();
        while let Some(frame) = self.next()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    fn next(&mut self) -> io::Result<Option<ToRunner>> {
        if self.bytes.len() < 4 {
            return Ok(None);
        }
        let head = [self.bytes[0], self.bytes[1], self.bytes[2], self.bytes[3]];
        let length = protocol::frame_length(head)?;
        if self.bytes.len() < 4 + length {
            return Ok(None);
        }
        self.bytes.drain(..4);
        let body: Vec<u8> = self.bytes.drain(..length).collect();
        protocol::decode(&body).map(Some)
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

/// Reads the first frame, on the main thread, before anything else exists.
///
/// # Errors
/// When the stream ends or does not start with [`ToRunner::Start`].
pub(crate) fn first_frame(socket: &Outbox) -> io::Result<protocol::Settings> {
    let mut reader = FrameByFrame(socket.fd());
    match protocol::read_frame(&mut reader)? {
        Some(ToRunner::Start(settings)) => Ok(settings),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the first frame is not Start")),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Standard input without std's buffer, which would swallow the frames that follow.
struct FrameByFrame<'a>(BorrowedFd<'a>);

impl io::Read for FrameByFrame<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.0, into, RecvFlags::empty())?.1)
    }
}

/// Writes what a human should read into the server's log.
pub(crate) fn complain(text: &str) {
    drop(writeln!(io::stderr(), "runner: {text}"));
}
