//! Inherited descriptors that a runner must not have.
//!
//! The server opens its own with `O_CLOEXEC`. Others come from the process that started the
//! server and left a file or a socket open across exec.

use std::os::fd::RawFd;

/// Closes every descriptor but 0, 1, 2 and those in `keep`.
#[cfg(target_os = "linux")]
pub(crate) fn close_all_but(keep: &[RawFd]) {
    let mut kept: Vec<_> = keep.iter().map(|fd| (*fd).max(2).cast_unsigned()).collect();
    kept.sort_unstable();
    let mut next = 3;
    let mut are_closed = true;
    for fd in kept {
        are_closed &= fd < next || close_range(next, fd - 1);
        next = next.max(fd + 1);
    }
    if !(are_closed && close_range(next, u32::MAX)) {
        close_listed(keep);
    }
}

/// close_range(2), which Linux has since 5.9.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "closes by number")]
fn close_range(first: u32, last: u32) -> bool {
    // SAFETY: the process owns no descriptor yet except the inherited ones.
    first > last || unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "closes by number")]
fn close_listed(keep: &[RawFd]) {
    // proc(5). Collecting the list first also closes its own descriptor.
    let Ok(list) = std::fs::read_dir("/proc/self/fd") else { return };
    let names: Vec<_> = list.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for number in names.into_iter().filter(|number: &RawFd| *number > 2 && !keep.contains(number)) {
        // SAFETY: as above.
        unsafe { libc::close(number) };
    }
}

/// Other systems keep inherited descriptors.
#[cfg(not(target_os = "linux"))]
pub(crate) fn close_all_but(_keep: &[RawFd]) {}
