//! The pump: frames of a cell, read by the thread that runs JavaScript, for a cell has no supervisor.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use isochron::{
    domain::lock::lock,
    runtime::protocol::{FrameBuffer, Run, ToRunner},
};
use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};
use serde::{Deserialize, Serialize};

use crate::runner::{
    os,
    watchdog::{
        link::{Outbox, PendingCalls, log},
        watch::Watch,
    },
};

/// Bytes that are read at once: they lie on the stack, whose pages are put back after the run.
const CHUNK: usize = 4096;

/// A frame of a warden.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToCell {
    /// A frame of the server.
    Frame(Box<ToRunner>),
    /// The flags of the run have changed.
    Wake,
    /// The last frame after a run that has made calls.
    Rest,
}

/// The frames that have arrived, and what they act on.
#[derive(Debug)]
pub(crate) struct Pump {
    watch: Arc<Watch>,
    outbox: Arc<Outbox>,
    calls: Arc<PendingCalls>,
    unread: Mutex<FrameBuffer>,
    run: Mutex<Option<Box<Run>>>,
    is_over: AtomicBool,
}

impl Pump {
    /// Reads from the socket of an outbox.
    pub(crate) fn new(watch: Arc<Watch>, outbox: Arc<Outbox>, calls: Arc<PendingCalls>) -> Self {
        let (unread, run, is_over) = Default::default();
        Self { watch, outbox, calls, unread, run, is_over }
    }

    /// Takes the run that has arrived.
    pub(crate) fn take_run(&self) -> Option<Box<Run>> {
        lock(&self.run).take()
    }

    /// Whether no frame comes after the run: it has made no calls, or the last frame has arrived.
    pub(crate) fn is_over(&self) -> bool {
        !self.calls.were_made() || self.is_over.load(Ordering::Relaxed)
    }

    /// Reads and handles all frames that the socket holds.
    ///
    /// # Errors
    /// At the end of the stream and on bytes that are no frame.
    pub(crate) fn receive(&self) -> io::Result<()> {
        while self.read(RecvFlags::DONTWAIT)? {}
        self.handle()
    }

    /// As [`Self::receive`], but waits for a part of a frame first.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub(crate) fn wait(&self) -> io::Result<()> {
        self.read(RecvFlags::empty())?;
        self.receive()
    }

    fn read(&self, flags: RecvFlags) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        match recv(self.outbox.fd(), &mut chunk, flags) {
            Ok((_, 0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, n)) => {
                lock(&self.unread).room().extend_from_slice(&chunk[..n]);
                Ok(true)
            }
            Err(Errno::INTR) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn handle(&self) -> io::Result<()> {
        while let Some(frame) = lock(&self.unread).next_frame()? {
            match frame {
                ToCell::Frame(frame) => match *frame {
                    ToRunner::Run(run) => {
                        self.watch.adopt_run(&run);
                        *lock(&self.run) = Some(run);
                    }
                    ToRunner::Reply { call, answer } => self.calls.deliver(call, answer),
                    // The template has had the first, and the warden acts on the others.
                    ToRunner::Start(_) | ToRunner::Cancel { .. } | ToRunner::Lease { .. } => {}
                },
                ToCell::Wake => {
                    if self.watch.stop_reason().is_some() {
                        self.calls.abandon();
                    }
                    self.watch.wake.notify_one();
                }
                ToCell::Rest => self.is_over.store(true, Ordering::Relaxed),
            }
        }
        Ok(())
    }
}

/// Ends the process after the end of its frames.
pub(crate) fn exit_after(error: &io::Error) -> ! {
    if error.kind() != io::ErrorKind::UnexpectedEof {
        log(&format!("cannot read the server's frames: {error}"));
    }
    os::exit_now(0)
}
