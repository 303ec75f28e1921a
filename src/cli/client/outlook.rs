//! `isochron upcoming` and `isochron simulate`

use std::process::ExitCode;

use clap::Args;
use isochron::domain::Millis;
use serde_json::Value;

use super::{
    Client, Done, Failure, Remote,
    find::{items, text},
    format::{absolute, local_zone, read_moment, relative},
    now, paint, print_items, put,
    table::{Cell, Column, Style, Table},
};
use crate::cli::{say, say_line};

/// A span of time to come.
#[derive(Debug, Args)]
struct Span {
    /// From this time on, such as 2h or 2026-03-29 [default: now]
    #[arg(long, value_name = "TIME", default_value = "0s")]
    from: String,
    /// Up to this time, 31 days later at most [default: in a day]
    #[arg(long, value_name = "TIME", default_value = "24h")]
    to: String,
}

impl Span {
    fn read(&self) -> Done<(Millis, Millis)> {
        let moment = |name: &str, text: &str| {
            read_moment(text, now()).map_err(|why| Failure::Usage(anyhow::anyhow!("--{name} {why}")))
        };
        Ok((moment("from", &self.from)?, moment("to", &self.to)?))
    }
}

/// Show the runs of all tasks that come next
#[derive(Debug, Args)]
pub(in crate::cli) struct Upcoming {
    #[command(flatten)]
    span: Span,
    /// The most runs
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    pub(in crate::cli) remote: Remote,
}

impl Upcoming {
    pub(in crate::cli) fn perform(&self, client: &Client) -> Done<ExitCode> {
        let (from, to) = self.span.read()?;
        let answer = client.get(&format!("/admin/upcoming?from={from}&to={to}&limit={}", self.limit))?;
        if client.json {
            print_items(&answer["occurrences"]);
            return Ok(ExitCode::SUCCESS);
        }
        let zone = local_zone();
        let columns =
            [Column::Fixed("TIME"), Column::Fixed("IN"), Column::Cut("TASK"), Column::Spare("HANDLER")];
        let mut table = Table::new(&columns);
        for entry in items(&answer["occurrences"]) {
            let time = entry["time"].as_i64().unwrap_or_default();
            table.add([
                absolute(time, zone).into(),
                relative(time, now()).trim_start_matches("in ").into(),
                Cell::new(text(entry, "taskName"), Style::Bold),
                text(entry, "handler").into(),
            ]);
        }
        table.print(paint(), "nothing is planned in that time");
        if answer["truncated"] == true {
            say_line("there are more: --limit shows them");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Tell where more is due than can run at once, and what would help
#[derive(Debug, Args)]
pub(in crate::cli) struct Simulate {
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    pub(in crate::cli) remote: Remote,
}

impl Simulate {
    pub(in crate::cli) fn perform(&self, client: &Client) -> Done<ExitCode> {
        let (from, to) = self.span.read()?;
        let answer = client.get(&format!("/admin/simulate?from={from}&to={to}"))?;
        if client.json {
            say(&answer.to_string());
            return Ok(ExitCode::SUCCESS);
        }
        let (zone, paint) = (local_zone(), paint());
        let time = |entry: &Value| absolute(entry["time"].as_i64().unwrap_or_default(), zone);
        put(&paint.bold("More is due than runs at once"));
        let mut peaks =
            Table::new(&[Column::Fixed("TIME"), Column::Fixed("STARTS"), Column::Fixed("AT ONCE")]);
        for peak in items(&answer["peaks"]) {
            peaks.add([
                time(peak).into(),
                peak["starts"].to_string().into(),
                peak["concurrent"].to_string().into(),
            ]);
        }
        peaks.print(paint, "never");
        put(&paint.bold("\nTasks that meet themselves"));
        let mut conflicts = Table::new(&[Column::Fixed("FIRST AT"), Column::Cut("TASK"), Column::Cut("WHY")]);
        for conflict in items(&answer["conflicts"]) {
            let name = conflict["taskName"].as_str().unwrap_or(text(conflict, "taskId"));
            conflicts.add([time(conflict).into(), name.into(), text(conflict, "reason").into()]);
        }
        conflicts.print(paint, "none");
        for suggestion in items(&answer["suggestions"]) {
            let said = suggestion.as_str().or(suggestion["text"].as_str()).unwrap_or_default();
            say_line(&format!("• {said}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}
