//! The outcome of a run: the error that the server records and people read.

use crate::runner::watchdog::flags::Stop;
use isochron::{
    domain::execution::Reason,
    runtime::protocol::{End, Settings},
};

/// The error of a run whose promise can no longer settle.
pub(crate) const NEVER_SETTLED: &str = "the handler's promise can never settle: no timer, no call to \
                                        the server and nothing else is pending";

/// V8's message when its allocator refuses a buffer.
const REFUSED_BUFFER: &str = "Array buffer allocation failed";

/// The end of a run that was stopped from outside.
pub(crate) fn describe_stop(stop: Stop, settings: &Settings, timeout: u64, frames: Option<String>) -> End {
    let error = match stop {
        Stop::Timeout => format!("timed out after {}", time(timeout)),
        Stop::Cpu => format!("used more than {} of CPU time", time(settings.cpu)),
        Stop::Heap => format!("used more than {} of JavaScript heap", size(settings.heap)),
        Stop::Buffers => exceeded_buffers(settings),
        Stop::Cancel => "cancelled".to_owned(),
    };
    let stack = if matches!(stop, Stop::Timeout | Stop::Cpu) { frames } else { None };
    End::Failed { reason: stop.reason(), error, stack, result: None }
}

/// Turns the exception of a refused buffer into the memory limit that it stands for.
pub(crate) fn recognise_limit(end: End, settings: &Settings) -> End {
    match end {
        End::Failed { reason: Reason::Exception | Reason::LoadError, error, stack, result }
            if error.contains(REFUSED_BUFFER) =>
        {
            End::Failed { reason: Reason::MemoryLimit, error: exceeded_buffers(settings), stack, result }
        }
        end => end,
    }
}

/// The message of the error that the runner itself throws for a refused buffer.
pub(crate) fn refused_buffer(settings: &Settings) -> String {
    format!("{REFUSED_BUFFER}: the run would use more than {}", buffer_limit(settings))
}

fn exceeded_buffers(settings: &Settings) -> String {
    format!("used more than {}", buffer_limit(settings))
}

fn buffer_limit(settings: &Settings) -> String {
    format!("{} in ArrayBuffers", size(settings.buffers))
}

fn time(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1000) {
        format!("{} s", milliseconds / 1000)
    } else {
        format!("{milliseconds} ms")
    }
}

fn size(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    if bytes.is_multiple_of(MIB) { format!("{} MiB", bytes / MIB) } else { format!("{bytes} bytes") }
}
