//! The fields of a task on the command line.

use std::fs;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value};

use super::{
    Client, Done, Failure,
    find::{encode, items, text},
    format::{absolute, relative},
    now,
};
use crate::cli::say_line;

/// Fields of a task. A file has the form of the API's body.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// A file with the fields as JSON; - reads standard input. Other flags go before it
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// A text for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The handler
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// When it runs, such as '0 3 * * *', 'every 15m' or now
    #[arg(long, value_name = "SCHEDULE")]
    schedule: Option<String>,
    /// The zone of the schedule, such as Europe/Berlin
    #[arg(long, visible_alias = "timezone", value_name = "ZONE")]
    zone: Option<String>,
    /// The handler's parameters: a JSON object, or @FILE
    #[arg(long, value_name = "JSON")]
    params: Option<String>,
    /// Whether it goes on after its first run
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    recurring: Option<bool>,
    /// Another field, such as timeout=60000 or overlap=queue
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
}

impl Fields {
    /// The body of a request.
    pub(super) fn body(&self) -> Done<Map<String, Value>> {
        self.read().map_err(Failure::Usage)
    }

    fn read(&self) -> anyhow::Result<Map<String, Value>> {
        let mut body = match &self.file {
            Some(file) => read_object(&read_file(file)?).with_context(|| format!("--file {file}"))?,
            None => Map::new(),
        };
        let texts = [
            ("description", &self.description),
            ("handler", &self.handler),
            ("schedule", &self.schedule),
            ("timezone", &self.zone),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.as_str().into());
            }
        }
        if let Some(params) = &self.params {
            body.insert("params".to_owned(), read_params(params)?.into());
        }
        if let Some(recurring) = self.recurring {
            body.insert("recurring".to_owned(), recurring.into());
        }
        for field in &self.set {
            let Some((name, value)) = field.split_once('=') else {
                bail!("--set {field}: must be a field and its value, such as timeout=60000");
            };
            // What is no JSON is a text.
            let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            body.insert(name.to_owned(), value);
        }
        Ok(body)
    }
}

/// Parameters: a JSON object, or `@` and the name of a file with one.
pub(super) fn read_params(text: &str) -> anyhow::Result<Map<String, Value>> {
    match text.strip_prefix('@') {
        Some(file) => read_object(&read_file(file)?).with_context(|| format!("--params {text}")),
        None => read_object(text).context("--params"),
    }
}

fn read_file(name: &str) -> anyhow::Result<String> {
    if name == "-" {
        return std::io::read_to_string(std::io::stdin()).context("read standard input");
    }
    fs::read_to_string(name).with_context(|| format!("read {name}"))
}

fn read_object(text: &str) -> anyhow::Result<Map<String, Value>> {
    match serde_json::from_str(text).context("no valid JSON")? {
        Value::Object(object) => Ok(object),
        _ => bail!("must be a JSON object, such as '{{\"days\": 7}}'"),
    }
}

/// Says when a task runs next, and what is worth knowing about its schedule.
pub(super) fn tell_schedule(client: &Client, task: &Value) -> Done {
    let (schedule, zone) = (text(task, "schedule"), text(task, "timezone"));
    let path =
        format!("/admin/schedule/preview?schedule={}&timezone={}&count=3", encode(schedule), encode(zone));
    let preview = client.get(&path)?;
    say_line(&format!("{}, {zone}", text(&preview, "description")));
    if task["recurring"] == false {
        say_line("it runs once: --recurring lets it go on");
    }
    let zone = isochron::domain::zone::parse_zone(zone).unwrap_or(chrono_tz::Tz::UTC);
    let most = if task["recurring"] == false { 1 } else { 3 };
    for time in items(&preview["next"]).take(most).filter_map(Value::as_i64) {
        say_line(&format!("  {}  {}", absolute(time, zone), relative(time, now())));
    }
    for warning in items(&preview["warnings"]).filter_map(Value::as_str) {
        say_line(&format!("note: {warning}"));
    }
    Ok(())
}
