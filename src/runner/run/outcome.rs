//! What the server and a person are told about a run's end.

use crate::runner::watchdog::watch::Stop;
use isochron::{
    domain::execution::Reason,
    runtime::protocol::{End, Settings},
};

/// The promise of the handler can no longer settle.
pub(crate) const NEVER_SETTLED: &str = "the handler's promise can never settle: no timer, no call to \
                                        the server and nothing else is left that it could wait for";

/// What V8 says when its allocator refuses.
const REFUSED_BUFFER: &str = "Array buffer allocation failed";

/// The end of a run that was stopped from outside.
pub(crate) fn stopped(stop: Stop, settings: &Settings, timeout: u64, place: Option<String>) -> End {
    let error = match stop {
        Stop::Timeout => format!("timed out after {}", time(timeout)),
        Stop::Cpu => format!("used more than {} of CPU time", time(settings.cpu)),
        Stop::Heap => format!("used more than {} of JavaScript heap", size(settings.heap)),
        Stop::Buffers => buffers(settings),
        Stop::Cancel => "cancelled".to_owned(),
    };
    let stack = if matches!(stop, Stop::Timeout | Stop::Cpu) { place } else { None };
    End::Failed { reason: stop.reason(), error, stack, result: None }
}

/// The end that the handler came to by itself; a buffer that was refused is a limit, not a fault.
pub(crate) fn settled(end: End, settings: &Settings) -> End {
    match end {
        End::Failed { reason: Reason::Exception | Reason::LoadError, error, stack, result }
            if error.contains(REFUSED_BUFFER) =>
        {
            End::Failed { reason: Reason::MemoryLimit, error: buffers(settings), stack, result }
        }
        end => end,
    }
}

/// The message of the error when a buffer is refused, where the runner makes that error.
pub(crate) fn refused_buffer(settings: &Settings) -> String {
    format!("{REFUSED_BUFFER}: the run would use more than {}", buffer_limit(settings))
}

fn buffers(settings: &Settings) -> String {
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
