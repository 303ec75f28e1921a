//! `isochron task`

use std::process::ExitCode;

use chrono_tz::Tz;
use clap::{Args, Subcommand};
use isochron::domain::{Millis, zone::parse_zone};
use serde_json::{Value, json};

use super::{
    Client, Done, Remote,
    draft::{Fields, tell_schedule},
    find::{encode, items, text},
    format::{absolute, duration, local_zone, marks, read_moment, relative, status},
    now, paint, print_items, put,
    run::Run,
    table::{Cell, Column, Style, Table, colour},
};
use crate::cli::{say, say_line};

/// Look after the tasks of a server
#[derive(Debug, Args)]
pub(in crate::cli) struct Tasks {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List tasks, the next one to run first
    List(List),
    /// Show a task and its newest runs
    Show(Named),
    /// Create a task
    Create(Create),
    /// Change fields of a task
    #[command(alias = "edit")]
    Update(Update),
    /// Delete a task and its history
    #[command(alias = "remove")]
    Delete(Named),
    /// Run a task now
    Run(Run),
    /// Run it no more by its schedule; a run in progress goes on
    Pause(Named),
    /// End a pause, or start again a task that has stopped
    Resume(Named),
    /// End the runs in progress
    Cancel(Named),
    /// Set its count of failures to 0
    Reset(Named),
    /// List its runs, newest first
    History(History),
    /// Tell why it did or did not run
    Explain(Explain),
}

