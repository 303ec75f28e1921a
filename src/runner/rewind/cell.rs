//! The cell: a process with one isolate that runs handler after handler from the same memory.
//!
//! Its main thread makes the isolate, waits at the [`checkpoint`], does one run, and goes back to the
//! checkpoint. There its warden puts the memory back, and the same first wait ends again: nothing in
//! this file happens twice as far as the cell can tell. A second thread sleeps in read(2) from before
//! the checkpoint on; it wakes only to stop a run, after which the process ends.

use std::{
    io::{self, Stdin},
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    rc::Rc,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use deno_core::v8::IsolateHandle;
use isochron::runtime::protocol::{FromRunner, Settings};
use rustix::process::Signal;
use tokio::io::{Interest, unix::AsyncFd};

use crate::runner::{
    isolate::{
        engine::{self, Threads},
        fresh::Isolate,
        snapshot, warmup,
    },
    os::{self, CpuClock},
    rewind::{
        checkpoint,
        handover::{self, Handles},
        image,
        intruder::Intruder,
        memory,
        relay::INTERRUPT,
    },
    run::drive::{self, RunContext},
    sandbox::{self, Inmate, Layers},
    watchdog::{
        interrupt, limits,
        link::{Outbox, PendingCalls},
        pump::{Pump, exit_after},
        supervisor::Shared,
        target::Target,
        watch::Watch,
    },
};

/// Bytes of the stack that are there before the first run, so that few runs make it grow.
const STACK: usize = 2 * 1024 * 1024;

/// The time in which V8 records the frames of a run before it is terminated.
const INTERRUPTED: Duration = Duration::from_millis(10);

/// Serves runs over standard input; standard output is the control socket to the warden.
///
/// # Errors
/// When the process does not get what it needs, or the warden is gone.
pub(crate) fn serve(snapshot_fd: RawFd, intrude: Option<&str>) -> io::Result<()> {
    let control = take_control()?;
    let handles = Handles::open()?;
    let mut maps = handles.maps.try_clone()?;
    handles.send(control.as_fd())?;
    sandbox::drop_privileges();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let [flags, wake_up, stops] = handover::receive(control.as_fd())?;
    let flags = memory::map_flags(flags.as_fd())?;
    let intruder = intrude.map(|act| Intruder::named(act, control.as_raw_fd(), flags)).transpose()?;
    let pending = sandbox::restrict_files(Layers::All);
    memory::settle();
    let snapshot = snapshot::map(&os::adopt(snapshot_fd))?;
    let (outbox, pump) = (Arc::new(Outbox::new()), Arc::new(Pump::default()));
    let over = |cpu_limit| {
        let wake_up = wake_up.try_clone()?;
        Ok::<_, io::Error>(Watch::over(flags, CpuClock::of_this_thread(), wake_up, cpu_limit))
    };
    let mut shared = Shared {
        watch: Arc::new(over(Duration::MAX)?),
        outbox,
        calls: Arc::new(PendingCalls::default()),
        pump: Some(pump.clone()),
    };
    let settings = Rc::new(receive_settings(&pump, &shared)?);
    shared.watch = Arc::new(over(Duration::from_millis(settings.cpu))?);
    engine::initialise(Some(&settings), Threads::One);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let socket = {
        let _context = tokio.enter();
        listen()?
    };
    limits::announce_through(&shared.outbox);
    tokio.block_on(async {
        warmup::warm_process(snapshot, &settings).await;
        let mut isolate = Isolate::new(snapshot, &settings, &shared);
        let handle = isolate.runtime.v8_isolate().thread_safe_handle();
        start_stopper(stops, handle.clone())?;
        shared.watch.set_ready(Target::Isolate(handle));
        image::seal(&mut maps)?;
        drop(maps);
        let sandbox = pending.install_seccomp(Inmate::Cell);
        shared.outbox.send(&FromRunner::Ready { engine: engine::name(), sandbox: Some(sandbox) });
        memory::trim();
        memory::grow_stack(STACK);
        checkpoint::rest(control.as_raw_fd());
        intruder.iter().for_each(Intruder::look);
        run(&mut isolate, &settings, &shared, &socket).await;
        intruder.iter().for_each(Intruder::act);
        // Returns where the first wait returned.
        checkpoint::rest(control.as_raw_fd());
        Err(io::Error::other("a cell went on after its run"))
    })
}

#[expect(unsafe_code, reason = "tokio has no safe form for a descriptor that another value uses")]
fn listen() -> io::Result<AsyncFd<Stdin>> {
    // SAFETY: standard input is open as long as the process, and names the same socket.
    Ok(unsafe { AsyncFd::register_with_interest(io::stdin(), Interest::READABLE) }?)
}

/// Moves the control socket away from standard output, on which libraries may print.
fn take_control() -> io::Result<OwnedFd> {
    let control = rustix::io::fcntl_dupfd_cloexec(io::stdout().as_fd(), 3)?;
    os::print_to_stderr()?;
    Ok(control)
}

fn receive_settings(pump: &Pump, shared: &Shared) -> io::Result<Settings> {
    loop {
        if let Some(settings) = pump.take_settings() {
            return Ok(settings);
        }
        pump.wait(shared)?;
    }
}

/// Starts the thread that stops JavaScript on the warden's order. It has begun when this returns: its
/// beginning needs system calls that the sandbox refuses.
fn start_stopper(orders: OwnedFd, isolate: IsolateHandle) -> io::Result<()> {
    let begun = Arc::new(Barrier::new(2));
    let begins = begun.clone();
    thread::Builder::new().name("stopper".into()).stack_size(128 * 1024).spawn(move || {
        begins.wait();
        let mut order = [0];
        loop {
            match rustix::io::read(&orders, &mut order) {
                Ok(1) if order[0] == INTERRUPT => {
                    interrupt::request(&isolate);
                    // V8 heeds a termination first, and one may wait behind this order.
                    thread::sleep(INTERRUPTED);
                }
                Ok(1) => {
                    isolate.terminate_execution();
                }
                Err(rustix::io::Errno::INTR) => {}
                _ => os::exit_now(0),
            }
        }
    })?;
    begun.wait();
    Ok(())
}

/// Does one run, and reads the frames that come after it.
async fn run(isolate: &mut Isolate, settings: &Rc<Settings>, shared: &Shared, socket: &AsyncFd<Stdin>) {
    let Some(pump) = &shared.pump else { return };
    let request = loop {
        match pump.take_run() {
            Some(run) => break run,
            None => pump.wait(shared).unwrap_or_else(|error| exit_after(&error)),
        }
    };
    // The isolate has drawn chance before the checkpoint, and would draw the same in each run.
    engine::reseed();
    let Isolate { entries, runtime } = isolate;
    let work = drive::run(RunContext { runtime, entries, shared, settings }, *request);
    let done = tokio::select! {
        biased;
        error = pump_frames(pump, shared, socket) => exit_after(&error),
        done = work => done,
    };
    shared.outbox.send(&FromRunner::Done(Box::new(done)));
    while !pump.is_over() {
        pump.wait(shared).unwrap_or_else(|error| exit_after(&error));
    }
}

/// Handles frames until the socket fails.
async fn pump_frames(pump: &Pump, shared: &Shared, socket: &AsyncFd<Stdin>) -> io::Error {
    loop {
        match socket.readable().await {
            // Cleared first: bytes that arrive after the last read make it readable again.
            Ok(mut ready) => ready.clear_ready(),
            Err(error) => return error,
        }
        if let Err(error) = pump.receive(shared) {
            return error;
        }
    }
}
