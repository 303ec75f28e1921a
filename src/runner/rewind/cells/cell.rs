//! The cell: a copy of the [`blank`](super::blank) that runs handler after handler from the same memory.
//!
//! Its main thread goes into the sandbox, waits at the [`checkpoint`], does one run, and goes back to the
//! checkpoint. There its warden puts the memory back, and the same first wait ends again: nothing in
//! this file happens twice as far as the cell can tell. A second thread sleeps in read(2) from before
//! the checkpoint on; it wakes only to stop a run, after which the process ends.

use std::{
    io::{self, Stdin},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    rc::Rc,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use deno_core::v8::IsolateHandle;
use isochron::runtime::protocol::{FromRunner, Settings};
use rustix::process::{Pid, Signal, getppid};
use tokio::io::{Interest, unix::AsyncFd};

use super::made::Made;
use crate::runner::{
    isolate::{engine, fresh::Isolate},
    os,
    rewind::{checkpoint, handover::Handles, image, intruder::Intruder, memory, relay::INTERRUPT},
    run::drive::{self, RunContext},
    sandbox::{self, Inmate, Layers},
    watchdog::{
        interrupt,
        pump::{Pump, exit_after},
        supervisor::Shared,
        target::Target,
    },
};

/// Bytes of the stack that are there before the first run, so that few runs make it grow.
const STACK: usize = 2 * 1024 * 1024;

/// The time in which V8 records the frames of a run before it is terminated.
const INTERRUPTED: Duration = Duration::from_millis(10);

/// Serves runs in a copy of the blank, over its ends of its frames, its control socket, and the pipe of stops.
///
/// # Errors
/// When the process does not get what it needs, or the warden is gone.
pub(super) fn serve(
    made: Made,
    (blank, warden): (Pid, Pid),
    ends: [OwnedFd; 3],
    intrude: Option<&str>,
) -> io::Result<()> {
    let Made { mut isolate, settings, shared, pump, flags } = made;
    let [frames, control, stops] = ends;
    rustix::thread::set_name(c"cell")?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(blank) {
        os::exit_now(0);
    }
    os::may_be_traced_by(warden);
    os::replace(io::stdin().as_raw_fd(), frames.as_fd())?;
    drop(frames);
    let handles = Handles::open()?;
    let mut maps = handles.maps.try_clone()?;
    handles.send(control.as_fd())?;
    let intruder = intrude.map(|act| Intruder::named(act, control.as_raw_fd(), flags)).transpose()?;
    let pending = sandbox::restrict_files(Layers::All);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let socket = {
        let _context = tokio.enter();
        listen()?
    };
    let handle = isolate.runtime.v8_isolate().thread_safe_handle();
    start_stopper(stops, handle.clone())?;
    shared.watch.set_ready(Target::Isolate(handle));
    image::seal(&mut maps)?;
    drop(maps);
    let sandbox = pending.install_seccomp(Inmate::Cell);
    shared.outbox.send(&FromRunner::Ready { engine: engine::name(), sandbox: Some(sandbox), process: None });
    tokio.block_on(async {
        memory::grow_stack(STACK);
        checkpoint::rest(control.as_raw_fd());
        flags.begin();
        intruder.iter().for_each(Intruder::look);
        run(&mut isolate, &settings, &shared, &pump, &socket).await;
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
                    // V8 heeds a termination first, and one may wait behind this order.
                    interrupt::request_and_wait(&isolate, INTERRUPTED);
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
async fn run(
    isolate: &mut Isolate,
    settings: &Rc<Settings>,
    shared: &Shared,
    pump: &Pump,
    socket: &AsyncFd<Stdin>,
) {
    let request = loop {
        match pump.take_run() {
            Some(run) => break run,
            None => pump.wait().unwrap_or_else(|error| exit_after(&error)),
        }
    };
    // The isolate has drawn chance before the checkpoint, and would draw the same in each run.
    engine::let_reseed();
    let Isolate { entries, runtime } = isolate;
    let work = drive::run(RunContext { runtime, entries, shared, settings }, *request);
    let done = tokio::select! {
        biased;
        error = pump_frames(pump, socket) => exit_after(&error),
        done = work => done,
    };
    shared.outbox.send(&FromRunner::Done(Box::new(done)));
    while !pump.is_over() {
        pump.wait().unwrap_or_else(|error| exit_after(&error));
    }
}

/// Handles frames until the socket fails.
async fn pump_frames(pump: &Pump, socket: &AsyncFd<Stdin>) -> io::Error {
    loop {
        match socket.readable().await {
            // Cleared first: bytes that arrive after the last read make it readable again.
            Ok(mut ready) => ready.clear_ready(),
            Err(error) => return error,
        }
        if let Err(error) = pump.receive() {
            return error;
        }
    }
}
