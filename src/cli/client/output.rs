//! `isochron logs` and `isochron events`

use std::{io, process::ExitCode};

use chrono_tz::Tz;
use clap::{Args, ValueEnum};
use isochron::domain::{Millis, ids::ExecutionId};
use serde_json::Value;

use super::{
    Client, Done, Remote, failure,
    find::{encode, items, text},
    follow::Stream,
    format::{clock_time, duration, local_zone, read_duration, relative},
    now, paint, put, put_error,
    table::{Style, colour},
};
use crate::cli::{paint::Paint, say};

/// Show the output of a run, or of the newest run of a task
#[derive(Debug, Args)]
pub(in crate::cli) struct Logs {
    /// A task's name or id, or the id of an execution
    name: String,
    /// Go on as lines come; of a task, also with its next runs
    #[arg(short, long)]
    follow: bool,
    /// Leave out lines below this level
    #[arg(long, value_name = "LEVEL")]
    level: Option<Level>,
    /// Leave out lines older than this, such as 10m
    #[arg(long, value_name = "TIME", value_parser = read_duration)]
    since: Option<Millis>,
    /// Show the time of each line
    #[arg(short, long)]
    timestamps: bool,
    #[command(flatten)]
    pub(in crate::cli) remote: Remote,
}

/// Levels, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Level {
    Debug,
    Log,
    Info,
    Warn,
    Error,
}

/// Prints the lines of a run.
pub(super) struct Printer {
    json: bool,
    level: Option<Level>,
    not_before: Millis,
    zone: Option<Tz>,
    out: Paint,
    err: Paint,
}

impl Printer {
    /// Prints every line, without times.
    pub(super) fn all(client: &Client) -> Self {
        Self {
            json: client.json,
            level: None,
            not_before: 0,
            zone: None,
            out: paint(),
            err: Paint::new(&io::stderr()),
        }
    }

    /// Prints a line `{time, level, message}`. Warnings and errors go to standard error.
    pub(super) fn show(&self, line: &Value) {
        let level = Level::from_str(text(line, "level"), false).unwrap_or(Level::Log);
        let time = line["time"].as_i64().unwrap_or_default();
        if self.level.is_some_and(|least| level < least) || time < self.not_before {
            return;
        }
        if self.json {
            return say(&line.to_string());
        }
        let stamp = |paint: Paint| {
            self.zone.map_or_else(String::new, |zone| paint.dim(&format!("{} ", clock_time(time, zone))))
        };
        let message = text(line, "message");
        match level {
            Level::Debug => put(&(stamp(self.out) + &self.out.dim(message))),
            Level::Log | Level::Info => put(&(stamp(self.out) + &self.out.plain(message))),
            Level::Warn => put_error(&(stamp(self.err) + &self.err.yellow(message))),
            Level::Error => put_error(&(stamp(self.err) + &self.err.red(message))),
        }
    }
}

impl Logs {
    pub(in crate::cli) fn perform(&self, client: &Client) -> Done<ExitCode> {
        let not_before = self.since.map_or(0, |since| now() - since);
        let zone = self.timestamps.then(local_zone);
        let printer = Printer { level: self.level, not_before, zone, ..Printer::all(client) };
        if self.name.parse::<ExecutionId>().is_ok() {
            follow_run(client, &self.name, |line| printer.show(line))?;
            return Ok(ExitCode::SUCCESS);
        }
        let task = client.find(&self.name)?;
        let news = self
            .follow
            .then(|| Stream::open(client, format!("/admin/events?taskId={task}&type=execution-started")));
        let newest = client.get(&format!("/admin/scheduler/{task}/executions?limit=1"))?;
        match items(&newest["executions"]).next() {
            Some(row) if self.follow && row["status"] == "running" => {
                follow_run(client, text(row, "id"), |line| printer.show(line))?;
            }
            Some(row) => {
                let path = format!("/admin/scheduler/{task}/executions/{}", text(row, "id"));
                let row = client.get(&path)?["execution"].take();
                items(&row["output"]).for_each(|line| printer.show(line));
            }
            None if self.follow => {}
            None => return Err(failure("the task has not run yet")),
        }
        let Some(mut news) = news.transpose()? else { return Ok(ExitCode::SUCCESS) };
        loop {
            let started = news.next()?;
            if started.name == "execution-started" {
                let id = text(&started.data, "executionId");
                if !client.json {
                    put_error(&printer.err.dim(&format!("{id} has started")));
                }
                follow_run(client, id, |line| printer.show(line))?;
            }
        }
    }
}

