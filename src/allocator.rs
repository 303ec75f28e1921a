//! Allocator: what the process asks of its allocator. A server opens a large store, reads all over
//! it for weeks and is meant to stay small; the C library's defaults are for speed.
//!
//! With a million tasks, measured after some thousand lists of all kinds: 478 MiB resident with
//! the default number of arenas, 366 with two, 279 with one. But with one, threads wait for each
//! other: 3,100 lists of twenty tasks a second over 64 connections instead of 5,000.

/// How many arenas the threads of the process share: what one thread has freed the others can
/// use. Small pieces come from a cache that each thread has anyway.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: i32 = 2;

/// To be called before there are any threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share_arenas() {
    #[expect(unsafe_code, reason = "the allocator of the C library has no safe form of this")]
    // SAFETY: two numbers; the C library ignores what it does not like.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

/// Gives back what the allocator holds and nobody uses. Opening a store with a million tasks
/// leaves 60 MiB of that behind; this takes some ten milliseconds then.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    #[expect(unsafe_code, reason = "the allocator of the C library has no safe form of this")]
    // SAFETY: it takes no pointers, and any thread may call it at any time.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// Other allocators are left alone.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share_arenas() {}

/// Other allocators are left alone.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
