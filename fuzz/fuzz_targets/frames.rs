//! Besides the function's own checks: frames that are read take little more memory than their bytes.

#![no_main]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// A list with a false length prefix may allocate this many bytes, once per list.
const ANNOUNCED: usize = 2 << 20;
/// Memory per byte read: the largest element of a list, and its copies for comparison.
const PER_BYTE: usize = 256;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a count of the bytes in use.
struct Counting;

// SAFETY: each call is passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(HELD.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller meets the conditions of the trait.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller meets the conditions of the trait.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    isochron::fuzzing::frames(bytes);
    let most = MOST.load(Relaxed) - before;
    assert!(most < ANNOUNCED + PER_BYTE * bytes.len(), "{most} bytes of memory for {}", bytes.len());
});
