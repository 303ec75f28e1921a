//! The nursery: has the template make cells, and ends them.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd, RawFd},
        unix::process::{CommandExt, ExitStatusExt},
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
    process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, waitpid},
};

use crate::runner::{
    os::CpuClock,
    rewind::{
        checkpoint::Order,
        handover::{self, Handles},
        image::{
            Image,
            position::{self, Position},
        },
        kernel, memory,
        relay::{self, Link, Queue},
    },
    watchdog::{flags::Flags, pump::ToCell, target::Target, watch::Watch},
};

/// Has cells made.
pub(crate) struct Nursery {
    flags: &'static Flags,
    wake_up: OwnedFd,
    /// CPU time of a run.
    cpu: Duration,
    template: Child,
    /// Its standard input, which has brought it the settings.
    _frames: OwnedFd,
    /// Where the template waits for orders.
    control: OwnedFd,
    /// /proc/PID/mem of the template.
    memory: File,
}

/// A cell.
pub(crate) struct Cell {
    /// `None` once it is reaped.
    process: Option<Pid>,
    pub(crate) link: Arc<Link>,
    pub(crate) unread: FrameBuffer,
    pub(crate) watch: Watch,
    pub(crate) image: Option<Image>,
    handles: Option<Handles>,
    /// /proc/PID/mem of the template.
    template: File,
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
    /// Starts a template that maps the snapshot of this descriptor. Its cells `intrude`, in a test.
    ///
    /// # Errors
    /// When the process does not start, or the shared memory cannot be mapped.
    pub(crate) fn new(
        snapshot: RawFd,
        settings: &Settings,
        shared: &OwnedFd,
        intrude: Option<&str>,
    ) -> io::Result<Self> {
        // Cells are children of the template's children, which end.
        set_child_subreaper(Some(rustix::process::getpid()))?;
        let flags = memory::map_flags(shared.as_fd())?;
        let wake_up = rustix::event::eventfd(
            0,
            rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK,
        )?;
        let (frames, their_frames) = pair(SocketType::STREAM)?;
        let (control, their_control) = pair(SocketType::SEQPACKET)?;
        let template = Command::new("/proc/self/exe")
            .arg0("isochron")
            .args(["runner", "--template-snapshot-fd", &snapshot.to_string()])
            .args(intrude.iter().flat_map(|act| ["--intrude", act]))
            .env_clear()
            .env("TZ", "UTC")
            .stdin(Stdio::from(their_frames))
            .stdout(Stdio::from(their_control))
            .stderr(Stdio::inherit())
            .spawn()?;
        let (process, [memory]) = handover::receive(control.as_fd())?;
        handover::send(control.as_fd(), process, &[shared.as_fd(), wake_up.as_fd()])?;
        let start = ToCell::Frame(Box::new(ToRunner::Start(settings.clone())));
        Queue::default().send(&start, frames.as_fd())?;
        let cpu = Duration::from_millis(settings.cpu);
        Ok(Self { flags, wake_up, cpu, template, _frames: frames, control, memory: memory.into() })
    }

    /// Has a cell made. It is ready once it stands at its checkpoint.
    ///
    /// # Errors
    /// When the template makes none, or it does not give access to its memory.
    pub(crate) fn start(&self) -> io::Result<Cell> {
        let (frames, their_frames) = pair(SocketType::STREAM)?;
        let (control, their_control) = pair(SocketType::SEQPACKET)?;
        let (their_stops, stops) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&stops, true)?;
        self.forget_flags();
        let ends = [their_frames.as_fd(), their_control.as_fd(), their_stops.as_fd()];
        handover::send(self.control.as_fd(), Pid::from_child(&self.template), &ends)?;
        drop((their_frames, their_control, their_stops));
        let (process, handles) = Handles::receive(control.as_fd())?;
        let link = Arc::new(Link::new(frames, control, stops));
        let clock = CpuClock::of_process(process).ok_or_else(|| io::Error::other("the cell has no clock"))?;
        let watch = Watch::over(self.flags, clock, self.wake_up.try_clone()?, self.cpu);
        // The image refers to the template's memory, which does not change while it waits for an order.
        position::until_asleep_in(self.template.id(), libc::SYS_recvmsg)?;
        Ok(Cell {
            process: Some(process),
            link,
            unread: FrameBuffer::default(),
            watch,
            image: None,
            handles: Some(handles),
            template: self.memory.try_clone()?,
        })
    }
}

fn pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
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
        let missing = || io::Error::other("a second first checkpoint");
        let handles = self.handles.take().ok_or_else(missing)?;
        let process = self.process.ok_or_else(missing)?.as_raw_nonzero().get().cast_unsigned();
        let position = Position::of(process)?;
        self.image = Some(Image::take(process, handles, position, self.template.try_clone()?)?);
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
        if let Some(process) = self.process {
            // A dead process is as good as a killed one.
            let _ = kill_process(process, Signal::KILL);
        }
        self.reap()
    }

    /// Waits for the end of a cell that has closed its sockets.
    pub(crate) fn reap(&mut self) -> Option<ExitStatus> {
        let process = self.process.take()?;
        loop {
            match waitpid(Some(process), WaitOptions::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                ended => return ended.ok()?.map(|(_, status)| ExitStatus::from_raw(status.as_raw())),
            }
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.kill();
    }
}
