//! What the runner asks of the operating system: clocks, leaving at once, descriptors.
//!
//! The project's clock room is the server's; a runner has a process of its own,
//! one run at a time and no test that turns its time, so it asks the kernel here
//! and nowhere else.

use std::{
    fs::File,
    os::fd::{FromRawFd, RawFd},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Time since some moment of the past, never going back.
pub(crate) fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    duration(now.tv_sec, now.tv_nsec)
}

/// Time since the epoch.
pub(crate) fn epoch() -> Duration {
    let now = clock_gettime(ClockId::Realtime);
    duration(now.tv_sec, now.tv_nsec)
}

/// Epoch milliseconds.
pub(crate) fn epoch_millis() -> i64 {
    i64::try_from(epoch().as_millis()).unwrap_or(i64::MAX)
}

fn duration(seconds: i64, nanoseconds: i64) -> Duration {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    let nanoseconds = u32::try_from(nanoseconds).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

/// The CPU clock of one thread, readable from any other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThreadClock(libc::clockid_t);

impl ThreadClock {
    /// The clock of the calling thread.
    #[expect(unsafe_code, reason = "rustix has no pthread_getcpuclockid")]
    pub(crate) fn of_this_thread() -> Self {
        let mut id = 0;
        // SAFETY: pthread_self is this thread's, which lives, and `id` is ours to write.
        let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut id) };
        assert_eq!(failed, 0, "pthread_getcpuclockid of the running thread");
        Self(id)
    }

    /// CPU time the thread has used, user and system together.
    #[expect(unsafe_code, reason = "rustix reads only the clocks it has a name for")]
    pub(crate) fn read(self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is ours to write; an unknown clock is an error, not undefined.
        unsafe { libc::clock_gettime(self.0, &raw mut time) };
        duration(time.tv_sec, time.tv_nsec)
    }
}

/// Leaves without running destructors or exit handlers: V8's own would wait for
/// threads that may be anywhere.
#[expect(unsafe_code, reason = "std::process::exit runs V8's static destructors")]
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: _exit does not return and touches nothing of ours.
    unsafe { libc::_exit(code) }
}

/// Takes over a file descriptor that the server passed by number.
#[expect(unsafe_code, reason = "a number is all that survives exec")]
pub(crate) fn adopt(fd: RawFd) -> File {
    // SAFETY: the server made this descriptor for us and nothing else here uses it.
    unsafe { File::from_raw_fd(fd) }
}