#[derive(Debug, Args)]
struct Named {
    /// The task's name, the beginning of it, or its id
    task: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct List {
    /// Only tasks with this status, such as failed
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only tasks with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only tasks of this handler
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// Only tasks with this in their names
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// The order: next, name, created or updated
    #[arg(long, value_name = "FIELD", default_value = "next", value_parser = ["next", "name", "created", "updated"])]
    sort: String,
    /// The most tasks
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Print names only, a line each
    #[arg(long, conflicts_with = "json")]
    names: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Create {
    /// The task's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Update {
    /// The task's name, the beginning of it, or its id
    task: String,
    /// A new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct History {
    /// The task's name, the beginning of it, or its id
    task: String,
    /// Only runs with this status, such as failed
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// The most runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Explain {
    /// The task's name, the beginning of it, or its id
    task: String,
    /// From this time on, such as -6h or 2026-03-29 [default: a day ago]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "-24h")]
    from: String,
    /// Up to this time [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "0s")]
    to: String,
    #[command(flatten)]
    remote: Remote,
}

impl Tasks {
    pub(in crate::cli) fn main(&self) -> ExitCode {
        super::main(self.remote(), |client| self.perform(client))
    }

    fn remote(&self) -> &Remote {
        match &self.command {
            Command::List(List { remote, .. })
            | Command::Create(Create { remote, .. })
            | Command::Update(Update { remote, .. })
            | Command::Run(Run { remote, .. })
            | Command::History(History { remote, .. })
            | Command::Explain(Explain { remote, .. })
            | Command::Show(Named { remote, .. })
            | Command::Delete(Named { remote, .. })
            | Command::Pause(Named { remote, .. })
            | Command::Resume(Named { remote, .. })
            | Command::Cancel(Named { remote, .. })
            | Command::Reset(Named { remote, .. }) => remote,
        }
    }

    fn perform(&self, client: &Client) -> Done<ExitCode> {
        match &self.command {
            Command::List(list) => list.perform(client)?,
            Command::Show(named) => show(client, &named.task)?,
            Command::Create(create) => create.perform(client)?,
            Command::Update(update) => update.perform(client)?,
            Command::Delete(named) => {
                let id = client.find(&named.task)?;
                let answer = client.ask("DELETE", &format!("/admin/scheduler/{id}"), None)?;
                tell_done(client, &answer);
            }
            Command::Run(run) => return run.perform(client),
            Command::Pause(named) => act(client, &named.task, "pause")?,
            Command::Resume(named) => act(client, &named.task, "resume")?,
            Command::Cancel(named) => act(client, &named.task, "cancel")?,
            Command::Reset(named) => act(client, &named.task, "reset-retries")?,
            Command::History(history) => history.perform(client)?,
            Command::Explain(explain) => explain.perform(client)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Sends an action on a task.
fn act(client: &Client, task: &str, action: &str) -> Done {
    let id = client.find(task)?;
    let answer = client.ask("POST", &format!("/admin/scheduler/{id}/actions/{action}"), None)?;
    tell_done(client, &answer);
    Ok(())
}

/// Prints the answer to a change, or its sentence for people.
fn tell_done(client: &Client, answer: &Value) {
    if client.json { say(&answer.to_string()) } else { say_line(text(&answer["meta"], "message")) }
}

impl List {
    fn perform(&self, client: &Client) -> Done {
        let order = match self.sort.as_str() {
            "name" => "name&sortOrder=asc",
            "created" => "createdAt&sortOrder=desc",
            "updated" => "updatedAt&sortOrder=desc",
            _ => "nextRun&sortOrder=asc",
        };
        let mut query = format!("fields=list&sortBy={order}");
        let filters =
            [("status", &self.status), ("tag", &self.tag), ("handler", &self.handler), ("name", &self.name)];
        for (name, value) in filters {
            if let Some(value) = value {
                query += &format!("&{name}={}", encode(value));
            }
        }
        let (mut tasks, mut total) = (Vec::new(), 0);
        while tasks.len() < self.limit {
            let limit = (self.limit - tasks.len()).min(100);
            let path = format!("/admin/scheduler?{query}&limit={limit}&skip={}", tasks.len());
            let mut page = client.get(&path)?;
            total = page["totalTasks"].as_u64().or(page["total"].as_u64()).unwrap_or_default();
            let Value::Array(items) = page["tasks"].take() else { break };
            let last = items.len() < limit;
            tasks.extend(items);
            if last {
                break;
            }
        }
        if client.json {
            print_items(&tasks.into());
        } else if self.names {
            tasks.iter().for_each(|task| say_line(text(task, "name")));
        } else {
            show_tasks(&tasks);
            if total > tasks.len() as u64 {
                say_line(&format!("{} of {total} tasks: --limit shows more", tasks.len()));
            }
        }
        Ok(())
    }
}

fn show_tasks(tasks: &[Value]) {
    let mut table = Table::new(&[
        Column::Fixed("STATUS"),
        Column::Cut("NAME"),
        Column::Fixed("NEXT"),
        Column::Fixed("LAST"),
        Column::Cut("SCHEDULE"),
        Column::Spare("HANDLER"),
        Column::Spare("RECENT"),
    ]);
    for task in tasks {
        let at = |time: &Value| time.as_i64().map_or_else(|| "–".to_owned(), |time| relative(time, now()));
        table.add([
            status(text(task, "status")),
            Cell::new(text(task, "name"), Style::Bold),
            at(&task["nextRun"]).into(),
            at(&task["lastExecution"]["time"]).into(),
            text(task, "schedule").into(),
            text(task, "handler").into(),
            marks(&task["recent"], 12).into(),
        ]);
    }
    table.print(paint(), "there are no tasks");
}

fn show(client: &Client, task: &str) -> Done {
    let id = client.find(task)?;
    let answer = client.get(&format!("/admin/scheduler/{id}"))?;
    let task = &answer["task"];
    if client.json {
        say(&task.to_string());
        return Ok(());
    }
    let paint = paint();
    let zone = parse_zone(text(task, "timezone")).unwrap_or(Tz::UTC);
    let style = match text(task, "status") {
        "failed" => Style::Red,
        "active" | "completed" => Style::Green,
        _ => Style::Yellow,
    };
    put(&format!("{}  {}", paint.bold(text(task, "name")), colour(text(task, "status"), style, paint)));
    let fact = |name: &str, value: &str| {
        put(&format!("{} {}", paint.dim(&format!("{name:<12}")), paint.plain(value)));
    };
    let when = |time: &Value| {
        time.as_i64().map(|time| format!("{} ({})", absolute(time, zone), relative(time, now())))
    };
    fact("id", text(task, "_key"));
    if !text(task, "description").is_empty() {
        fact("description", text(task, "description"));
    }
    fact("handler", text(task, "handler"));
    fact("schedule", &format!("{}, {}", text(task, "schedule"), text(task, "timezone")));
    fact("next run", &when(&task["nextRun"]).unwrap_or_else(|| "none".to_owned()));
    let known = |value: &Value| value.as_i64();
    let stats = &task["stats"];
    if let (Some(p50), Some(p95)) = (known(&stats["p50"]), known(&stats["p95"])) {
        fact("takes", &format!("{}, 95 % within {}", duration(p50), duration(p95)));
    }
    for (name, field) in [("succeeded", "lastSuccess"), ("failed", "lastFailure")] {
        if let Some(when) = when(&stats[field]) {
            fact(name, &when);
        }
    }
    if let Some(file) = task["managedBy"].as_str() {
        fact("managed by", file);
    }
    if task["params"].as_object().is_some_and(|params| !params.is_empty()) {
        fact("params", &task["params"].to_string());
    }
    say("");
    show_rows(&task["executions"], zone);
    Ok(())
}

fn show_rows(rows: &Value, zone: Tz) {
    let mut table = Table::new(&[
        Column::Fixed("STATUS"),
        Column::Fixed("STARTED"),
        Column::Fixed("TOOK"),
        Column::Fixed("TRIGGER"),
        Column::Cut("REASON"),
        Column::Spare("EXECUTION"),
    ]);
    for row in items(rows) {
        let started = row["startTime"].as_i64().or(row["scheduledFor"].as_i64()).unwrap_or_default();
        let attempt = row["attempt"].as_u64().unwrap_or_default();
        let trigger = match (text(row, "trigger"), attempt) {
            (trigger, ..=1) => trigger.to_owned(),
            (trigger, attempt) => format!("{trigger} {attempt}"),
        };
        let skips = row["skippedCount"].as_u64().map(|count| format!("{count} times"));
        let why = [text(row, "reason"), text(row, "error"), skips.as_deref().unwrap_or_default()];
        table.add([
            status(text(row, "status")),
            absolute(started, zone).into(),
            row["duration"].as_i64().map_or_else(|| "–".to_owned(), duration).into(),
            trigger.into(),
            why.iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join(": ").into(),
            Cell::new(text(row, "id"), Style::Dim),
        ]);
    }
    table.print(paint(), "it has not run yet");
}

impl Create {
    fn perform(&self, client: &Client) -> Done {
        let mut body = self.fields.body()?;
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), name.as_str().into());
            body.entry("description").or_insert_with(|| name.as_str().into());
        }
        let answer = client.ask("POST", "/admin/scheduler", Some(&body.into()))?;
        let task = &answer["task"];
        if client.json {
            say(&task.to_string());
            return Ok(());
        }
        say_line(&format!("the task \"{}\" is created: {}", text(task, "name"), text(task, "_key")));
        tell_schedule(client, task)
    }
}

impl Update {
    fn perform(&self, client: &Client) -> Done {
        let mut body = self.fields.body()?;
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), name.as_str().into());
        }
        if body.is_empty() {
            return Err(super::Failure::Usage(anyhow::anyhow!(
                "nothing is to be changed: give a field, such as --schedule 'every 5m'"
            )));
        }
        let id = client.find(&self.task)?;
        let changes_schedule =
            ["schedule", "timezone", "recurring"].iter().any(|name| body.contains_key(*name));
        let answer = client.ask("PUT", &format!("/admin/scheduler/{id}"), Some(&body.into()))?;
        if client.json {
            say(&answer["task"].to_string());
            return Ok(());
        }
        say_line(text(&answer["meta"], "message"));
        if changes_schedule { tell_schedule(client, &answer["task"]) } else { Ok(()) }
    }
}

