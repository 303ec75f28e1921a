//! Allocator: settings for a small process. A server reads all over a large store for weeks; the C
//! library's defaults are made for speed.
//!
//! Measured with a million tasks after some thousand lists of all kinds: 478 MiB resident with the
//! default number of arenas, 366 with two, 279 with one. With one arena threads wait for each other:
//! 3,100 lists of twenty tasks a second over 64 connections instead of 5,000.

/// Arenas that the threads of the process share, so that they reuse each other's freed memory. Small
/// allocations come from a cache per thread in any case.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: i32 = 2;

/// Limits the arenas. Call before the process starts threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share_arenas() {
    #[expect(unsafe_code, reason = "the allocator of the C library has no safe form of this")]
    // SAFETY: the call takes two numbers; the C library ignores invalid ones.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

/// Returns freed memory to the system. The opening of a store with a million tasks leaves 60 MiB of it;
/// the call takes about ten milliseconds then.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    #[expect(unsafe_code, reason = "the allocator of the C library has no safe form of this")]
    // SAFETY: the call takes no pointers, and any thread may make it at any time.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// Other allocators are left alone.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share_arenas() {}

/// Other allocators are left alone.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
