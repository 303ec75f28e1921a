//! The nursery: starts cells, and ends them.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use isochron::runtime::protocol::{FrameBuffer, Settings, ToRunner};
use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    pipe::{PipeFlags, pipe_with},
    process::Pid,
};

use crate::runner::{
    os::CpuClock,
    rewind::{
        checkpoint::Order,
        handover::{self, Handles},
        image::{Image, position::Position},
        kernel, memory,
        relay::{self, Link},
    },
    watchdog::{flags::Flags, pump::ToCell, target::Target, watch::Watch},
};

/// Starts cells.
pub(crate) struct Nursery {
    snapshot: RawFd,
    settings: Settings,
    shared: OwnedFd,
    flags: &'static Flags,
    wake_up: OwnedFd,
    /// What the cells do to the next run, in a test.
    intrude: Option<String>,
}

/// A cell.
pub(crate) struct Cell {
    child: Child,
    pub(crate) link: Arc<Link>,
    pub(crate) unread: FrameBuffer,
    pub(crate) watch: Watch,
    pub(crate) image: Option<Image>,
    handles: Option<Handles>,
}

/// Makes the memory that wardens share with cells. Call it before the size of files is limited.
///
/// # Errors
/// When the system has no memory files.
pub(crate) fn make_shared() -> io::Result<OwnedFd> {
    let shared = memfd_create("isochron-flags", MemfdFlags::CLOEXEC)?;
    ftruncate(&shared, memory::SHARED as u64)?;
    Ok(shared)
}

impl Nursery {
    /// Makes a nursery whose cells map the snapshot of this descriptor.
    ///
    /// # Errors
    /// When the shared memory cannot be mapped.
    pub(crate) fn new(
        snapshot: RawFd,
        settings: Settings,
        shared: OwnedFd,
        intrude: Option<String>,
    ) -> io::Result<Self> {
        let flags = memory::map_flags(shared.as_fd())?;
        let wake_up = rustix::event::eventfd(
            0,
            rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK,
        )?;
        Ok(Self { snapshot, settings, shared, flags, wake_up, intrude })
    }

    /// Starts a cell. It is ready once it stands at its checkpoint.
    ///
    /// # Errors
    /// When the process does not start, or does not give access to its memory.
    pub(crate) fn start(&self) -> io::Result<Cell> {
        let pair = |kind| socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
        let (frames, their_frames) = pair(SocketType::STREAM)?;
        let (control, their_control) = pair(SocketType::SEQPACKET)?;
        let (their_stops, stops) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&stops, true)?;
        self.forget_flags();
        let child = Command::new("/proc/self/exe")
            .arg0("isochron")
            .args(["runner", "--cell-snapshot-fd", &self.snapshot.to_string()])
            .args(self.intrude.iter().flat_map(|act| ["--intrude", act]))
            .env_clear()
            .env("TZ", "UTC")
            .stdin(Stdio::from(their_frames))
            .stdout(Stdio::from(their_control))
            .stderr(Stdio::inherit())
            .spawn()?;
        let handles = Handles::receive(control.as_fd())?;
        handover::send(control.as_fd(), &[self.shared.as_fd(), self.wake_up.as_fd(), their_stops.as_fd()])?;
        let link = Arc::new(Link::new(frames, control, stops));
        link.push(&ToCell::Frame(Box::new(ToRunner::Start(self.settings.clone()))))?;
        let clock = Pid::from_child(&child);
        let clock = CpuClock::of_process(clock).ok_or_else(|| io::Error::other("the cell has no clock"))?;
        let limit = Duration::from_millis(self.settings.cpu);
        let watch = Watch::over(self.flags, clock, self.wake_up.try_clone()?, limit);
        Ok(Cell { child, link, unread: FrameBuffer::default(), watch, image: None, handles: Some(handles) })
    }
}

impl Nursery {
    /// Clears the memory that a cell shares with its warden. The cell must not run.
    pub(crate) fn forget_flags(&self) {
        memory::clear_flags(self.flags);
    }
}

impl Cell {
    /// Copies the memory of a cell that stands at its first checkpoint.
    ///
    /// # Errors
    /// When the kernel refuses a step, or another thread of the cell does not fall asleep.
    pub(crate) fn take_image(&mut self) -> io::Result<()> {
        let handles = self.handles.take().ok_or_else(|| io::Error::other("a second first checkpoint"))?;
        let position = Position::of(self.child.id())?;
        self.image = Some(Image::take(self.child.id(), handles, position)?);
        Ok(())
    }

    /// Whether nothing is under way between a cell that stands at its checkpoint and its warden: what a run
    /// has left in a socket would reach the next one.
    ///
    /// # Errors
    /// When a socket fails.
    pub(crate) fn is_quiet(&mut self) -> io::Result<bool> {
        relay::read(self.link.frames.as_fd(), &mut self.unread)?;
        let is_read = !self.link.is_waiting() && kernel::unread_by_other_end(self.link.frames.as_fd())? == 0;
        Ok(is_read && self.unread.is_empty() && !self.link.says_more())
    }

    /// Notes that the cell waits for a run.
    pub(crate) fn set_ready(&self) {
        self.watch.set_ready(Target::Remote(self.link.clone()));
    }

    /// Sends an order to the checkpoint.
    ///
    /// # Errors
    /// When the cell is gone.
    pub(crate) fn order(&self, order: Order) -> io::Result<()> {
        rustix::net::send(&self.link.control, &order.bytes(), rustix::net::SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Ends the cell.
    pub(crate) fn kill(&mut self) -> Option<ExitStatus> {
        // A dead process is as good as a killed one.
        let _ = self.child.kill();
        self.child.wait().ok()
    }

    /// Waits for the end of a cell that has closed its sockets.
    pub(crate) fn reap(&mut self) -> Option<ExitStatus> {
        self.child.wait().ok()
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.kill();
    }
}
