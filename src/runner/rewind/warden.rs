//! The warden: passes frames between the server and its cell, enforces the limits, and puts the cell's
//! memory back. It never runs JavaScript.

use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, RawFd},
        unix::process::ExitStatusExt,
    },
    process::ExitStatus,
    time::Duration,
};

use isochron::{
    domain::execution::Reason,
    runtime::protocol::{Done, End, FrameBuffer, FromRunner, Run, Sandbox, Settings, ToRunner},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::RecvFlags,
};

use crate::runner::{
    Flags, os,
    rewind::{
        checkpoint::{HERE, Order},
        memory,
        nursery::{Cell, Nursery},
        relay::{self, Queue},
    },
    sandbox::{self, Layers},
    watchdog::{link::log, pump::ToCell},
};

/// The time in which a cell that has ended a run reaches its checkpoint.
const AT_REST_WITHIN: Duration = Duration::from_secs(2);

/// Serves runs over standard input.
///
/// # Errors
/// When no cell starts, or the server's frames cannot be read.
pub(crate) fn serve(snapshot: RawFd, options: &Flags) -> io::Result<()> {
    let template = options.template_fd;
    let shared = memory::make_shared()?;
    let keep = [snapshot, shared.as_raw_fd(), template.unwrap_or(snapshot)];
    sandbox::close_descriptors(&keep, Layers::All);
    let mut unread = FrameBuffer::default();
    let settings = receive_settings(&mut unread)?;
    let orders = template.map(|number| os::adopt(number).into());
    let nursery = Nursery::new(snapshot, orders, &settings, &shared, options.intrude.as_deref())?;
    let cell = nursery.start()?;
    let mut warden = Warden {
        nursery,
        cell,
        compares: options.compare,
        unread,
        outgoing: Queue::default(),
        phase: Phase::Starting,
        given: None,
        engine: String::new(),
        sandbox: None,
        lease: None,
    };
    loop {
        warden.turn()?;
    }
}

