//! The flags of a run: its stop, its abort, and the notes of the thread that runs JavaScript.
//!
//! Plain atomics, so that they may also lie in memory that two processes share.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use isochron::domain::execution::Reason;

/// Why a run is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stop {
    /// The task's timeout passed.
    Timeout = 1,
    /// The CPU budget is spent.
    Cpu,
    /// The JavaScript heap is full.
    Heap,
    /// All ArrayBuffers together exceed their limit.
    Buffers,
    /// The server cancelled the run.
    Cancel,
}

impl Stop {
    fn from_code(code: u8) -> Option<Self> {
        [Self::Timeout, Self::Cpu, Self::Heap, Self::Buffers, Self::Cancel]
            .into_iter()
            .find(|stop| *stop as u8 == code)
    }

    /// The reason that the server records.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Timeout => Reason::Timeout,
            Self::Cpu => Reason::CpuLimit,
            Self::Heap | Self::Buffers => Reason::MemoryLimit,
            Self::Cancel => Reason::Cancelled,
        }
    }
}

/// Why the handler's signal is aborted. `40_run.js` has the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Abort {
    /// The timeout is near.
    Timeout = 1,
    /// The run is cancelled.
    Cancel = 2,
}

/// The flags of the current run. All zero is their state before a run. Every byte is valid in every flag: another
/// process may have written it.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Flags {
    peak_heap: AtomicU64,
    stop: AtomicU8,
    abort: AtomicU8,
    cancelled: AtomicU8,
    signal_used: AtomicU8,
    buffer_refused: AtomicU8,
    begun: AtomicU8,
}

impl Flags {
    /// Forgets the last run.
    pub(crate) fn reset(&self) {
        self.stop.store(0, Ordering::Release);
        self.abort.store(0, Ordering::Release);
        self.cancelled.store(0, Ordering::Release);
        self.signal_used.store(0, Ordering::Release);
        self.buffer_refused.store(0, Ordering::Relaxed);
        self.begun.store(0, Ordering::Release);
        self.peak_heap.store(0, Ordering::Relaxed);
    }

    /// Notes that the process which is to do the run has begun with it.
    pub(crate) fn begin(&self) {
        self.begun.store(1, Ordering::Release);
    }

    /// Whether the run has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire) != 0
    }

    /// Stops the run; the first reason counts.
    pub(crate) fn stop(&self, stop: Stop) {
        let _ = self.stop.compare_exchange(0, stop as u8, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Why the run is stopped, if it is.
    pub(crate) fn stop_reason(&self) -> Option<Stop> {
        Stop::from_code(self.stop.load(Ordering::Acquire))
    }

    /// Aborts the signal of the run.
    pub(crate) fn abort(&self, why: Abort) {
        self.abort.store(why as u8, Ordering::Release);
    }

    /// Why the signal is to be aborted, if it is.
    pub(crate) fn abort_reason(&self) -> Option<Abort> {
        match self.abort.load(Ordering::Acquire) {
            1 => Some(Abort::Timeout),
            2 => Some(Abort::Cancel),
            _ => None,
        }
    }

    /// Notes that the server cancels the run, and aborts its signal.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(1, Ordering::Release);
        self.abort(Abort::Cancel);
    }

    /// Whether the server has cancelled the run.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire) != 0
    }

    /// Notes that the handler uses its signal.
    pub(crate) fn note_signal_use(&self) {
        self.signal_used.store(1, Ordering::Release);
    }

    /// Whether the handler has used its signal.
    pub(crate) fn is_signal_used(&self) -> bool {
        self.signal_used.load(Ordering::Acquire) != 0
    }

    /// Notes a size of the heap in bytes; the peak is kept.
    pub(crate) fn note_heap(&self, bytes: u64) {
        self.peak_heap.fetch_max(bytes, Ordering::Relaxed);
    }

    /// The largest size of the heap that was noted, in bytes.
    pub(crate) fn peak_heap(&self) -> u64 {
        self.peak_heap.load(Ordering::Relaxed)
    }

    /// Notes that an ArrayBuffer was refused.
    pub(crate) fn note_refusal(&self) {
        self.buffer_refused.store(1, Ordering::Relaxed);
    }

    /// Whether an ArrayBuffer was refused since the last call.
    pub(crate) fn take_refusal(&self) -> bool {
        self.buffer_refused.swap(0, Ordering::Relaxed) != 0
    }
}
