//! The relay: frames between the server, a warden and its cell. Nothing here waits.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Mutex,
};

use isochron::{domain::lock::lock, runtime::protocol};
use rustix::{
    buffer::spare_capacity,
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use serde::Serialize;

use crate::runner::watchdog::{pump::ToCell, target::Remote};

/// Bytes that are read at once, or more.
const CHUNK: usize = 16 * 1024;

/// Bytes that wait until a socket takes them.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    bytes: Vec<u8>,
    sent: usize,
}

impl Queue {
    /// Adds a frame.
    ///
    /// # Errors
    /// When the frame is too large.
    pub(crate) fn push(&mut self, frame: &impl Serialize) -> io::Result<()> {
        let frame = protocol::encode(frame)?;
        if self.is_empty() {
            self.bytes = frame;
            self.sent = 0;
        } else {
            self.bytes.extend_from_slice(&frame);
        }
        Ok(())
    }

    /// Whether all is sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Sends as much as the socket takes.
    ///
    /// # Errors
    /// When the other side is gone.
    pub(crate) fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        while !self.is_empty() {
            match send(socket, &self.bytes[self.sent..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => self.sent += sent,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Reads once; `false` at the end of the stream. `into` may get nothing.
///
/// # Errors
/// When the socket fails.
pub(crate) fn read(socket: BorrowedFd<'_>, into: &mut protocol::FrameBuffer) -> io::Result<bool> {
    let room = into.room();
    room.reserve(CHUNK);
    match recv(socket, spare_capacity(room), RecvFlags::DONTWAIT) {
        Ok((_, 0)) | Err(Errno::CONNRESET) => Ok(false),
        Ok(_) => Ok(true),
        Err(Errno::AGAIN | Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// A warden's end of the sockets to its cell.
#[derive(Debug)]
pub(crate) struct Link {
    /// Frames in both directions.
    pub(crate) frames: OwnedFd,
    /// The checkpoint's orders; see the room's description.
    pub(crate) control: OwnedFd,
    /// Orders to the cell's second thread.
    stops: OwnedFd,
    queue: Mutex<Queue>,
}

/// Order to record the frames of the run.
pub(crate) const INTERRUPT: u8 = b'i';
/// Order to terminate JavaScript.
pub(crate) const TERMINATE: u8 = b't';

impl Link {
    pub(crate) fn new(frames: OwnedFd, control: OwnedFd, stops: OwnedFd) -> Self {
        Self { frames, control, stops, queue: Mutex::default() }
    }

    /// Sends a frame, or keeps it until the cell takes it.
    ///
    /// # Errors
    /// When the frame is too large.
    pub(crate) fn push(&self, frame: &ToCell) -> io::Result<()> {
        let mut queue = lock(&self.queue);
        queue.push(frame)?;
        // The end of a cell is noticed where its frames are read.
        let _ = queue.flush(self.frames.as_fd());
        Ok(())
    }

    /// Sends what waits; `true` if nothing waits any more.
    pub(crate) fn flush(&self) -> bool {
        let mut queue = lock(&self.queue);
        let _ = queue.flush(self.frames.as_fd());
        queue.is_empty()
    }

    /// Whether frames wait for the cell.
    pub(crate) fn is_waiting(&self) -> bool {
        !lock(&self.queue).is_empty()
    }

    /// Whether the cell has sent another byte from its checkpoint, or is gone.
    pub(crate) fn says_more(&self) -> bool {
        !matches!(recv(&self.control, &mut [0], RecvFlags::DONTWAIT), Err(Errno::AGAIN | Errno::INTR))
    }

    fn stop(&self, order: u8) {
        // A full pipe has orders enough.
        let _ = rustix::io::write(&self.stops, &[order]);
    }
}

impl Remote for Link {
    fn interrupt(&self) {
        self.stop(INTERRUPT);
    }

    fn terminate(&self) {
        self.stop(TERMINATE);
    }

    fn wake(&self) {
        // A frame this small is never too large.
        let _ = self.push(&ToCell::Wake);
    }
}
