//! The memory of a cell before its checkpoint, and the page that it shares with its warden.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::atomic::AtomicU64,
};

use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, mmap_anonymous},
};

use crate::runner::watchdog::flags::Flags;

/// Bytes of the shared page.
pub(crate) const SHARED: usize = 4096;
/// Bytes by which the heap grows at a time: few runs need more than is there.
const HEAP: i32 = 16 * 1024 * 1024;
/// Larger allocations are mappings of their own.
const MAPPED: i32 = 4 * 1024 * 1024;

/// Has the allocator keep the memory that it has, and the kernel make no large pages, which would be
/// put back as a whole.
#[expect(unsafe_code, reason = "settings without a safe form")]
pub(crate) fn settle() {
    // SAFETY: the calls take numbers; invalid ones are ignored.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
        #[cfg(target_env = "gnu")]
        {
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_TOP_PAD, HEAP);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
        }
    }
}

/// Gives free memory back to the system: it would be in the image.
#[expect(unsafe_code, reason = "a function without a safe form")]
pub(crate) fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number.
    unsafe {
        libc::malloc_trim(HEAP as usize);
    }
}

/// Makes the memory that wardens share with cells. Call it before the size of files is limited.
///
/// # Errors
/// When the system has no memory files.
pub(crate) fn make_shared() -> io::Result<OwnedFd> {
    let shared = memfd_create("isochron-flags", MemfdFlags::CLOEXEC)?;
    ftruncate(&shared, SHARED as u64)?;
    Ok(shared)
}

/// Maps the flags that cell and warden share.
///
/// # Errors
/// When the descriptor is no memory of [`SHARED`] bytes.
#[expect(unsafe_code, reason = "memory that two processes share")]
pub(crate) fn map_flags(memory: BorrowedFd<'_>) -> io::Result<&'static Flags> {
    let rights = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, which is never unmapped. Flags are atomics, for which all bytes but those
    // of the two conditions are valid; the file is as large as the mapping.
    unsafe {
        let address = mmap(std::ptr::null_mut(), SHARED, rights, MapFlags::SHARED, memory, 0)?;
        Ok(&*address.cast::<Flags>())
    }
}

/// Makes flags that this process shares with no other yet.
///
/// # Errors
/// When the system has no memory.
#[expect(unsafe_code, reason = "memory whose place is given away later")]
pub(crate) fn make_flags() -> io::Result<&'static Flags> {
    let rights = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: as in `map_flags`; the memory is all zeros.
    unsafe {
        let address = mmap_anonymous(std::ptr::null_mut(), SHARED, rights, MapFlags::SHARED)?;
        Ok(&*address.cast::<Flags>())
    }
}

/// Puts memory of [`make_shared`] in the place of such flags.
///
/// # Errors
/// When the descriptor is no memory of [`SHARED`] bytes.
#[expect(unsafe_code, reason = "memory that two processes share")]
pub(crate) fn map_flags_again(flags: &'static Flags, memory: BorrowedFd<'_>) -> io::Result<()> {
    let (at, rights) = (std::ptr::from_ref(flags).cast_mut().cast(), ProtFlags::READ | ProtFlags::WRITE);
    // SAFETY: as in `map_flags`, whose mapping this is; flags are atomics, which others may change.
    unsafe { mmap(at, SHARED, rights, MapFlags::SHARED | MapFlags::FIXED, memory, 0)? };
    Ok(())
}

/// Writes zeros over the whole page of [`map_flags`]: the state of flags before a run, and no place where a
/// run leaves anything.
#[expect(unsafe_code, reason = "the page is larger than what it is mapped for")]
pub(crate) fn clear_flags(flags: &'static Flags) {
    // SAFETY: the mapping has this size. Flags are atomics, for which zeros are valid, and the other
    // process does not run.
    unsafe { std::ptr::write_bytes(std::ptr::from_ref(flags).cast_mut().cast::<u8>(), 0, SHARED) };
}

/// The last word of that page, which flags do not use.
#[expect(unsafe_code, reason = "the page is larger than what it is mapped for")]
pub(crate) fn last_of(flags: &'static Flags) -> &'static AtomicU64 {
    const _: () = assert!(size_of::<Flags>() + size_of::<AtomicU64>() <= SHARED);
    // SAFETY: the mapping has this size, its last word is aligned, and no flag lies there.
    unsafe { &*std::ptr::from_ref(flags).cast::<u8>().add(SHARED - size_of::<AtomicU64>()).cast() }
}

/// Has the stack reach at least so many bytes further down.
#[inline(never)]
#[expect(unsafe_code, reason = "touches memory below the stack pointer")]
pub(crate) fn grow_stack(bytes: usize) {
    let here = 0u8;
    let below = (&raw const here).wrapping_sub(bytes);
    // SAFETY: the kernel lets the stack of the main thread grow to its limit (8 MiB) on an access, and
    // nothing is there yet.
    unsafe { std::ptr::read_volatile(below) };
}
