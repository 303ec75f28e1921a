//! The descriptors that a warden, its template and its cells give each other over control sockets.
//!
//! A process in the sandbox opens no file, its own memory among them; so a cell opens that first of all,
//! gives it away, and keeps nothing. The warden's access lasts as long as the descriptors, whatever the
//! cell becomes.

use std::{
    fs::{File, OpenOptions},
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg,
    },
    process::{Pid, getpid},
};

use crate::runner::rewind::kernel;

/// The access to a cell's memory.
pub(crate) struct Handles {
    /// A userfaultfd of the cell.
    pub(crate) writes: OwnedFd,
    /// /proc/PID/mem
    pub(crate) memory: File,
    /// /proc/PID/pagemap
    pub(crate) pagemap: File,
    /// /proc/PID/maps
    pub(crate) maps: File,
}

impl Handles {
    /// Opens the memory of this process.
    ///
    /// # Errors
    /// When the kernel lacks one of the interfaces, or refuses it.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            writes: kernel::open_userfaultfd().map_err(|error| named("userfaultfd", &error))?,
            memory: open("/proc/self/mem", OpenOptions::new().read(true).write(true))?,
            pagemap: open("/proc/self/pagemap", OpenOptions::new().read(true))?,
            maps: open("/proc/self/maps", OpenOptions::new().read(true))?,
        })
    }

    /// Gives them away.
    ///
    /// # Errors
    /// When the other side is gone.
    pub(crate) fn send(self, socket: BorrowedFd<'_>) -> io::Result<()> {
        send(socket, &[self.writes.as_fd(), self.memory.as_fd(), self.pagemap.as_fd(), self.maps.as_fd()])
    }

    /// Receives those of a cell, with its process.
    ///
    /// # Errors
    /// When the cell ends before it has sent them.
    pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<(Pid, Self)> {
        let (process, [writes, memory, pagemap, maps]) = receive(socket)?;
        Ok((process, Self { writes, memory: memory.into(), pagemap: pagemap.into(), maps: maps.into() }))
    }
}

fn open(path: &str, options: &OpenOptions) -> io::Result<File> {
    options.open(path).map_err(|error| named(path, &error))
}

fn named(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// Sends descriptors, with the id of this process.
///
/// # Errors
/// When the other side is gone.
pub(crate) fn send(socket: BorrowedFd<'_>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut messages = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !messages.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let sender = getpid().as_raw_nonzero().get().to_ne_bytes();
    sendmsg(socket, &[IoSlice::new(&sender)], &mut messages, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives as many descriptors as are asked for, with the process that sent them; they are closed on exec.
///
/// # Errors
/// When the next message does not have them.
pub(crate) fn receive<const N: usize>(socket: BorrowedFd<'_>) -> io::Result<(Pid, [OwnedFd; N])> {
    let (process, received) = receive_any(socket)?;
    let received = received.try_into().map_err(|_| missing())?;
    Ok((process, received))
}

/// As [`receive`], of any number.
///
/// # Errors
/// When the other side is gone.
pub(crate) fn receive_any(socket: BorrowedFd<'_>) -> io::Result<(Pid, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut messages = RecvAncillaryBuffer::new(&mut space);
    let mut process = [0; size_of::<i32>()];
    recvmsg(socket, &mut [IoSliceMut::new(&mut process)], &mut messages, RecvFlags::CMSG_CLOEXEC)?;
    let received = messages
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    let process = Pid::from_raw(i32::from_ne_bytes(process)).ok_or_else(missing)?;
    Ok((process, received))
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the other process sent no descriptors")
}
