//! The operating system's clocks, `_exit`, and inherited descriptors.
//!
//! The runner reads the kernel's clocks here and nowhere else. The room `clock` is the
//! server's: its tests set the time, and no test sets a runner's.

use std::{
    fs::File,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, RawFd},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Time since an arbitrary start; never goes back.
pub(crate) fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    duration(now.tv_sec, now.tv_nsec)
}

/// Time since the machine started, that of its sleep included.
pub(crate) fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let now = clock_gettime(ClockId::Boottime);
    #[cfg(not(target_os = "linux"))]
    let now = clock_gettime(ClockId::Monotonic);
    duration(now.tv_sec, now.tv_nsec)
}

/// Time since 1970-01-01 UTC.
pub(crate) fn epoch() -> Duration {
    let now = clock_gettime(ClockId::Realtime);
    duration(now.tv_sec, now.tv_nsec)
}

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn epoch_millis() -> i64 {
    i64::try_from(epoch().as_millis()).unwrap_or(i64::MAX)
}

fn duration(seconds: i64, nanoseconds: i64) -> Duration {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    let nanoseconds = u32::try_from(nanoseconds).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

/// The CPU clock of one thread or process, readable from any other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// The clock of the calling thread.
    #[expect(unsafe_code, reason = "rustix has no pthread_getcpuclockid")]
    pub(crate) fn of_this_thread() -> Self {
        let mut id = 0;
        // SAFETY: the calling thread is alive, and `id` can be written.
        let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut id) };
        assert_eq!(failed, 0, "pthread_getcpuclockid of the running thread");
        Self(id)
    }

    /// The clock of whichever thread reads it.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_the_reading_thread() -> Self {
        Self(libc::CLOCK_THREAD_CPUTIME_ID)
    }

    /// The clock of a process, all its threads together; `None` if there is none of this id.
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "rustix has no clock_getcpuclockid")]
    pub(crate) fn of_process(process: rustix::process::Pid) -> Option<Self> {
        let mut id = 0;
        // SAFETY: `id` can be written; an unknown process is an error.
        let failed = unsafe { libc::clock_getcpuclockid(process.as_raw_nonzero().get(), &raw mut id) };
        (failed == 0).then_some(Self(id))
    }

    /// CPU time the thread has used, user and system together.
    #[expect(unsafe_code, reason = "rustix reads only the clocks it has a name for")]
    pub(crate) fn read(self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` can be written; an unknown clock is an error, not undefined behaviour.
        unsafe { libc::clock_gettime(self.0, &raw mut time) };
        duration(time.tv_sec, time.tv_nsec)
    }
}

/// Copies the process (fork(2)); `None` in the copy.
///
/// # Errors
/// When the system makes no process.
#[expect(unsafe_code, reason = "rustix has no safe fork")]
pub(crate) fn fork() -> std::io::Result<Option<rustix::process::Pid>> {
    // SAFETY: callers have one thread, so that no lock of the copy is held by a thread that it lacks.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error()),
        process => Ok(rustix::process::Pid::from_raw(process)),
    }
}

/// Ends the process without destructors and exit handlers: V8's would wait for threads
/// that may never end.
#[expect(unsafe_code, reason = "std::process::exit runs V8's static destructors")]
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit does not return and reads no memory of the process.
    unsafe { libc::_exit(code) }
}

/// Ends the process by a signal, as if it had come from outside.
#[expect(unsafe_code, reason = "rustix sets no handlers of signals")]
pub(crate) fn die_by(signal: i32) -> ! {
    // SAFETY: the default action needs no handler; an unknown signal is an error.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
    exit_now(128 + signal)
}

/// Has a descriptor name what another one names.
///
/// # Errors
/// When the kernel refuses it.
#[expect(unsafe_code, reason = "replaces a descriptor by number")]
pub(crate) fn replace(number: RawFd, by: BorrowedFd<'_>) -> std::io::Result<()> {
    // SAFETY: whoever uses the number goes on with something of the same kind.
    let done = unsafe { libc::dup2(by.as_raw_fd(), number) };
    if done < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// Ignores the signals that ask a process to stop. A service manager may send them to all processes of a server, which
/// alone decides when its runners end.
#[expect(unsafe_code, reason = "rustix sets no handlers of signals")]
pub(crate) fn leave_the_stop_to_the_server() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the action runs no code of the process.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Whether the kernel drops children of this process as they end, instead of keeping their status.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "rustix sets no handlers of signals")]
pub(crate) fn reap_no_children(dropped: bool) {
    // SAFETY: neither action runs code of the process.
    unsafe { libc::signal(libc::SIGCHLD, if dropped { libc::SIG_IGN } else { libc::SIG_DFL }) };
}

/// Lets another process read where this one waits, though it is not its parent (prctl(2), `PR_SET_PTRACER`).
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "rustix has no PR_SET_PTRACER")]
pub(crate) fn may_be_traced_by(process: rustix::process::Pid) {
    // SAFETY: takes numbers. It fails where nothing forbids it (no Yama).
    unsafe { libc::prctl(libc::PR_SET_PTRACER, process.as_raw_nonzero().get(), 0, 0, 0) };
}

/// Takes over a file descriptor that the server passed by number.
#[expect(unsafe_code, reason = "exec passes a descriptor as a number")]
pub(crate) fn adopt(fd: RawFd) -> File {
    // SAFETY: the server opened this descriptor for the runner, and no other code here uses it.
    unsafe { File::from_raw_fd(fd) }
}
