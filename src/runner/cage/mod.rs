//! The cage: what a runner gives up before a handler runs in it.
//!
//! V8 is the first wall and the process another. This is for the day on which a handler
//! breaks through V8 and makes system calls of its own: it finds no files, no network,
//! no other process, and a kernel of which only memory, time and one socket are left.
//!
//! Three steps, and their order matters:
//!
//! 1. [`renounce`], first of all: no new privileges, no tracing, no core dump.
//!    [`seclude`]: no descriptor but the standard ones and the snapshot's.
//! 2. [`enter`], **before any other thread exists**, because Landlock holds the thread that
//!    asks and those made later, not those that are there: no file and no network. V8, ICU
//!    and glibc then start without files, which they can: glibc cannot read
//!    `/proc/self/maps`, so V8 takes `__libc_stack_end` for the stack's start, and
//!    `std` cannot read the cgroup's CPU quota, so V8's threads are counted by affinity.
//! 3. [`Door::shut`], once everything that takes unusual system calls is made (V8's
//!    threads, the supervisor, tokio, the first isolate) and before the server hears
//!    `Ready`: seccomp on all threads at once ([`seccomp`]).
//!
//! A kernel that lacks one of these is no reason not to run: what was reached goes to the
//! server, which says so.
//!
//! How to misuse it: start a thread before [`enter`]; open, after it, what is not open yet;
//! need a new system call later and not name it in [`seccomp`] — it fails with `ENOSYS`.

mod descriptors;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod seccomp;

use std::os::fd::RawFd;

use isochron::runtime::protocol::{Cage, CageLevel};
use rustix::process::{self, Resource, Rlimit};

use super::os;

/// Descriptors a runner may have open: it needs five.
const DESCRIPTORS: u64 = 64;

/// Which walls to put up: all of them, but for the probes that look at each alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Walls {
    /// The cage.
    All,
    /// Landlock without seccomp.
    Landlock,
    /// seccomp without Landlock.
    Seccomp,
    /// None: to see that what the cage prevents would work without it.
    None,
}

/// How far one wall came, in words.
enum Wall {
    Whole(String),
    Partial(String),
    Missing(String),
}

/// Gives up what neither a runner nor the child that makes the snapshot needs. Best effort:
/// on a system without one of them it still runs.
pub(super) fn renounce() {
    #[cfg(target_os = "linux")]
    {
        use rustix::{process::DumpableBehavior, thread};
        // prctl(2): PR_SET_NO_NEW_PRIVS is also what allows the two walls without root.
        let _ = thread::set_no_new_privs(true);
        // Neither ptrace(2) nor /proc/<pid>/mem of a sibling that broke out gets in here.
        let _ = process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    limit(Resource::Core, 0);
}

/// Closes every inherited descriptor but the standard ones and `keep`, and allows few more
/// and no writing to files (getrlimit(2)).
pub(super) fn seclude(keep: RawFd, walls: Walls) {
    if walls == Walls::None {
        return;
    }
    descriptors::close_all_but(keep);
    limit(Resource::Nofile, DESCRIPTORS);
    limit(Resource::Fsize, 0);
}

fn limit(resource: Resource, to: u64) {
    // Fails only when the limit is lower already.
    let _ = process::setrlimit(resource, Rlimit { current: Some(to), maximum: Some(to) });
}

/// Takes the file system and the network away, from this thread and every later one.
pub(super) fn enter(walls: Walls) -> Door {
    // rustix finds the kernel's fast clock at its first use, and may have to read a file for it.
    os::monotonic();
    let files = match walls {
        Walls::All | Walls::Landlock => no_files(),
        Walls::Seccomp | Walls::None => Wall::Missing("no Landlock (left out)".to_owned()),
    };
    Door { walls, files }
}

/// The cage, still open on one side.
#[must_use = "an open door holds nobody"]
pub(super) struct Door {
    walls: Walls,
    files: Wall,
}

impl Door {
    /// Leaves all threads of the process no system call but those that a run needs.
    pub(super) fn shut(self) -> Cage {
        let calls = match self.walls {
            Walls::All | Walls::Seccomp => few_calls(),
            Walls::Landlock | Walls::None => Wall::Missing("no seccomp (left out)".to_owned()),
        };
        reached(self.files, calls)
    }
}

fn reached(files: Wall, calls: Wall) -> Cage {
    let level = match (&files, &calls) {
        (Wall::Whole(_), Wall::Whole(_)) => CageLevel::Full,
        (Wall::Missing(_), Wall::Missing(_)) => CageLevel::ProcessBoundary,
        _ => CageLevel::Partial,
    };
    let [files, calls] = [files, calls].map(|wall| match wall {
        Wall::Whole(text) | Wall::Partial(text) | Wall::Missing(text) => text,
    });
    Cage { level, text: format!("{files}, {calls}") }
}

#[cfg(target_os = "linux")]
use landlock::no_files;
#[cfg(not(target_os = "linux"))]
fn no_files() -> Wall {
    Wall::Missing("no Landlock on this system".to_owned())
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use seccomp::few_calls;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn few_calls() -> Wall {
    Wall::Missing("no seccomp on this system".to_owned())
}
