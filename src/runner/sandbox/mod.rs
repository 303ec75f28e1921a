//! The sandbox: a runner gives up its rights before a handler runs in it.
//!
//! V8 keeps a handler in its isolate, and the process boundary keeps it from the server. The sandbox
//! is for a handler that has broken out of V8 and makes system calls of its own: it reaches no file,
//! no network and no other process, and of the kernel only memory, time and one socket.
//!
//! Three steps, in this order:
//!
//! 1. [`drop_privileges`], first of all: no new privileges, no core dump; and [`refuse_tracing`], which a
//!    cell leaves out: its warden looks into it. Then [`close_descriptors`]: only the standard descriptors and the snapshot's stay open.
//! 2. [`restrict_files`], **before any other thread exists**: Landlock restricts the calling thread
//!    and the threads that it starts later, not existing threads. It leaves no file and no network.
//!    V8, ICU and glibc start without files: glibc cannot read `/proc/self/maps`, so V8 takes
//!    `__libc_stack_end` for the stack's start; `std` cannot read the cgroup's CPU quota, so V8's
//!    threads are counted by affinity.
//! 3. [`PendingSeccomp::install_seccomp`], once everything exists that needs unusual system calls
//!    (V8's threads, the supervisor, tokio, the first isolate) and before `Ready` is sent: seccomp on
//!    all threads at once ([`seccomp`]).
//!
//! A runner also serves on a kernel that lacks a layer: it reports the layers in place, and `/ready`
//! and the server's log show them.
//!
//! How to misuse it: start a thread before [`restrict_files`]; open a file after it; need a new
//! system call later and not name it in [`seccomp`], where it fails with `ENOSYS`.

mod descriptors;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod seccomp;

use std::os::fd::RawFd;

use crate::runner::os;
use isochron::runtime::protocol::{Sandbox, SandboxLevel};
use rustix::process::{self, Resource, Rlimit};

/// Descriptors a runner may have open: it needs five.
const DESCRIPTORS: u64 = 64;

/// The layers to install: all, except in probes that test one layer alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Layers {
    /// Landlock and seccomp.
    All,
    /// Landlock without seccomp.
    Landlock,
    /// seccomp without Landlock.
    Seccomp,
    /// No layer: shows that a refused call works without the sandbox.
    None,
}

/// The process in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inmate {
    /// A runner that makes isolates.
    Runner,
    /// A cell of a runner that puts its memory back.
    Cell,
}

/// How much of one layer is in place, with a text for `/ready`.
enum Layer {
    Full(String),
    Partial(String),
    Missing(String),
}

/// Gives up privileges that neither a runner nor the child that makes the snapshot needs. Best
/// effort: a system without one of the calls still runs handlers.
pub(crate) fn drop_privileges() {
    // prctl(2): PR_SET_NO_NEW_PRIVS also allows the two layers without root.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_no_new_privs(true);
    set_limit(Resource::Core, 0);
}

/// Has the kernel refuse ptrace(2) and /proc/PID/mem of this process to a sibling that broke out.
pub(crate) fn refuse_tracing() {
    #[cfg(target_os = "linux")]
    let _ = process::set_dumpable_behavior(process::DumpableBehavior::NotDumpable);
}

/// Closes every inherited descriptor but the standard ones and those in `keep`, limits new ones to
/// [`DESCRIPTORS`] and the size of a written file to 0 (getrlimit(2)).
pub(crate) fn close_descriptors(keep: &[RawFd], layers: Layers) {
    if layers == Layers::None {
        return;
    }
    descriptors::close_all_but(keep);
    limit_files();
}

/// Limits new descriptors to [`DESCRIPTORS`] and the size of a written file to 0 (getrlimit(2)).
fn limit_files() {
    set_limit(Resource::Nofile, DESCRIPTORS);
    set_limit(Resource::Fsize, 0);
}

fn set_limit(resource: Resource, to: u64) {
    // Fails only when the limit is lower already.
    let _ = process::setrlimit(resource, Rlimit { current: Some(to), maximum: Some(to) });
}

/// Takes the file system and the network away from this thread and every later one.
pub(crate) fn restrict_files(layers: Layers) -> PendingSeccomp {
    // rustix looks for the kernel's fast clock at its first use, and may read a file for it.
    os::monotonic();
    let files = match layers {
        Layers::All | Layers::Landlock => install_landlock(),
        Layers::Seccomp | Layers::None => Layer::Missing("no Landlock (left out)".to_owned()),
    };
    PendingSeccomp { layers, files }
}

/// A sandbox without seccomp yet.
#[must_use = "without seccomp a runner may make any system call"]
pub(crate) struct PendingSeccomp {
    layers: Layers,
    files: Layer,
}

impl PendingSeccomp {
    /// Restricts all threads of the process to the system calls that a run needs; returns the layers
    /// in place.
    pub(crate) fn install_seccomp(self, inmate: Inmate) -> Sandbox {
        let calls = match self.layers {
            Layers::All | Layers::Seccomp => install_filters(inmate),
            Layers::Landlock | Layers::None => Layer::Missing("no seccomp (left out)".to_owned()),
        };
        summarise(self.files, calls)
    }
}

fn summarise(files: Layer, calls: Layer) -> Sandbox {
    let level = match (&files, &calls) {
        (Layer::Full(_), Layer::Full(_)) => SandboxLevel::Full,
        (Layer::Missing(_), Layer::Missing(_)) => SandboxLevel::ProcessBoundary,
        _ => SandboxLevel::Partial,
    };
    let [files, calls] = [files, calls].map(|layer| match layer {
        Layer::Full(text) | Layer::Partial(text) | Layer::Missing(text) => text,
    });
    Sandbox { level, text: format!("{files}, {calls}") }
}

#[cfg(target_os = "linux")]
use landlock::install_landlock;
#[cfg(not(target_os = "linux"))]
fn install_landlock() -> Layer {
    Layer::Missing("no Landlock on this system".to_owned())
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use seccomp::install_filters;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn install_filters(_inmate: Inmate) -> Layer {
    Layer::Missing("no seccomp on this system".to_owned())
}
