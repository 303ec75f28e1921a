//! The run on a terminal: lines as the handler writes them, and at the end the result or the error
//! with the line of the source.
//!
//! Standard output gets the handler's output and its result, so that another program can read them;
//! everything else goes to standard error.

use std::{
    fs,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use isochron::domain::execution::{Ending, Level, Line, Usage, Verdict};
use serde_json::Value;

use crate::cli::paint::Paint;

/// Lines of the source around the one with the error.
const AROUND: usize = 2;
/// The most characters of a source line that are shown.
const WIDEST: usize = 120;

/// Writes about runs.
pub(super) struct Report {
    folder: PathBuf,
    out: Paint,
    err: Paint,
}

impl Report {
    pub(super) fn new(folder: &Path, out: &impl IsTerminal, err: &impl IsTerminal) -> Self {
        Self { folder: folder.to_owned(), out: Paint::new(out), err: Paint::new(err) }
    }

    /// Warnings and errors of the handler go to standard error, as they would in Node.
    pub(super) fn show(&self, line: &Line) {
        match line.level {
            Level::Warn => tell(&self.err.yellow(&line.message)),
            Level::Error => tell(&self.err.red(&line.message)),
            Level::Debug => say(&self.out.dim(&line.message)),
            Level::Log | Level::Info => say(&self.out.plain(&line.message)),
        }
    }

    /// Tells how the run ended.
    pub(super) fn tell_end(&self, verdict: &Verdict) {
        let took = verdict.duration.map_or_else(String::new, |ms| format!(" after {ms} ms"));
        let used = verdict.usage.map(describe);
        let paint = self.err;
        let usage = used.as_ref().map_or_else(String::new, |used| paint.dim(&format!(" ({used})")));
        match &verdict.ending {
            Ending::Completed { result } => {
                tell(&format!("{}{usage}", paint.green(&format!("completed{took}"))));
                say(&self.out.plain(&serde_json::to_string_pretty(result).unwrap_or_default()));
            }
            Ending::Failed { reason, error, stack, .. } => {
                let reason = serde_json::to_value(reason).ok();
                let reason = reason.as_ref().and_then(Value::as_str).unwrap_or_default();
                let head = paint.red(&format!("failed ({reason}){took}:"));
                tell(&format!("{head} {}", paint.bold(error)));
                if let Some(stack) = stack {
                    if let Some(excerpt) = self.excerpt(stack) {
                        tell(&excerpt);
                    }
                    tell(&paint.dim(stack));
                }
                if let Some(used) = used {
                    tell(&paint.dim(&used));
                }
            }
            Ending::Cancelled { error } => {
                tell(&format!(
                    "{} {}{usage}",
                    paint.yellow(&format!("cancelled{took}:")),
                    paint.plain(error)
                ));
            }
        }
    }

    /// Tells that the next run waits for a change.
    pub(super) fn tell_waiting(&self, folder: &Path) {
        tell(&self.err.dim(&format!("waiting for a file in {} to be saved; Ctrl-C ends", folder.display())));
    }

    /// Tells why a run begins.
    pub(super) fn tell_saved(&self, file: &str) {
        tell(&self.err.bold(&format!("\n{file} was saved")));
    }

    /// The lines of the source around the first frame of a stack, with a caret under the column.
    fn excerpt(&self, stack: &str) -> Option<String> {
        let (file, line, column) = stack.lines().find_map(position)?;
        let text = fs::read_to_string(self.folder.join(file.strip_prefix("tasks/")?)).ok()?;
        let lines: Vec<_> = text.lines().collect();
        let failed = lines.get(line.checked_sub(1)?)?;
        let (first, last) = (line.saturating_sub(AROUND).max(1), (line + AROUND).min(lines.len()));
        let width = last.to_string().len();
        let mut excerpt = String::new();
        for number in first..=last {
            let shown: String = lines[number - 1].replace('\t', " ").chars().take(WIDEST).collect();
            let mark = if number == line { ">" } else { " " };
            let gutter = self.err.dim(&format!("{mark} {number:>width$} | "));
            excerpt += &format!("{gutter}{}\n", self.err.plain(&shown));
            let before = characters(failed, column.saturating_sub(1));
            if number == line && before < WIDEST {
                let gutter = self.err.dim(&format!("  {:>width$} | ", ""));
                excerpt += &format!("{gutter}{}{}\n", " ".repeat(before), self.err.red("^"));
            }
        }
        Some(excerpt.trim_end().to_owned())
    }
}

/// The file, line and column of a frame: `at f (tasks/a.js:2:9)` or `at tasks/a.js:2:9`.
pub(in crate::cli) fn position(frame: &str) -> Option<(&str, usize, usize)> {
    let place = frame.trim().strip_prefix("at ")?;
    let place = place.rsplit_once('(').map_or(place, |(_, place)| place.trim_end_matches(')'));
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file, line.parse().ok()?, column.parse().ok()?))
}

/// The characters that `units` UTF-16 units of a line are.
fn characters(line: &str, units: usize) -> usize {
    let starts = line.chars().scan(0, |passed, c| {
        let start = *passed;
        *passed += c.len_utf16();
        Some(start)
    });
    starts.take_while(|start| *start < units).count()
}

/// The resources of a run in words.
fn describe(usage: Usage) -> String {
    let heap = mebibytes(usage.peak_heap_bytes);
    let mut text = format!("CPU {} ms, heap {heap} MiB", usage.cpu_ms);
    if usage.requests > 0 {
        let plural = if usage.requests == 1 { "" } else { "s" };
        let (received, sent) = (kibibytes(usage.bytes_received), kibibytes(usage.bytes_sent));
        text += &format!(", {} request{plural} ({received} KiB received, {sent} KiB sent)", usage.requests);
    }
    text
}

/// Kibibytes with one decimal.
fn kibibytes(bytes: u64) -> String {
    mebibytes(bytes.saturating_mul(1024))
}

/// Mebibytes with one decimal.
fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Writes painted lines to standard output. A closed output is no error: nobody reads on.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes painted lines to standard error.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
