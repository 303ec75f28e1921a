//! What the ops know of the run that is on. Lives in deno_core's `OpState`, one per isolate.

use std::rc::Rc;

use crate::runner::{os, run::stack, watchdog::supervisor::Shared};
use deno_core::v8;
use isochron::{
    domain::execution::Level,
    runtime::protocol::{
        ARGUMENT_BYTES, CALLS_AT_ONCE, CALLS_PER_RUN, End, FromRunner, Run, Settings, Source,
    },
};

/// More output than this is not sent whatever the settings say: a frame has an end.
const LARGEST_OUTPUT: u64 = 16 * 1024 * 1024;
/// Nor a longer result, in characters.
pub(crate) const LARGEST_RESULT: u64 = 4 * 1024 * 1024;

/// What an isolate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Handlers of people.
    Serving,
    /// Being put into the snapshot, while V8 makes no code caches.
    WarmUp,
}

/// One isolate's session.
pub(crate) struct Session {
    /// What for.
    pub(crate) purpose: Purpose,
    /// The other thread's view.
    pub(crate) shared: Shared,
    /// The process's settings.
    pub(crate) settings: Rc<Settings>,
    /// The run; none while the isolate is being made ready, when lines go nowhere.
    pub(crate) run: Option<Running>,
}

/// The run itself.
pub(crate) struct Running {
    /// What the server sent. Its entry is `files[0]`.
    pub(crate) task: Run,
    /// Every file loaded so far.
    pub(crate) files: Vec<File>,
    /// How it ended, once known; the first one holds.
    pub(crate) end: Option<End>,
    /// When it started by the wall clock, since the epoch.
    pub(crate) origin: std::time::Duration,
    started: std::time::Duration,
    output: Output,
    /// Its host calls.
    pub(crate) calls: Calls,
}

/// A loaded file.
pub(crate) struct File {
    /// Its name, text and hash. The text is taken by whoever compiles or parses it.
    pub(crate) source: Source,
    /// The compiled module, if a code cache is wanted of it.
    pub(crate) uncached: Option<v8::Global<v8::Function>>,
}

struct Output {
    bytes: u64,
    lines: u64,
    cut: bool,
}

impl Running {
    /// A run about to start.
    pub(crate) fn new(mut task: Run, settings: &Settings) -> Self {
        let name = task.entry.file.clone();
        let entry = Source {
            file: name,
            kind: task.entry.kind,
            hash: task.entry.hash,
            text: std::mem::take(&mut task.entry.text),
            cache: task.entry.cache.take(),
        };
        Self {
            task,
            files: vec![File { source: entry, uncached: None }],
            end: None,
            origin: os::epoch(),
            started: os::monotonic(),
            output: Output {
                bytes: settings.output_bytes.min(LARGEST_OUTPUT),
                lines: settings.output_lines,
                cut: false,
            },
            calls: Calls::default(),
        }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> std::time::Duration {
        os::monotonic().saturating_sub(self.started)
    }

    /// The frames of a stack that are in this run's files.
    pub(crate) fn frames(&self, stack: &str) -> String {
        stack::frames(stack, &self.files.iter().map(|file| file.source.file.as_str()))
    }
}

/// The host calls of a run.
#[derive(Default)]
pub(crate) struct Calls {
    in_flight: usize,
    made: u32,
    /// Bytes of arguments sent.
    sent: usize,
}

impl Calls {
    /// Counts a call for which the handler stands still.
    ///
    /// # Errors
    /// A sentence for the handler's author when it would be one too many.
    pub(crate) fn admit(&mut self) -> Result<(), String> {
        if self.made >= CALLS_PER_RUN {
            return Err(format!(
                "more than {CALLS_PER_RUN} calls to the server in one run, failed ones included"
            ));
        }
        self.made += 1;
        Ok(())
    }

    /// Counts a call that goes on beside the handler, with arguments of this size in bytes, until
    /// [`Self::release`].
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(crate) fn admit_beside(&mut self, bytes: usize) -> Result<(), String> {
        if self.in_flight >= CALLS_AT_ONCE {
            return Err(format!("more than {CALLS_AT_ONCE} calls to isochron:system at once"));
        }
        if self.sent.saturating_add(bytes) > ARGUMENT_BYTES {
            return Err(format!(
                "more than {ARGUMENT_BYTES} bytes of arguments to isochron:system in one run"
            ));
        }
        self.admit()?;
        self.sent += bytes;
        self.in_flight += 1;
        Ok(())
    }

    /// A call that went on beside the handler is answered.
    pub(crate) fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

impl Session {
    /// How many bytes of the next message are worth converting; none when output is cut.
    pub(crate) fn room(&self) -> Option<usize> {
        let output = &self.run.as_ref()?.output;
        // One more than fits shows that something was left off.
        (!output.cut).then(|| usize::try_from(output.bytes).unwrap_or(usize::MAX).saturating_add(1))
    }

    /// Sends one line and counts it. `false` when no more will be sent.
    pub(crate) fn write(&mut self, level: Level, mut message: String) -> bool {
        let Some(run) = &mut self.run else { return true };
        let (outbox, output) = (&self.shared.outbox, &mut run.output);
        if output.cut {
            return false;
        }
        let time = os::epoch_millis();
        let too_long = message.len() as u64 > output.bytes;
        if too_long {
            let fits = usize::try_from(output.bytes).unwrap_or(usize::MAX);
            message.truncate(message.floor_char_boundary(fits));
        }
        if output.lines > 0 && !(too_long && message.is_empty()) {
            output.lines -= 1;
            output.bytes -= message.len() as u64;
            outbox.send(&FromRunner::Line { time, level, message });
            if !too_long {
                return true;
            }
        }
        output.cut = true;
        let limits = &self.settings;
        let message = format!(
            "output limit reached ({} bytes or {} lines): the rest is not kept",
            limits.output_bytes, limits.output_lines
        );
        outbox.send(&FromRunner::Line { time, level: Level::Warn, message });
        outbox.send(&FromRunner::OutputCut);
        false
    }
}