/// Reads the first frame of standard input.
///
/// # Errors
/// At the end of the stream, and when it is another frame.
pub(super) fn receive_settings(unread: &mut FrameBuffer) -> io::Result<Settings> {
    loop {
        match unread.next_frame()? {
            Some(ToRunner::Start(settings)) => return Ok(settings),
            Some(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the first frame is not Start"));
            }
            None => {
                let server = io::stdin();
                let mut fds = [PollFd::new(&server, PollFlags::IN)];
                wait(&mut fds, None)?;
                if !relay::read(server.as_fd(), unread)? {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
}

/// The state of the cell.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// It makes its isolate.
    Starting,
    /// It waits for a run.
    Ready,
    /// It runs.
    Running(Course),
    /// It has ended a run cleanly and must be at its checkpoint by then.
    Ended { rest_by: Duration },
    /// Its memory is put back, it removes mappings, and must answer by then.
    Rewound { answer_by: Duration },
}

/// What has come of a run so far.
#[derive(Debug, Clone, Copy)]
struct Course {
    /// The time by which the cell must have begun it; `None` once it has, and for a cell's first run.
    begin_by: Option<Duration>,
    /// Whether it has made calls.
    has_called: bool,
    /// Whether the cell has said that it stands at its checkpoint before the end of the run was read.
    has_arrived: bool,
}

struct Warden {
    nursery: Nursery,
    cell: Cell,
    /// Whether memory is compared with its image after each run.
    compares: bool,
    /// Bytes of the server.
    unread: FrameBuffer,
    /// Frames to the server.
    outgoing: Queue,
    phase: Phase,
    /// The run that a used cell was given, until the run ends.
    given: Option<Box<Run>>,
    engine: String,
    sandbox: Option<Sandbox>,
    /// The end of the lease, since the start of the machine.
    lease: Option<Duration>,
}

impl Warden {
    /// Acts on the clock, then on everything that has arrived.
    fn turn(&mut self) -> io::Result<()> {
        let sleep = self.act_on_clock()?;
        let (server, wake_up) = (io::stdin(), self.cell.watch.wake_up());
        let out = |waits| if waits { PollFlags::OUT } else { PollFlags::empty() };
        let is_full = !self.outgoing.is_empty();
        let from_cell = if is_full { PollFlags::empty() } else { PollFlags::IN };
        let mut fds = [
            PollFd::new(&server, PollFlags::IN | out(is_full)),
            PollFd::new(&self.cell.link.frames, from_cell | out(self.cell.link.is_waiting())),
            PollFd::new(&self.cell.link.control, PollFlags::IN),
            PollFd::new(&wake_up, PollFlags::IN),
        ];
        wait(&mut fds, sleep)?;
        let [from_server, from_cell, from_control, woken] = fds.map(|fd| !fd.revents().is_empty());
        if woken {
            self.cell.watch.clear_wake_up();
        }
        self.cell.link.flush();
        self.flush()?;
        if from_server {
            self.read_server()?;
        }
        if from_cell {
            self.read_cell()?;
        }
        if from_control {
            self.read_control()?;
        }
        self.flush()
    }

    /// Enforces the limits; returns the time until it has to be called again.
    fn act_on_clock(&mut self) -> io::Result<Option<Duration>> {
        let tick = self.cell.watch.tick();
        if let Some(usage) = tick.report.filter(|_| self.outgoing.is_empty()) {
            self.outgoing.push(&FromRunner::Usage(usage))?;
        }
        if let Some(reason) = tick.overdue {
            self.die_of(reason);
        }
        let is_running = matches!(self.phase, Phase::Running(_));
        let lease = self.lease.filter(|_| is_running).map(|until| until.saturating_sub(os::since_boot()));
        if lease == Some(Duration::ZERO) {
            log("the lease of the server is over, so the runner exits");
            self.end(1);
        }
        let by = match self.phase {
            Phase::Ended { rest_by } => Some(rest_by),
            Phase::Rewound { answer_by } => Some(answer_by),
            Phase::Running(course) => course.begin_by,
            Phase::Starting | Phase::Ready => None,
        };
        let left = by.map(|by| by.saturating_sub(os::monotonic()));
        if left == Some(Duration::ZERO) {
            match self.phase {
                Phase::Running(course) if self.cell.watch.has_begun() => {
                    self.phase = Phase::Running(Course { begin_by: None, ..course });
                }
                _ => self.replace_cell()?,
            }
        }
        Ok(tick.sleep.into_iter().chain(lease).chain(left).min())
    }

    /// Ends a run that goes on although it is stopped.
    fn die_of(&mut self, reason: Reason) -> ! {
        // What cannot be sent now is of no use later.
        let _ = self.outgoing.push(&FromRunner::Dying(reason));
        let _ = self.flush();
        log("a stopped run does not end, so the runner exits");
        self.end(1)
    }

    fn end(&mut self, code: i32) -> ! {
        self.cell.kill();
        os::exit_now(code)
    }

    /// Sends what waits for the server.
    fn flush(&mut self) -> io::Result<()> {
        if self.outgoing.flush(io::stdin().as_fd()).is_err() {
            // The server is gone.
            self.end(0);
        }
        Ok(())
    }

    fn read_server(&mut self) -> io::Result<()> {
        if !relay::read(io::stdin().as_fd(), &mut self.unread)? {
            self.end(0);
        }
        while let Some(frame) = self.unread.next_frame()? {
            match frame {
                ToRunner::Lease { until } => self.lease = Some(Duration::from_millis(until)),
                ToRunner::Start(_) => return Err(unexpected("a second Start")),
                ToRunner::Run(run) => self.start_run(run)?,
                ToRunner::Cancel { run } => self.cell.watch.cancel(run),
                // An answer that comes after its run has no reader.
                reply @ ToRunner::Reply { .. } => {
                    if matches!(self.phase, Phase::Running(_)) {
                        self.cell.link.push(&ToCell::Frame(Box::new(reply)))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn start_run(&mut self, run: Box<Run>) -> io::Result<()> {
        if !self.cell.watch.start_run(&run) {
            return Err(unexpected("a Run before Ready"));
        }
        let frame = ToCell::Frame(Box::new(ToRunner::Run(run)));
        self.cell.link.push(&frame)?;
        // A cell that has died is noticed at its frames.
        let _ = self.cell.order(Order::Go);
        self.given = match frame {
            ToCell::Frame(frame) if self.cell.is_used => match *frame {
                ToRunner::Run(run) => Some(run),
                _ => None,
            },
            _ => None,
        };
        let begin_by = self.given.is_some().then(|| os::monotonic() + AT_REST_WITHIN);
        self.phase = Phase::Running(Course { begin_by, has_called: false, has_arrived: false });
        Ok(())
    }

    fn read_cell(&mut self) -> io::Result<()> {
        let lives = relay::read(self.cell.link.frames.as_fd(), &mut self.cell.unread)?;
        while let Some(frame) = self.cell.unread.next_frame::<FromRunner>()? {
            match (frame, self.phase) {
                (FromRunner::Ready { engine, sandbox, .. }, Phase::Starting) => {
                    self.engine = engine;
                    self.sandbox = self.sandbox.take().or(sandbox);
                }
                (FromRunner::Done(done), Phase::Running(course)) => return self.end_run(done, course),
                (frame, Phase::Running(course)) => {
                    if matches!(frame, FromRunner::Call { .. }) {
                        self.phase = Phase::Running(Course { has_called: true, ..course });
                    }
                    self.outgoing.push(&frame)?;
                }
                // Only code that has broken out sends other frames.
                _ => return self.replace_cell(),
            }
        }
        if !lives {
            self.mourn()?;
        }
        Ok(())
    }

    /// Passes the end of a run on, and decides about the cell.
    fn end_run(&mut self, done: Box<Done>, course: Course) -> io::Result<()> {
        let is_clean = is_clean(&done.end) && self.cell.watch.stop_reason().is_none();
        self.cell.watch.end_run();
        self.given = None;
        self.outgoing.push(&FromRunner::Done(done))?;
        self.flush()?;
        if !is_clean {
            return self.replace_cell();
        }
        self.phase = Phase::Ended { rest_by: os::monotonic() + AT_REST_WITHIN };
        if course.has_called {
            // Answers may be on their way.
            self.cell.link.push(&ToCell::Rest)?;
        }
        if course.has_arrived { self.rewind() } else { Ok(()) }
    }

    fn read_control(&mut self) -> io::Result<()> {
        let mut byte = [0];
        match rustix::net::recv(&self.cell.link.control, &mut byte, RecvFlags::DONTWAIT) {
            Ok((_, 1)) if byte[0] == HERE => {}
            // The end of a cell is noticed at its frames.
            _ => return Ok(()),
        }
        match self.phase {
            Phase::Starting => {
                // It sends its frame before it comes here.
                self.read_cell()?;
                self.cell.take_image()?;
                self.become_ready()
            }
            Phase::Ended { .. } => self.rewind(),
            Phase::Rewound { .. } => {
                self.compare()?;
                self.become_ready()
            }
            Phase::Running(course) if !course.has_arrived => {
                self.phase = Phase::Running(Course { has_arrived: true, ..course });
                Ok(())
            }
            Phase::Ready | Phase::Running(_) => self.replace_cell(),
        }
    }

    fn rewind(&mut self) -> io::Result<()> {
        let Some(image) = &mut self.cell.image else { return self.replace_cell() };
        let added = match image.put_back() {
            Ok(added) => added,
            Err(lost) => {
                log(&format!("the memory of a run cannot be put back: {lost}"));
                return self.replace_cell();
            }
        };
        if !self.cell.is_quiet()? {
            log("a run has left something in a socket");
            return self.replace_cell();
        }
        self.nursery.forget_flags();
        self.cell.is_used = true;
        if added.is_empty() {
            self.compare()?;
            return self.become_ready();
        }
        for (address, length) in added {
            self.cell.order(Order::Unmap(address, length))?;
        }
        self.cell.order(Order::Answer)?;
        self.phase = Phase::Rewound { answer_by: os::monotonic() + AT_REST_WITHIN };
        Ok(())
    }

    /// Tells in which bytes the memory is not as it was, if it is asked to.
    fn compare(&self) -> io::Result<()> {
        if self.compares
            && let Some(image) = &self.cell.image
        {
            let differing = image.differences()?;
            log(&format!("{} bytes are not as they were: {differing:x?}", differing.len()));
        }
        Ok(())
    }

    fn become_ready(&mut self) -> io::Result<()> {
        self.phase = Phase::Ready;
        self.cell.set_ready();
        if let Some(run) = self.given.take() {
            return self.start_run(run);
        }
        let sandbox =
            self.sandbox.take().map(|Sandbox { level, text }| Sandbox { level, text: text + ", rewind" });
        let process = self.cell.id();
        self.outgoing.push(&FromRunner::Ready { engine: self.engine.clone(), sandbox, process })
    }

    /// Ends the cell and starts another. The other one gets a run that this one was given and has not begun.
    fn replace_cell(&mut self) -> io::Result<()> {
        self.cell.kill();
        self.given = self.given.take().filter(|_| !self.cell.watch.has_begun());
        self.cell = self.nursery.start()?;
        self.phase = Phase::Starting;
        Ok(())
    }

    /// The cell is dead. If a run was in progress, or none can begin, the warden ends as its cell has. A state of the
    /// processor in which a former run has left it may end it before it begins the next one.
    fn mourn(&mut self) -> io::Result<()> {
        let status = self.cell.reap();
        let has_not_begun = self.given.is_some() && !self.cell.watch.has_begun();
        if has_not_begun || matches!(self.phase, Phase::Ended { .. } | Phase::Rewound { .. }) {
            return self.replace_cell();
        }
        let _ = self.flush();
        end_as(status)
    }
}

/// Whether a run ended by itself: nothing had to stop it.
fn is_clean(end: &End) -> bool {
    match end {
        End::Loaded | End::Returned { .. } => true,
        End::Failed { reason, .. } => matches!(
            reason,
            Reason::Exception
                | Reason::ReturnedFailure
                | Reason::BadResult
                | Reason::LoadError
                | Reason::NeverSettled
        ),
    }
}

/// Waits for one of the descriptors, or the time.
fn wait(fds: &mut [PollFd<'_>], sleep: Option<Duration>) -> io::Result<()> {
    // poll(2) rounds down: without 50 us more it would return early and spin.
    let limit = sleep.map(|sleep| sleep + Duration::from_micros(50));
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(fds, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Ends this process as another has ended, so that the server learns why.
fn end_as(status: Option<ExitStatus>) -> ! {
    match status.and_then(|status| status.signal()) {
        Some(signal) => os::die_by(signal),
        None => os::exit_now(status.and_then(|status| status.code()).unwrap_or(1)),
    }
}

fn unexpected(frame: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, frame)
}