/// Gives every line of a run to `show`, to its end, and returns the execution.
pub(super) fn follow_run(client: &Client, id: &str, mut show: impl FnMut(&Value)) -> Done<Value> {
    let mut stream = Stream::open(client, format!("/admin/executions/{id}/stream"))?;
    loop {
        let told = stream.next()?;
        match told.name.as_str() {
            "lines" => items(&told.data).for_each(&mut show),
            "end" => return Ok(told.data),
            _ => {}
        }
    }
}

/// Show the news of tasks and runs as they come, until Ctrl-C
#[derive(Debug, Args)]
pub(in crate::cli) struct Events {
    /// Only of this task
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Only these events, such as execution-ended,task-updated
    #[arg(long = "type", value_name = "NAMES")]
    kinds: Option<String>,
    /// Show the events that the server still has first
    #[arg(long)]
    held: bool,
    /// End after this many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    pub(in crate::cli) remote: Remote,
}

impl Events {
    pub(in crate::cli) fn perform(&self, client: &Client) -> Done<ExitCode> {
        let mut path = "/admin/events?".to_owned();
        if let Some(task) = &self.task {
            path += &format!("taskId={}&", client.find(task)?);
        }
        if let Some(kinds) = &self.kinds {
            path += &format!("type={}&", encode(kinds));
        }
        if self.held {
            path += "lastEventId=0";
        }
        let mut stream = Stream::open(client, path.trim_end_matches(['&', '?']).to_owned())?;
        let (zone, paint) = (local_zone(), paint());
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            let told = stream.next()?;
            left -= 1;
            if client.json {
                say(&told.data.to_string());
            } else {
                put(&describe(&told.name, &told.data, zone, paint));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// An event in a line.
fn describe(name: &str, data: &Value, zone: Tz, paint: Paint) -> String {
    let time = data["time"].as_i64().map_or_else(String::new, |time| clock_time(time, zone));
    let status = text(data, "status");
    let style = match (name, status) {
        ("execution-ended", "completed") => Style::Green,
        ("execution-ended", "failed") | ("gap", _) => Style::Red,
        ("execution-started" | "execution-skipped" | "alert", _) => Style::Yellow,
        _ => Style::Plain,
    };
    let mut facts = Vec::new();
    if name.starts_with("execution-") {
        facts.push(text(data, "executionId").to_owned());
        facts.push([status, text(data, "reason")].join(" ").trim().to_owned());
    }
    facts.extend(data["duration"].as_i64().map(duration));
    facts.extend(data["progress"]["fraction"].as_f64().map(|fraction| format!("{:.0} %", fraction * 100.0)));
    facts.extend(data["progress"]["text"].as_str().map(str::to_owned));
    facts.extend(data["error"].as_str().map(|error| isochron::domain::text::to_one_line(error).into_owned()));
    if let Some(next) = data["task"]["nextRun"].as_i64() {
        facts.push(format!("next {}", relative(next, now())));
    }
    facts.extend(data["message"].as_str().map(str::to_owned));
    if data["detail"].is_object() {
        facts.push(data["detail"].to_string());
    }
    format!(
        "{}  {}  {}  {}",
        paint.dim(&time),
        colour(&format!("{name:<17}"), style, paint),
        paint.bold(text(data, "taskName")),
        paint.plain(&facts.join("  "))
    )
}
