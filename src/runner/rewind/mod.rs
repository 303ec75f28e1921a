//! Rewind: a runner that puts its memory back after a run instead of making another isolate.
//!
//! The **warden** is the runner that the server has started: it holds the socket to the server, the limits
//! and the clock, and never runs JavaScript. The **template** ([`cells`]), one for all runners of a
//! server, makes an isolate and runs no handler. Each runner has a **blank**, a copy of the
//! template (fork(2)) that does nothing but make copies of itself. The **cell** is such a copy,
//! which goes into the sandbox and waits at a checkpoint ([`checkpoint`]). The warden notes the cell's
//! memory there ([`image`]), and after each run that ends cleanly it writes the pages that the run has
//! written over with what was there. After any other end, or when something is left that is not memory, it
//! has another cell made.
//!
//! Four connections lead from the warden to its cell: frames ([`relay`]); the control socket of the
//! checkpoint; a pipe to the cell's second thread, which stops JavaScript; and a page of memory with the
//! flags of the run.
//!
//! How to misuse it: have a second thread in the template; change anything in a blank after its first cell;
//! keep anything in the cell that is to outlast a run; use chance before the checkpoint (each run would draw
//! the same again); let a second thread of the cell wake in a clean run; believe a frame of the cell.
//!
//! A handler that has broken out of V8 reaches no later run. What it wrote to memory is put back from a
//! copy that it cannot reach. What it did to the processor is gone, for nothing at the checkpoint uses a
//! register that was set before ([`checkpoint`], [`image::position`]). Code it cannot change: the
//! kernel refuses it, or the cell is ended ([`image`]). A thread that it woke and bytes that it left in a
//! socket end the cell too. Of the kernel's state it
//! changes nothing that outlasts the run: the sandbox of a cell has no call for it
//! (`sandbox::seccomp::calls::CELL`). What stays is what the run has learnt of addresses, how far the clock
//! of the process has run, and its counts of faults and switches.

mod cells;
mod checkpoint;
mod handover;
mod image;
mod intruder;
mod kernel;
mod memory;
mod nursery;
mod relay;
mod warden;

pub(crate) use self::{cells::serve as serve_template, warden::serve as serve_warden};

use std::{fs, io, os::fd::AsFd};

use self::handover::Handles;

/// Whether this system can put memory back.
///
/// # Errors
/// The reason why not. Call it while the process is dumpable.
pub(crate) fn probe() -> io::Result<()> {
    let handles = Handles::open()?;
    fs::read("/proc/self/syscall")
        .map_err(|error| io::Error::new(error.kind(), format!("/proc/PID/syscall: {error}")))?;
    kernel::scan(handles.pagemap.as_fd(), &mut Vec::new(), false)
        .map_err(|error| io::Error::new(error.kind(), format!("PAGEMAP_SCAN: {error}")))?;
    // Yama(8): from 2 on a process that is no administrator's may not ask where another one waits.
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    match scope.trim() {
        "2" if !rustix::process::geteuid().is_root() => {
            Err(io::Error::other("kernel.yama.ptrace_scope is 2"))
        }
        "3" => Err(io::Error::other("kernel.yama.ptrace_scope is 3")),
        _ => Ok(()),
    }
}
