//! The blank: a runner's copy of the [`template`](super::template), of which each of its cells is a copy.
//!
//! Between two orders it sleeps in the recvmsg(2) of [`handover::receive_any`], and its memory stays as it
//! is: the images of cells refer to it.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use rustix::{
    net::SendFlags,
    process::{Pid, Signal, WaitOptions, getpid, kill_process, setpgid, waitpid},
};

use super::{cell, made::Made};
use crate::runner::{
    os,
    rewind::{handover, memory},
};

/// Serves a runner over the first of `means`; the others are the memory that it shares with its cells, the event
/// that wakes it, and its standard error. A message with descriptors makes a cell, one without waits for its end.
/// In a cell it runs handlers; the blank returns when the warden is gone.
///
/// # Errors
/// When the process does not get what it needs.
pub(super) fn serve(made: Made, warden: Pid, means: [OwnedFd; 4], intrude: Option<&str>) -> io::Result<()> {
    let [control, flags, wake_up, errors] = means;
    rustix::thread::set_name(c"blank")?;
    os::reap_no_children(false);
    os::replace(io::stderr().as_raw_fd(), errors.as_fd())?;
    os::replace(io::stdout().as_raw_fd(), errors.as_fd())?;
    // A signal to the group of a runner then reaches all of it. A warden that a test has started has none.
    let _ = setpgid(None, Some(warden));
    os::may_be_traced_by(warden);
    memory::map_flags_again(made.flags, flags.as_fd())?;
    os::replace(made.shared.watch.wake_up().as_raw_fd(), wake_up.as_fd())?;
    drop((flags, wake_up, errors));
    handover::send(control.as_fd(), &[File::open("/proc/self/mem")?.as_fd()])?;
    let mut last = None;
    loop {
        let Ok((_, ends)) = handover::receive_any(control.as_fd()) else {
            // A warden that was killed has left it, and no one else would wait for its end.
            last.map(|cell| kill_process(cell, Signal::KILL));
            reap(last);
            os::exit_now(0);
        };
        if ends.is_empty() {
            rustix::net::send(&control, &reap(last.take()).to_ne_bytes(), SendFlags::NOSIGNAL)?;
            continue;
        }
        let Ok(ends) = ends.try_into() else { return Err(io::ErrorKind::InvalidData.into()) };
        let this = getpid();
        last = os::fork()?;
        if last.is_none() {
            drop(control);
            return cell::serve(made, (this, warden), ends, intrude);
        }
    }
}

/// Waits for the end of a cell; returns its status, 0 if there is none.
fn reap(cell: Option<Pid>) -> i32 {
    let ended = cell.and_then(|cell| waitpid(Some(cell), WaitOptions::empty()).ok()?);
    ended.map_or(0, |(_, status)| status.as_raw())
}
