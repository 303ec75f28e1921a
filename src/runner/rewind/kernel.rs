//! Interfaces of the kernel that neither libc nor rustix has, or not their newest parts. Two tell which
//! pages a process has written: userfaultfd(2) with asynchronous write protection, and the scan of
//! /proc/PID/pagemap (Linux 6.7; Documentation/admin-guide/mm/pagemap.rst).

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use rustix::process::Pid;

/// Categories of pages.
pub(crate) const WRITTEN: u64 = 1 << 1;
const WRITE_PROTECTION_ALLOWED: u64 = 1 << 0;
const OF_FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;

const SCAN: libc::Ioctl = 0xc060_6610_u32 as libc::Ioctl;
const SCAN_PROTECTS: u64 = 1 << 0;
const QUERY: libc::Ioctl = 0xc068_6611_u32 as libc::Ioctl;
const QUERY_NEXT: u64 = 1 << 4;
const API: libc::Ioctl = 0xc018_aa3f_u32 as libc::Ioctl;
const API_VERSION: u64 = 0xaa;
const REGISTER: libc::Ioctl = 0xc020_aa00_u32 as libc::Ioctl;
const REGISTER_WRITES: u64 = 1 << 1;
const FEATURE_UNPOPULATED: u64 = 1 << 13;
const FEATURE_ASYNC: u64 = 1 << 15;
const USER_MODE_ONLY: libc::c_long = 1;

const SEAL: libc::c_long = 462;
/// Pieces of memory that one call may name (`IOV_MAX`).
const MOST_PIECES: usize = 1024;

/// The end of the addresses of a process on x86_64 with four levels of page tables.
const LAST: u64 = 0x7fff_ffff_f000;

/// A piece of memory whose pages have the same categories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Region {
    /// Address of its first byte.
    pub(crate) start: u64,
    /// Address behind its last byte.
    pub(crate) end: u64,
    /// [`WRITTEN`], and others.
    pub(crate) categories: u64,
}

#[derive(Default)]
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    room: u64,
    most_pages: u64,
    inverted: u64,
    all_of: u64,
    any_of: u64,
    returned: u64,
}

/// A mapping of a process without its name (`PROCMAP_QUERY`, Linux 6.11).
#[derive(Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Outline {
    size: u64,
    /// Given: how to find it.
    how: u64,
    /// Given: an address in it, or before it.
    from: u64,
    start: u64,
    end: u64,
    rights: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device: [u32; 2],
    /// Room for its name and its build's, of which there is none.
    room: [u32; 2],
    names: [u64; 2],
}

