//! `isochron doctor`: the machine, the files and the server, and what would make them better.
//!
//! Each check gives one line or none. A check changes nothing that stays: the probe of the disk and the test
//! run write below folders of their own, which go with it.

mod files;
mod machine;
mod runs;
mod server;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Args;
use isochron::{clock::Stopwatch, config::Config};
use serde::Serialize;
use serde_json::json;

use super::{Settings, USAGE, fail, paint::Paint, say};

/// Look at the machine, the files and the server, and tell what would be better.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Ask the running server only: exit 0 if it is ready, else 1
    #[arg(long)]
    quick: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

/// The state of a thing that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Better,
    /// Something does not work, or is not safe.
    Bad,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    state: State,
    /// The thing, in one or two words.
    about: &'static str,
    /// What was found.
    found: String,
    /// What to do about it; empty if nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    mend: String,
}

impl Line {
    fn ok(about: &'static str, found: impl Into<String>) -> Self {
        Self { state: State::Ok, about, found: found.into(), mend: String::new() }
    }

    fn better(about: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { state: State::Better, about, found: found.into(), mend: mend.into() }
    }

    fn bad(about: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { state: State::Bad, about, found: found.into(), mend: mend.into() }
    }
}

pub(super) fn main(options: &Options) -> ExitCode {
    let config = match options.settings.load() {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    let lines = if options.quick { vec![server::look(&config, true)] } else { look_at_all(&config) };
    let is_well = lines.iter().all(|line| line.state != State::Bad);
    if options.json {
        say(&json!({ "ok": is_well, "checks": lines }).to_string());
    } else {
        print(&lines);
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn look_at_all(config: &Config) -> Vec<Line> {
    let clock = machine::ClockWatch::start();
    let mut lines = Vec::new();
    lines.extend(runs::look(config));
    lines.extend(files::look_at_disk(&config.data));
    lines.extend(files::look_at_modes(&config.data));
    lines.extend(files::look_at_tasks(config));
    lines.extend(machine::look_at_limits(config));
    lines.extend(machine::look_at_zones());
    // Last: a jump of the clock meanwhile shows.
    lines.extend(clock.look());
    lines.extend(server::look_at_address(config));
    lines.push(server::look(config, false));
    lines
}

fn print(lines: &[Line]) {
    let paint = Paint::new(&io::stdout());
    let mut out = io::stdout().lock();
    for Line { state, about, found, mend } in lines {
        let word = match state {
            State::Ok => paint.green("ok    "),
            State::Better => paint.yellow("better"),
            State::Bad => paint.red("bad   "),
        };
        // A closed output is no error: nobody reads on.
        let _ = writeln!(out, "{word}  {}: {}", paint.bold(about), paint.plain(found));
        if !mend.is_empty() {
            let _ = writeln!(out, "        {}", paint.plain(mend));
        }
    }
}

/// Does some work and tells the milliseconds that it took.
fn measure<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let stopwatch = Stopwatch::start();
    let result = work();
    (result, stopwatch.seconds() * 1000.0)
}
