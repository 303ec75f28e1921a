//! The nursery: has cells made, and ends them.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd, RawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use isochron::runtime::protocol::{FrameBuffer, Settings, ToRunner};
use rustix::{
    net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal, kill_process},
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
    watchdog::{
        flags::Flags,
        target::Target,
        watch::{self, Watch},
    },
};

/// Has cells made.
pub(crate) struct Nursery {
    flags: &'static Flags,
    wake_up: OwnedFd,
    /// CPU time of a run.
    cpu: Duration,
    blank: Arc<Blank>,
}

/// The process that cells are copies of.
struct Blank {
    process: Pid,
    /// Where it waits for orders.
    control: OwnedFd,
    /// Its /proc/PID/mem.
    memory: File,
    /// The template of this runner alone, if the server has none.
    _template: Option<Template>,
}

/// A template that this process has started. It ends when its orders close.
struct Template {
    child: Child,
    /// Its standard input, which has brought it the settings.
    _frames: OwnedFd,
    orders: OwnedFd,
}

/// A cell.
pub(crate) struct Cell {
    /// `None` once someone has waited for its end.
    process: Option<Pid>,
    pub(crate) link: Arc<Link>,
    pub(crate) unread: FrameBuffer,
    pub(crate) watch: Watch,
    pub(crate) image: Option<Image>,
    /// Whether its memory was put back before.
    pub(crate) is_used: bool,
    handles: Option<Handles>,
    blank: Arc<Blank>,
}

impl Nursery {
    /// Gets a blank from the template behind `orders`, or from one of its own, which maps the snapshot of this
    /// descriptor and whose cells `intrude`.
    ///
    /// # Errors
    /// When no process starts, or the shared memory cannot be mapped.
    pub(crate) fn new(
        snapshot: RawFd,
        orders: Option<OwnedFd>,
        settings: &Settings,
        shared: &OwnedFd,
        intrude: Option<&str>,
    ) -> io::Result<Self> {
        let flags = memory::map_flags(shared.as_fd())?;
        let wake_up = watch::wake_up()?;
        let means = [shared.as_fd(), wake_up.as_fd()];
        let given = orders.filter(|_| intrude.is_none()).and_then(|orders| Blank::ask(&orders, means).ok());
        let blank = match given {
            Some(blank) => blank,
            None => {
                let template = Template::start(snapshot, settings, intrude)?;
                let blank = Blank::ask(&template.orders, means)?;
                Blank { _template: Some(template), ..blank }
            }
        };
        let cpu = Duration::from_millis(settings.cpu);
        Ok(Self { flags, wake_up, cpu, blank: Arc::new(blank) })
    }

    /// Has a cell made. It is ready once it stands at its checkpoint.
    ///
    /// # Errors
    /// When the blank makes none, or it does not give access to its memory.
    pub(crate) fn start(&self) -> io::Result<Cell> {
        let (frames, their_frames) = pair(SocketType::STREAM)?;
        let (control, their_control) = pair(SocketType::SEQPACKET)?;
        let (their_stops, stops) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&stops, true)?;
        self.forget_flags();
        let ends = [their_frames.as_fd(), their_control.as_fd(), their_stops.as_fd()];
        handover::send(self.blank.control.as_fd(), &ends)?;
        drop((their_frames, their_control, their_stops));
        let (process, handles) = Handles::receive(control.as_fd())?;
        let link = Arc::new(Link::new(frames, control, stops));
        let clock = CpuClock::of_process(process).ok_or_else(|| io::Error::other("the cell has no clock"))?;
        let watch = Watch::over(self.flags, clock, self.wake_up.try_clone()?, self.cpu);
        // The image refers to the blank's memory, which does not change while it waits for an order.
        position::until_asleep_in(self.blank.process, libc::SYS_recvmsg)?;
        let (unread, blank) = (FrameBuffer::default(), self.blank.clone());
        Ok(Cell {
            process: Some(process),
            link,
            unread,
            watch,
            image: None,
            is_used: false,
            handles: Some(handles),
            blank,
        })
    }
}

impl Blank {
    /// Gets one from a template.
    fn ask(orders: &OwnedFd, means: [BorrowedFd<'_>; 2]) -> io::Result<Self> {
        let (control, theirs) = pair(SocketType::SEQPACKET)?;
        let [shared, wake_up] = means;
        let errors = io::stderr();
        handover::send(orders.as_fd(), &[theirs.as_fd(), shared, wake_up, errors.as_fd()])?;
        drop(theirs);
        let (process, [memory]) = handover::receive(control.as_fd())?;
        Ok(Self { process, control, memory: memory.into(), _template: None })
    }

    /// Waits for the end of its last cell.
    fn reap(&self) -> Option<ExitStatus> {
        handover::send(self.control.as_fd(), &[]).ok()?;
        let mut status = [0; size_of::<i32>()];
        let (read, _) = rustix::net::recv(&self.control, &mut status, RecvFlags::empty()).ok()?;
        (read == status.len()).then(|| ExitStatus::from_raw(i32::from_ne_bytes(status)))
    }
}

impl Template {
    fn start(snapshot: RawFd, settings: &Settings, intrude: Option<&str>) -> io::Result<Self> {
        let (frames, their_frames) = pair(SocketType::STREAM)?;
        let (orders, their_orders) = pair(SocketType::SEQPACKET)?;
        let child = Command::new("/proc/self/exe")
            .arg0("isochron")
            .args(["runner", "--template-snapshot-fd", &snapshot.to_string()])
            .args(intrude.iter().flat_map(|act| ["--intrude", act]))
            .env_clear()
            .env("TZ", "UTC")
            .stdin(Stdio::from(their_frames))
            .stdout(Stdio::from(their_orders))
            .stderr(Stdio::inherit())
            .spawn()?;
        let mut start = Queue::default();
        start.push(&ToRunner::Start(settings.clone()))?;
        start.flush(frames.as_fd())?;
        Ok(Self { child, _frames: frames, orders })
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        // A dead process is as good as a killed one.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
        let first = self.process.zip(self.handles.take());
        let (process, handles) = first.ok_or_else(|| io::Error::other("a second first checkpoint"))?;
        let position = Position::of(process)?;
        self.image = Some(Image::take(process, handles, position, self.blank.memory.try_clone()?)?);
        Ok(())
    }

    /// The process.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.map(|process| process.as_raw_nonzero().get().cast_unsigned())
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

    /// Waits for the end of a cell that has closed its sockets; `None` if someone has waited already.
    pub(crate) fn reap(&mut self) -> Option<ExitStatus> {
        self.process.take().and_then(|_| self.blank.reap())
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.kill();
    }
}