impl Outline {
    /// The first mapping at or behind an address of the process with this /proc/PID/maps, if there is one.
    #[expect(unsafe_code, reason = "an ioctl without a safe form")]
    fn next(maps: BorrowedFd<'_>, from: u64) -> io::Result<Option<Self>> {
        let mut found = Self { size: size_of::<Self>() as u64, how: QUERY_NEXT, from, ..Self::default() };
        // SAFETY: the kernel reads and writes a structure of the size that it has.
        match ok(unsafe { libc::ioctl(maps.as_raw_fd(), QUERY, &raw mut found) }) {
            Ok(()) => Ok(Some(found)),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// All mappings of the process with this /proc/PID/maps.
///
/// # Errors
/// When the kernel does not tell them in this way.
pub(crate) fn outlines(maps: BorrowedFd<'_>) -> io::Result<Vec<Outline>> {
    let mut all: Vec<Outline> = Vec::new();
    while let Some(next) = Outline::next(maps, all.last().map_or(0, |last| last.end))? {
        all.push(next);
    }
    Ok(all)
}

/// Whether a process has these mappings and no others.
///
/// # Errors
/// As [`outlines`].
pub(crate) fn has_only(maps: BorrowedFd<'_>, outlines: &[Outline]) -> io::Result<bool> {
    let mut from = 0;
    for outline in outlines {
        if Outline::next(maps, from)?.as_ref() != Some(outline) {
            return Ok(false);
        }
        from = outline.end;
    }
    Ok(Outline::next(maps, from)?.is_none())
}

/// Opens a userfaultfd of this process that notes writes and stops no one.
///
/// # Errors
/// When the kernel lacks it.
#[expect(unsafe_code, reason = "system calls without a safe form")]
pub(crate) fn open_userfaultfd() -> io::Result<OwnedFd> {
    // SAFETY: takes flags only.
    let fd =
        unsafe { libc::syscall(libc::SYS_userfaultfd, libc::c_long::from(libc::O_CLOEXEC) | USER_MODE_ONLY) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the call has just opened it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut api = [API_VERSION, FEATURE_UNPOPULATED | FEATURE_ASYNC, 0];
    // SAFETY: the kernel reads and writes three words.
    ok(unsafe { libc::ioctl(fd.as_raw_fd(), API, api.as_mut_ptr()) })?;
    Ok(fd)
}

/// Has the kernel note the writes to a mapping of the process that opened the userfaultfd.
///
/// # Errors
/// When the mapping does not allow it.
#[expect(unsafe_code, reason = "an ioctl without a safe form")]
pub(crate) fn register(userfaultfd: BorrowedFd<'_>, start: u64, end: u64) -> io::Result<()> {
    let mut request = [start, end - start, REGISTER_WRITES, 0];
    // SAFETY: the kernel reads and writes four words.
    ok(unsafe { libc::ioctl(userfaultfd.as_raw_fd(), REGISTER, request.as_mut_ptr()) })
}

/// Lists the populated pages of all registered mappings into `regions`; with `protect` each of them
/// counts as not written from now on.
///
/// # Errors
/// When the kernel refuses the scan, or there are more regions than there is room for.
#[expect(unsafe_code, reason = "an ioctl without a safe form")]
pub(crate) fn scan(pagemap: BorrowedFd<'_>, regions: &mut Vec<Region>, protect: bool) -> io::Result<()> {
    let mut start = 0;
    regions.clear();
    while start < LAST {
        regions.reserve(1024);
        let room = regions.spare_capacity_mut();
        let mut scan = Scan {
            size: size_of::<Scan>() as u64,
            flags: if protect { SCAN_PROTECTS } else { 0 },
            start,
            end: LAST,
            regions: room.as_mut_ptr() as u64,
            room: room.len() as u64,
            all_of: WRITE_PROTECTION_ALLOWED,
            any_of: PRESENT | SWAPPED,
            returned: WRITTEN,
            ..Scan::default()
        };
        // SAFETY: the kernel writes at most `room` regions and the words of `scan`, and returns how many.
        unsafe {
            let found = libc::ioctl(pagemap.as_raw_fd(), SCAN, &raw mut scan);
            ok(found)?;
            regions.set_len(regions.len() + usize::try_from(found).unwrap_or_default());
        }
        start = scan.walk_end;
    }
    Ok(())
}

/// Whether a piece of a mapping of a file has pages that are no longer the file's: someone has written to them.
///
/// # Errors
/// When the kernel refuses the scan.
#[expect(unsafe_code, reason = "an ioctl without a safe form")]
pub(crate) fn has_copies(pagemap: BorrowedFd<'_>, start: u64, end: u64) -> io::Result<bool> {
    let mut found = Region::default();
    let mut scan = Scan {
        size: size_of::<Scan>() as u64,
        start,
        end,
        regions: (&raw mut found) as u64,
        room: 1,
        most_pages: 1,
        inverted: OF_FILE,
        all_of: OF_FILE,
        any_of: PRESENT | SWAPPED,
        returned: OF_FILE,
        ..Scan::default()
    };
    // SAFETY: the kernel writes at most one region and the words of `scan`.
    let regions = unsafe { libc::ioctl(pagemap.as_raw_fd(), SCAN, &raw mut scan) };
    ok(regions)?;
    Ok(regions > 0)
}

/// Whether mappings can be sealed (mseal(2), Linux 6.10).
#[expect(unsafe_code, reason = "a system call without a safe form")]
pub(crate) fn can_seal() -> bool {
    // SAFETY: an empty range seals nothing.
    unsafe { libc::syscall(SEAL, 0, 0, 0) == 0 }
}

/// Has the kernel refuse every later change of a mapping of this process, of its rights and its removal too.
///
/// # Errors
/// When the kernel cannot.
#[expect(unsafe_code, reason = "a system call without a safe form")]
pub(crate) fn seal(start: u64, end: u64) -> io::Result<()> {
    // SAFETY: takes numbers, and takes no memory away.
    match unsafe { libc::syscall(SEAL, start, end - start, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has copies of this process get a piece of its memory (madvise(2)).
///
/// # Errors
/// When the kernel refuses it.
#[expect(unsafe_code, reason = "rustix's madvise is not safe either")]
pub(crate) fn let_copies_have(start: u64, end: u64) -> io::Result<()> {
    let length = usize::try_from(end - start).map_err(io::Error::other)?;
    // SAFETY: concerns copies of the process alone, and takes nothing from them.
    ok(unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DOFORK) })
}

/// Writes to the memory of another process; `false` if not all of it could be written.
#[expect(unsafe_code, reason = "rustix has no process_vm_writev")]
pub(crate) fn write_all(process: Pid, pieces: &[(u64, &[u8])]) -> bool {
    pieces.chunks(MOST_PIECES).all(|pieces| {
        let at =
            |address: u64, length| libc::iovec { iov_base: address as *mut libc::c_void, iov_len: length };
        let from: Vec<_> =
            pieces.iter().map(|(_, bytes)| at(bytes.as_ptr().addr() as u64, bytes.len())).collect();
        let to: Vec<_> = pieces.iter().map(|(address, bytes)| at(*address, bytes.len())).collect();
        let count = pieces.len() as libc::c_ulong;
        // SAFETY: the kernel reads the bytes of `pieces`, and writes to another process alone.
        let written = unsafe {
            libc::process_vm_writev(
                process.as_raw_nonzero().get(),
                from.as_ptr(),
                count,
                to.as_ptr(),
                count,
                0,
            )
        };
        usize::try_from(written)
            .is_ok_and(|n| n == pieces.iter().map(|(_, bytes)| bytes.len()).sum::<usize>())
    })
}

/// Bytes that the other end of a socket has not read yet (unix(7), `SIOCOUTQ`), counted as the kernel keeps them.
///
/// # Errors
/// When it is no socket.
#[expect(unsafe_code, reason = "an ioctl without a safe form")]
pub(crate) fn unread_by_other_end(socket: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    let mut bytes = 0;
    // SAFETY: the kernel writes one number.
    ok(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) })?;
    Ok(bytes)
}

fn ok(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
