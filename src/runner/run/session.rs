//! The session: what an isolate's ops know of the current run. deno_core's `OpState` holds it.

use std::{cell::RefCell, rc::Rc};

use crate::runner::{
    modules::table::Table,
    os,
    run::{fetches::Fetches, files::Files, stack},
    watchdog::supervisor::Shared,
};
use deno_core::{OpState, v8};
use isochron::{
    domain::execution::Level,
    runtime::protocol::{
        ARGUMENT_BYTES, CALLS_AT_ONCE, CALLS_PER_RUN, End, FromRunner, Run, Settings, Source,
    },
};

/// Hard limit on the output of a run in bytes, whatever the settings say.
const LARGEST_OUTPUT: u64 = 16 * 1024 * 1024;
/// Hard limit on a result in characters: its frame has at most `MAX_FRAME` bytes.
pub(crate) const LARGEST_RESULT: u64 = 4 * 1024 * 1024;

/// The purpose of an isolate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Running users' handlers.
    Serving,
    /// Becoming part of the snapshot; V8 makes no code caches meanwhile.
    WarmUp,
}

/// One isolate's session.
pub(crate) struct Session {
    pub(crate) purpose: Purpose,
    /// State shared with the supervisor.
    pub(crate) shared: Shared,
    /// The settings of the `Start` frame.
    pub(crate) settings: Rc<Settings>,
    /// `None` before the run, when console lines are dropped.
    pub(crate) run: Option<CurrentRun>,
}

/// The run of an isolate.
pub(crate) struct CurrentRun {
    /// The server's frame, without the entry's text and cache: they are in `files`.
    pub(crate) request: Run,
    /// The files that the server has sent.
    pub(crate) files: Files,
    /// The ES modules made so far.
    pub(crate) modules: Table,
    /// The hook of `30_modules.js`.
    pub(crate) hook: Option<v8::Global<v8::Function>>,
    /// The first end that was reported.
    pub(crate) end: Option<End>,
    /// Start by the wall clock, since 1970-01-01 UTC.
    pub(crate) origin: std::time::Duration,
    started: std::time::Duration,
    output: OutputBudget,
    /// Its budget of host calls.
    pub(crate) calls: CallBudget,
    /// Its requests.
    pub(crate) fetches: Option<Fetches>,
}

/// Works on the run without calling into JavaScript; `None` if there is none.
pub(crate) fn with_run<T>(
    state: &Rc<RefCell<OpState>>,
    work: impl FnOnce(&mut CurrentRun) -> T,
) -> Option<T> {
    let mut state = state.borrow_mut();
    state.borrow_mut::<Session>().run.as_mut().map(work)
}

/// The rest of the output limit.
struct OutputBudget {
    bytes: u64,
    lines: u64,
    cut: bool,
}

impl CurrentRun {
    /// Starts the clock and the budgets of a run.
    pub(crate) fn new(mut request: Run, settings: &Settings, hook: v8::Global<v8::Function>) -> Self {
        let name = request.entry.file.clone();
        let entry = Source {
            file: name,
            kind: request.entry.kind,
            hash: request.entry.hash,
            text: std::mem::take(&mut request.entry.text),
            names: Vec::new(),
            cache: request.entry.cache.take(),
        };
        Self {
            request,
            files: Files::new(entry),
            modules: Table::default(),
            hook: Some(hook),
            end: None,
            origin: os::epoch(),
            started: os::monotonic(),
            output: OutputBudget {
                bytes: settings.output_bytes.min(LARGEST_OUTPUT),
                lines: settings.output_lines,
                cut: false,
            },
            calls: CallBudget::default(),
            fetches: None,
        }
    }

    /// Time since the start of the run.
    pub(crate) fn elapsed(&self) -> std::time::Duration {
        os::monotonic().saturating_sub(self.started)
    }

    /// The frames of a stack that are in this run's files.
    pub(crate) fn frames(&self, stack: &str) -> String {
        stack::frames(stack, &self.files.names())
    }
}

/// The host calls that a run has made and may still make.
#[derive(Default)]
pub(crate) struct CallBudget {
    in_flight: usize,
    made: u32,
    /// Bytes of arguments sent.
    sent: usize,
}

impl CallBudget {
    /// Counts a call that blocks the handler.
    ///
    /// # Errors
    /// A text for the handler's author once the run has made [`CALLS_PER_RUN`] calls.
    pub(crate) fn admit(&mut self) -> Result<(), String> {
        if self.made >= CALLS_PER_RUN {
            return Err(format!(
                "more than {CALLS_PER_RUN} calls to the server in one run, failed ones included"
            ));
        }
        self.made += 1;
        Ok(())
    }

    /// Counts a call that runs concurrently with the handler until [`Self::release`]; `bytes` is the
    /// size of its arguments.
    ///
    /// # Errors
    /// As [`Self::admit`], and past [`CALLS_AT_ONCE`] or [`ARGUMENT_BYTES`].
    pub(crate) fn admit_concurrent(&mut self, bytes: usize) -> Result<(), String> {
        if self.in_flight >= CALLS_AT_ONCE {
            return Err(format!("more than {CALLS_AT_ONCE} calls to the server at once"));
        }
        if self.sent.saturating_add(bytes) > ARGUMENT_BYTES {
            return Err(format!("more than {ARGUMENT_BYTES} bytes of arguments to the server in one run"));
        }
        self.admit()?;
        self.sent += bytes;
        self.in_flight += 1;
        Ok(())
    }

    /// Counts a concurrent call as answered.
    pub(crate) fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

impl Session {
    /// Bytes of the next message that are worth converting; `None` once the output is cut.
    pub(crate) fn room(&self) -> Option<usize> {
        let output = &self.run.as_ref()?.output;
        // One byte more than fits tells `write` that the message is too long.
        (!output.cut).then(|| usize::try_from(output.bytes).unwrap_or(usize::MAX).saturating_add(1))
    }

    /// Sends one line and counts it; `false` once no more lines are sent.
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
