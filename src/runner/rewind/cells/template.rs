//! The template: a process that makes an isolate and runs no handler. Each runner of a server gets a copy of
//! it (fork(2)), its [`blank`], so a runner that starts makes no isolate, and pages that no one has written
//! since are in memory once for all runners.
//!
//! It has one thread, as fork(2) copies no other.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, RawFd},
};

use isochron::runtime::protocol::FrameBuffer;

use super::{blank, made::make};
use crate::runner::{
    os,
    rewind::{handover, image, memory, probe, warden},
    sandbox::{self, Layers},
};

/// Makes an isolate by the settings on standard input, and a copy of this process for each message on the
/// socket that is its standard output. In a copy it serves a runner; the template returns when the last one who
/// could ask is gone, or at once if the system cannot put memory back.
///
/// # Errors
/// When the process does not get what it needs.
pub(crate) fn serve(snapshot_fd: RawFd, intrude: Option<&str>) -> io::Result<()> {
    if probe().is_err() {
        return Ok(());
    }
    rustix::thread::set_name(c"template")?;
    let orders = rustix::io::fcntl_dupfd_cloexec(io::stdout().as_fd(), 3)?;
    // Libraries may print.
    os::replace(io::stdout().as_raw_fd(), io::stderr().as_fd())?;
    sandbox::drop_privileges();
    sandbox::close_descriptors(&[snapshot_fd, orders.as_raw_fd()], Layers::All);
    let settings = warden::receive_settings(&mut FrameBuffer::default())?;
    let made = make(snapshot_fd, settings, memory::make_flags()?)?;
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("a process with {threads} threads cannot be copied")));
    }
    image::let_copies_have_all()?;
    os::reap_no_children(true);
    loop {
        let Ok((warden, means)) = handover::receive(orders.as_fd()) else { os::exit_now(0) };
        // Whoever asked notices that there is no copy: its ends of the sockets close.
        if let Ok(None) = os::fork() {
            drop(orders);
            return blank::serve(made, warden, means, intrude);
        }
    }
}
