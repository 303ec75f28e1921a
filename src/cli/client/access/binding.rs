//! `isochron variable`, and `isochron secret --server`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use isochron::domain::binding::{Kind, check_name};
use serde_json::{Value, json};

use crate::cli::{
    Settings,
    client::{
        Client, Done, Failure, Remote, failure,
        find::{items, text},
        format::relative,
        now, paint, print_items,
        table::{Cell, Column, Style, Table},
    },
    say, say_line, secret,
};

/// Set, list and delete the variables of a server
#[derive(Debug, Args)]
pub(in crate::cli) struct Variables {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set a variable, or change who may read it
    Set(Set),
    /// List the variables with their values
    List(List),
    /// Delete a variable
    Delete(Delete),
}

#[derive(Debug, Args)]
struct Set {
    /// The name: letters, digits and _
    name: String,
    /// The value; - reads it from standard input, without one line break at its end [default: as before]
    #[arg(allow_hyphen_values = true)]
    value: Option<String>,
    #[command(flatten)]
    readers: Readers,
    #[command(flatten)]
    remote: Remote,
}

/// Who may read a secret or a variable.
#[derive(Debug, Args)]
pub(in crate::cli) struct Readers {
    /// The handlers that may read it, such as sales,reports/* or '*' for all [default: as before, at first none]
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub(in crate::cli) handlers: Option<Vec<String>>,
    /// Whether it is in process.env of these handlers [default: as before, at first false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(in crate::cli) env: Option<bool>,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Delete {
    /// The name
    name: String,
    #[command(flatten)]
    remote: Remote,
}

/// The server of a command that works on the store of this machine otherwise.
#[derive(Debug, Args)]
pub(in crate::cli) struct Elsewhere {
    /// Ask the server at this address instead of using the store of this machine
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The token for --server [default: ISOCHRON_TOKEN, else for this machine's server the token in the data folder]
    #[arg(long, value_name = "TOKEN", requires = "server")]
    token: Option<String>,
    /// Print the API's JSON: one document, or one line for each item of a list
    #[arg(long, requires = "server")]
    json: bool,
}

impl Elsewhere {
    /// The server that is named, if one is.
    pub(in crate::cli) fn remote(&self, settings: &Settings) -> Option<Remote> {
        Some(Remote {
            server: Some(self.server.clone()?),
            token: self.token.clone(),
            json: self.json,
            data: settings.data.clone(),
            config: settings.config.clone(),
        })
    }
}

impl Variables {
    pub(in crate::cli) fn main(&self) -> ExitCode {
        let (Command::Set(Set { remote, .. })
        | Command::List(List { remote })
        | Command::Delete(Delete { remote, .. })) = &self.command;
        crate::cli::client::main(remote, |client| self.perform(client).map(|()| ExitCode::SUCCESS))
    }

    fn perform(&self, client: &Client) -> Done {
        match &self.command {
            Command::Set(Set { name, value, readers: Readers { handlers, env }, .. }) => {
                if value.is_none() && handlers.is_none() && env.is_none() {
                    let problem = anyhow::anyhow!("nothing to set: give a value, --handlers or --env");
                    return Err(Failure::Usage(problem));
                }
                let value = match value.as_deref() {
                    Some("-") => Some(secret::read_value().map_err(Failure::Usage)?),
                    value => value.map(str::to_owned),
                };
                set(client, Kind::Variable, name, &body(value.as_deref(), handlers.as_deref(), *env))
            }
            Command::List(_) => list(client, Kind::Variable),
            Command::Delete(Delete { name, .. }) => delete(client, Kind::Variable, name),
        }
    }
}

/// The body that sets a secret or a variable.
pub(in crate::cli) fn body(value: Option<&str>, handlers: Option<&[String]>, env: Option<bool>) -> Value {
    let mut body = json!({});
    if let Some(value) = value {
        body["value"] = json!(value);
    }
    if let Some(handlers) = handlers {
        let given = handlers.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        body["handlers"] = given.collect();
    }
    if let Some(env) = env {
        body["env"] = json!(env);
    }
    body
}

/// Sets a secret or a variable.
pub(in crate::cli) fn set(client: &Client, kind: Kind, name: &str, body: &Value) -> Done {
    let answer = client.ask("PUT", &path(kind, name)?, Some(body))?;
    if client.json {
        say(&answer.to_string());
        return Ok(());
    }
    let word = kind.word();
    let handlers: Vec<_> = items(&answer[word]["handlers"]).filter_map(Value::as_str).collect();
    say_line(&match handlers.as_slice() {
        [] => format!(
            "the {word} {name} is set; no handler may read it yet: name some with --handlers 'reports/*'"
        ),
        handlers => format!("the {word} {name} is set for {}", handlers.join(", ")),
    });
    Ok(())
}

/// Lists the secrets without their values, or the variables with them.
pub(in crate::cli) fn list(client: &Client, kind: Kind) -> Done {
    let mut answer = client.get(&format!("/admin/{}s", kind.word()))?;
    let list = answer[format!("{}s", kind.word())].take();
    if client.json {
        print_items(&list);
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::Cut("NAME"),
        Column::Cut("VALUE"),
        Column::Cut("HANDLERS"),
        Column::Fixed("IN process.env"),
        Column::Spare("CHANGED"),
    ]);
    for one in items(&list) {
        let handlers: Vec<_> = items(&one["handlers"]).filter_map(Value::as_str).collect();
        let changed = one["updatedAt"].as_i64().map_or_else(String::new, |time| relative(time, now()));
        table.add([
            Cell::new(text(one, "name"), Style::Bold),
            if kind == Kind::Secret { "•••" } else { text(one, "value") }.into(),
            if handlers.is_empty() { "none".to_owned() } else { handlers.join(", ") }.into(),
            if one["env"] == true { "yes" } else { "no" }.into(),
            changed.into(),
        ]);
    }
    table.print(paint(), &format!("there are no {}s", kind.word()));
    Ok(())
}

/// Deletes a secret or a variable.
pub(in crate::cli) fn delete(client: &Client, kind: Kind, name: &str) -> Done {
    let answer = client.ask("DELETE", &path(kind, name)?, None)?;
    if client.json {
        say(&answer.to_string());
    } else {
        say_line(&format!("the {} {name} is deleted", kind.word()));
    }
    Ok(())
}

/// The path of a secret or a variable, whose name has no letter that an address cannot have.
fn path(kind: Kind, name: &str) -> Done<String> {
    check_name(name).map_err(|problem| failure(format!("{name} {problem}")))?;
    Ok(format!("/admin/{}s/{name}", kind.word()))
}
