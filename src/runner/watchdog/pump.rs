//! The pump: frames of a cell, read by the thread that runs JavaScript, for a cell has no supervisor.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, TryRecvError},
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
        link::{Reply, log},
        supervisor::Shared,
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
    /// The last frame after a run.
    Rest,
}

/// The frames that have arrived.
#[derive(Debug, Default)]
pub(crate) struct Pump {
    unread: Mutex<FrameBuffer>,
    run: Mutex<Option<Box<Run>>>,
    is_over: AtomicBool,
}

impl Pump {
    /// Takes the run that has arrived.
    pub(crate) fn take_run(&self) -> Option<Box<Run>> {
        lock(&self.run).take()
    }

    /// Whether the last frame after the run has arrived.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Reads and handles all frames that the socket holds.
    ///
    /// # Errors
    /// At the end of the stream and on bytes that are no frame.
    pub(crate) fn receive(&self, shared: &Shared) -> io::Result<()> {
        while self.read(shared, RecvFlags::DONTWAIT)? {}
        self.handle(shared)
    }

    /// As [`Self::receive`], but waits for a part of a frame first.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub(crate) fn wait(&self, shared: &Shared) -> io::Result<()> {
        self.read(shared, RecvFlags::empty())?;
        self.receive(shared)
    }

    fn read(&self, shared: &Shared, flags: RecvFlags) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        match recv(shared.outbox.fd(), &mut chunk, flags) {
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

    fn handle(&self, shared: &Shared) -> io::Result<()> {
        while let Some(frame) = lock(&self.unread).next_frame()? {
            match frame {
                ToCell::Frame(frame) => match *frame {
                    ToRunner::Run(run) => {
                        shared.watch.adopt_run(&run);
                        *lock(&self.run) = Some(run);
                    }
                    ToRunner::Reply { call, answer } => shared.calls.deliver(call, answer),
                    // The template has had the first, and the warden acts on the others.
                    ToRunner::Start(_) | ToRunner::Cancel { .. } | ToRunner::Lease { .. } => {}
                },
                ToCell::Wake => {
                    if shared.watch.stop_reason().is_some() {
                        shared.calls.abandon();
                    }
                    shared.watch.wake.notify_one();
                }
                ToCell::Rest => self.is_over.store(true, Ordering::Relaxed),
            }
        }
        Ok(())
    }
}

impl Shared {
    /// Waits for the answer to a call; `None` when the run is stopped first. Ends the process when the
    /// server is gone.
    pub(crate) fn wait_for(&self, answer: &mpsc::Receiver<Reply>) -> Option<Reply> {
        let Some(pump) = &self.pump else { return answer.recv().ok() };
        loop {
            match answer.try_recv() {
                Ok(reply) => return Some(reply),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            if let Err(error) = pump.wait(self) {
                exit_after(&error);
            }
        }
    }
}

/// Ends the process after the end of its frames.
pub(crate) fn exit_after(error: &io::Error) -> ! {
    if error.kind() != io::ErrorKind::UnexpectedEof {
        log(&format!("cannot read the server's frames: {error}"));
    }
    os::exit_now(0)
}