impl History {
    fn perform(&self, client: &Client) -> Done {
        let id = client.find(&self.task)?;
        let status =
            self.status.as_ref().map_or_else(String::new, |status| format!("&status={}", encode(status)));
        let mut rows = Vec::new();
        while rows.len() < self.limit {
            let limit = (self.limit - rows.len()).min(50);
            let path = format!("/admin/scheduler/{id}/executions?limit={limit}&skip={}{status}", rows.len());
            let Value::Array(page) = client.get(&path)?["executions"].take() else { break };
            let last = page.len() < limit;
            rows.extend(page);
            if last {
                break;
            }
        }
        let rows = Value::from(rows);
        if client.json {
            print_items(&rows);
        } else {
            show_rows(&rows, local_zone());
        }
        Ok(())
    }
}

impl Explain {
    fn perform(&self, client: &Client) -> Done {
        let moment = |name: &str, text: &str| -> Done<Millis> {
            let wrong = |why| super::Failure::Usage(anyhow::anyhow!("--{name} {why}"));
            read_moment(text, now()).map_err(wrong)
        };
        let (from, to) = (moment("from", &self.from)?, moment("to", &self.to)?);
        let id = client.find(&self.task)?;
        let zone = local_zone();
        let span = format!("from={from}&to={to}&timezone={zone}");
        let answer = client.get(&format!("/admin/scheduler/{id}/explain?{span}"))?;
        if client.json {
            print_items(&answer["times"]);
            return Ok(());
        }
        let mut table = Table::new(&[Column::Fixed("TIME"), Column::Fixed("OUTCOME"), Column::Cut("WHY")]);
        for entry in items(&answer["times"]) {
            let time = entry["time"].as_i64().unwrap_or_default();
            table.add([
                absolute(time, zone).into(),
                status(text(entry, "outcome")),
                text(entry, "text").into(),
            ]);
        }
        table.print(paint(), "nothing was planned in that time");
        if answer["certain"] == json!(false) {
            say_line("note: a part of that time's history is no longer kept");
        }
        Ok(())
    }
}
