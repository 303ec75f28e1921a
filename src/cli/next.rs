//! `isochron next '<schedule>'`

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use isochron::{
    clock::{Clock, SystemClock},
    domain::{
        Millis,
        schedule::preview::{Bounds, preview},
        zone::parse_zone,
    },
};
use serde_json::json;

use super::{USAGE, fail, say};

/// Show the next times of a schedule.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The schedule, such as '0 9 * * 1' or 'every 15m'
    schedule: String,
    /// An IANA time zone name
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// Times after this moment, in epoch milliseconds [default: now]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    after: Option<Millis>,
    /// How many times to show
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(options: &Options) -> ExitCode {
    let after = options.after.unwrap_or_else(|| SystemClock.now());
    let zone = match parse_zone(&options.timezone) {
        Ok(zone) => zone,
        Err(error) => return fail(USAGE, &error.into()),
    };
    let preview = match preview(&options.schedule, zone, Bounds::default(), after, usize::from(options.count))
    {
        Ok(preview) => preview,
        Err(error) => return fail(USAGE, &error.into()),
    };
    if options.json {
        let answer = json!({
            "next": preview.next,
            "scheduleType": preview.schedule_type,
            "description": preview.description,
            "warnings": preview.warnings,
        });
        say(&answer.to_string());
        return ExitCode::SUCCESS;
    }
    say(&preview.description);
    for time in preview.next {
        let shown = DateTime::from_timestamp_millis(time).map_or_else(
            || time.to_string(),
            |utc| {
                let local = utc.with_timezone(&zone);
                format!("{}  {}", local.format("%a"), local.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            },
        );
        say(&shown);
    }
    for warning in preview.warnings {
        say(&format!("note: {warning}"));
    }
    ExitCode::SUCCESS
}
