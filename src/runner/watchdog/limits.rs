//! The limits that V8 itself notices: heap, ArrayBuffers, and the end of its memory.

use std::{
    ffi::{CStr, c_char, c_void},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::runner::{
    os,
    watchdog::{
        flags::Stop,
        link::{Outbox, log},
        supervisor::Shared,
        watch::Watch,
    },
};
use deno_core::{JsRuntime, v8};
use isochron::{domain::execution::Reason, runtime::protocol::FromRunner};

/// Buffers up to this size are granted even over the limit: V8 aborts when a typed array
/// of at most 64 bytes cannot move out of the heap (`JSTypedArray::GetBuffer`).
const TINY: usize = 64;
/// Bytes counted per buffer for V8's bookkeeping outside its heap.
const OVERHEAD: usize = 128;
/// Bytes that the heap may grow past its limit, once, so that a terminated run can unwind. A larger
/// single allocation ends the process, which costs less than more room would.
const UNWIND: usize = 64 * 1024 * 1024;
/// Bytes that the heap gets after that each time V8 asks.
const MORE: usize = 16 * 1024 * 1024;
/// How often V8 gets [`MORE`].
const MORE_TIMES: usize = 2;
/// Bytes that the heap gets when V8 asks only because a buffer was refused.
const AFTER_REFUSAL: usize = 1024 * 1024;
/// How often V8 gets [`AFTER_REFUSAL`].
const AFTER_REFUSAL_TIMES: usize = 16;

/// The outbox of V8's out-of-memory handler, which gets no data pointer.
static OUT_OF_MEMORY_OUTBOX: OnceLock<Arc<Outbox>> = OnceLock::new();

/// Chooses where the end of V8's memory is announced; the first choice counts.
pub(crate) fn announce_through(outbox: &Arc<Outbox>) {
    OUT_OF_MEMORY_OUTBOX.get_or_init(|| outbox.clone());
}

/// Installs the heap's limits on a new isolate.
pub(crate) fn watch_heap(runtime: &mut JsRuntime, shared: &Shared) {
    announce_through(&shared.outbox);
    let handle = runtime.v8_isolate().thread_safe_handle();
    let mut limit = HeapLimit { shared: shared.clone(), raised: 0, raised_after_refusal: 0 };
    runtime.add_near_heap_limit_callback(move |current, _initial| limit.raise(current, &handle));
    let isolate = runtime.v8_isolate();
    isolate.set_oom_error_handler(out_of_memory);
    let watch = Arc::as_ptr(&shared.watch).cast_mut().cast();
    isolate.add_gc_prologue_callback(before_collection, watch, v8::GCType::kGCTypeAll);
}

/// Answers V8 when it asks for a higher heap limit. If the limit is not raised, V8 calls
/// [`out_of_memory`].
struct HeapLimit {
    shared: Shared,
    raised: usize,
    raised_after_refusal: usize,
}

impl HeapLimit {
    fn raise(&mut self, current: usize, isolate: &v8::IsolateHandle) -> usize {
        // V8 also asks when a buffer was refused, even if the heap is nearly empty.
        if self.shared.watch.take_refusal() && self.raised_after_refusal < AFTER_REFUSAL_TIMES {
            self.raised_after_refusal += 1;
            return current + AFTER_REFUSAL;
        }
        self.raised += 1;
        self.shared.watch.stop(Stop::Heap);
        isolate.terminate_execution();
        match self.raised {
            1 => {
                // V8's next step may end the process without notice.
                self.shared.outbox.try_send(&FromRunner::Dying(Reason::MemoryLimit));
                current + UNWIND
            }
            2.. if self.raised <= 1 + MORE_TIMES => current + MORE,
            _ => current,
        }
    }
}

/// Never returns: V8 would then print pages of text and abort.
#[expect(unsafe_code, reason = "called by V8 with C strings")]
unsafe extern "C" fn out_of_memory(location: *const c_char, details: &v8::OomDetails) {
    if let Some(outbox) = OUT_OF_MEMORY_OUTBOX.get() {
        outbox.announce_death(Reason::MemoryLimit);
    }
    // SAFETY: V8 passes a static text or null.
    let location = (!location.is_null()).then(|| unsafe { CStr::from_ptr(location) });
    let location = location.unwrap_or_default().to_string_lossy();
    log(&format!("out of memory in {location} (heap: {})", details.is_heap_oom));
    os::exit_now(137)
}

/// Notes the size of the heap, which peaks just before a collection.
#[expect(unsafe_code, reason = "called by V8 with the pointer given at registration")]
unsafe extern "C" fn before_collection(
    isolate: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    watch: *mut c_void,
) {
    // SAFETY: the watch lives as long as the process; V8 calls this on the isolate's thread.
    let (watch, mut isolate) =
        unsafe { (&*watch.cast::<Watch>(), v8::Isolate::from_raw_isolate_ptr(isolate)) };
    watch.note_heap(isolate.get_heap_statistics().used_heap_size() as u64);
}

/// Counts the bytes of all ArrayBuffers of one isolate and refuses those over the limit.
#[derive(Debug)]
pub(crate) struct Buffers {
    used: AtomicUsize,
    limit: usize,
    watch: Arc<Watch>,
}

impl Buffers {
    /// Makes the allocator of one isolate; `limit` is in bytes.
    #[expect(unsafe_code, reason = "V8 takes an allocator as a table of C functions")]
    pub(crate) fn allocator(limit: u64, watch: Arc<Watch>) -> v8::UniqueRef<v8::Allocator> {
        static TABLE: v8::RustAllocatorVtable<Buffers> = v8::RustAllocatorVtable {
            allocate: allocate_zeroed,
            allocate_uninitialized: allocate_zeroed,
            free,
            drop: drop_buffers,
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let buffers = Arc::new(Self { used: AtomicUsize::new(0), limit, watch });
        // SAFETY: the table's functions take exactly what `into_raw` makes, and `drop_buffers` frees it.
        unsafe { v8::new_rust_allocator(Arc::into_raw(buffers), &TABLE) }
    }

    fn claim(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes.saturating_add(OVERHEAD), Ordering::Relaxed);
        if before.saturating_add(bytes).saturating_add(OVERHEAD) <= self.limit {
            return true;
        }
        if bytes <= TINY {
            self.watch.stop(Stop::Buffers);
            return true;
        }
        self.release(bytes);
        self.watch.note_refusal();
        false
    }

    fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes.saturating_add(OVERHEAD), Ordering::Relaxed);
    }
}

/// Zeroed in both cases: an isolate must not see what an earlier run left in memory.
#[expect(unsafe_code, reason = "an entry of V8's allocator table")]
unsafe extern "C" fn allocate_zeroed(buffers: &Buffers, bytes: usize) -> *mut c_void {
    if !buffers.claim(bytes) {
        return std::ptr::null_mut();
    }
    // SAFETY: calloc has no precondition; an empty buffer gets one byte, so that null means refused.
    let memory = unsafe { libc::calloc(bytes.max(1), 1) };
    if memory.is_null() {
        buffers.release(bytes);
    }
    memory
}

#[expect(unsafe_code, reason = "an entry of V8's allocator table")]
unsafe extern "C" fn free(buffers: &Buffers, memory: *mut c_void, bytes: usize) {
    buffers.release(bytes);
    // SAFETY: V8 gives back what `allocate_zeroed` returned, once.
    unsafe { libc::free(memory) }
}

#[expect(unsafe_code, reason = "an entry of V8's allocator table")]
unsafe extern "C" fn drop_buffers(buffers: *const Buffers) {
    // SAFETY: the pointer is the one `into_raw` made, and V8 drops its allocator once.
    drop(unsafe { Arc::from_raw(buffers) });
}
