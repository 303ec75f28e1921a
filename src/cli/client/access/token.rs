//! `isochron token`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use isochron::domain::Millis;
use serde_json::{Value, json};

use crate::cli::{
    client::{
        Client, Done, Remote, failure,
        find::{items, text},
        format::{absolute, local_zone, read_duration, relative},
        now, paint, print_items,
        table::{Cell, Column, Style, Table},
    },
    say, say_line, tell,
};

/// Make, list and revoke tokens
#[derive(Debug, Args)]
pub(in crate::cli) struct Tokens {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token; standard output gets the token alone, once
    Create(Create),
    /// List the tokens, without the tokens themselves
    List(Plain),
    /// Replace a token by a new one with the same rights
    Rotate(Rotate),
    /// End a token, its sessions and its streams at once
    Revoke(Named),
}

#[derive(Debug, Args)]
struct Plain {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Named {
    /// The token's name or id
    name: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Create {
    /// The name, for people and for the audit
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The role
    #[arg(long, value_name = "ROLE", value_parser = ["viewer", "operator", "editor", "admin"])]
    role: String,
    /// The handlers whose tasks it sees and touches, such as sales,reports/* [default: all]
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    handlers: Option<Vec<String>>,
    /// Its end, such as 90d from now [default: none]
    #[arg(long, value_name = "TIME", value_parser = read_duration)]
    expires: Option<Millis>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Rotate {
    /// The token's name or id
    name: String,
    /// The old token works for this much longer, such as 1h; 7d at most
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = read_duration)]
    overlap: Millis,
    #[command(flatten)]
    remote: Remote,
}

impl Tokens {
    pub(in crate::cli) fn main(&self) -> ExitCode {
        let remote = match &self.command {
            Command::Create(Create { remote, .. })
            | Command::List(Plain { remote })
            | Command::Rotate(Rotate { remote, .. })
            | Command::Revoke(Named { remote, .. }) => remote,
        };
        crate::cli::client::main(remote, |client| self.perform(client).map(|()| ExitCode::SUCCESS))
    }

    fn perform(&self, client: &Client) -> Done {
        match &self.command {
            Command::Create(create) => {
                let mut body = json!({ "name": create.name, "role": create.role });
                if let Some(handlers) = &create.handlers {
                    body["handlers"] = json!(handlers);
                }
                if let Some(expires) = create.expires {
                    body["expiresAt"] = json!(now() + expires);
                }
                show_new(client, &client.ask("POST", "/admin/tokens", Some(&body))?);
            }
            Command::List(_) => list(client)?,
            Command::Rotate(Rotate { name, overlap, .. }) => {
                let path = format!("/admin/tokens/{}/actions/rotate", find(client, name)?);
                show_new(client, &client.ask("POST", &path, Some(&json!({ "overlap": overlap })))?);
            }
            Command::Revoke(Named { name, .. }) => {
                let id = find(client, name)?;
                let answer = client.ask("DELETE", &format!("/admin/tokens/{id}"), None)?;
                if client.json {
                    say(&answer.to_string());
                } else {
                    say_line(&format!("the token {name} is revoked"));
                }
            }
        }
        Ok(())
    }
}

/// The id of a token.
fn find(client: &Client, name: &str) -> Done<String> {
    let list = client.get("/admin/tokens")?;
    let id = items(&list["tokens"]).find(|token| [text(token, "name"), text(token, "id")].contains(&name));
    id.map(|token| text(token, "id").to_owned())
        .ok_or_else(|| failure(format!("there is no token \"{name}\"")))
}

fn show_new(client: &Client, answer: &Value) {
    if client.json {
        return say(&answer.to_string());
    }
    let secret = answer["token"].as_str().or(answer["secret"].as_str()).unwrap_or_default();
    say(secret);
    tell("keep it: it is not shown again");
}

fn list(client: &Client) -> Done {
    let answer = client.get("/admin/tokens")?;
    if client.json {
        print_items(&answer["tokens"]);
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::Cut("NAME"),
        Column::Fixed("ROLE"),
        Column::Cut("HANDLERS"),
        Column::Fixed("EXPIRES"),
        Column::Fixed("LAST USED"),
        Column::Spare("CREATED"),
        Column::Spare("ID"),
    ]);
    let zone = local_zone();
    for token in items(&answer["tokens"]) {
        let handlers: Vec<_> = items(&token["handlers"]).filter_map(Value::as_str).collect();
        let handlers = if token["handlers"].is_array() { handlers.join(", ") } else { "all".to_owned() };
        let time = |value: &Value, none: &str| {
            value.as_i64().map_or_else(|| none.to_owned(), |time| relative(time, now()))
        };
        let created = token["createdAt"].as_i64().map_or_else(String::new, |time| absolute(time, zone));
        table.add([
            Cell::new(text(token, "name"), Style::Bold),
            text(token, "role").into(),
            handlers.into(),
            time(&token["expiresAt"], "never").into(),
            time(&token["lastUsedAt"], "never").into(),
            created.into(),
            Cell::new(text(token, "id"), Style::Dim),
        ]);
    }
    table.print(paint(), "there are no tokens but the one of the configuration");
    Ok(())
}
