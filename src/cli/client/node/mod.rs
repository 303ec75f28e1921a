//! `isochron node`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::{say, say_line};

use super::{
    Client, Done, Remote, failure,
    find::{items, text},
    format::relative,
    now, paint, print_items,
    table::{Cell, Column, Style, Table},
};

/// Look at the nodes: the servers that share a store
#[derive(Debug, Args)]
pub(in crate::cli) struct Nodes {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the nodes, and the runs in progress on each
    List(Plain),
    /// Let a node take no new runs and finish those that it has, before it is stopped
    Drain(Drain),
}

#[derive(Debug, Args)]
struct Drain {
    /// The node's name or id
    name: String,
    /// Let it take runs again
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Plain {
    #[command(flatten)]
    remote: Remote,
}

impl Nodes {
    pub(in crate::cli) fn main(&self) -> ExitCode {
        match &self.command {
            Command::List(Plain { remote }) => {
                super::main(remote, |client| list(client).map(|()| ExitCode::SUCCESS))
            }
            Command::Drain(drain) => {
                super::main(&drain.remote, |client| drain.perform(client).map(|()| ExitCode::SUCCESS))
            }
        }
    }
}

impl Drain {
    fn perform(&self, client: &Client) -> Done {
        let id = find(client, &self.name)?;
        let action = if self.undo { "undrain" } else { "drain" };
        let answer = client.ask("POST", &format!("/admin/nodes/{id}/actions/{action}"), None)?;
        if client.json {
            say(&answer.to_string());
        } else if self.undo {
            say_line(&format!("the node {} takes runs again", self.name));
        } else {
            let busy = &answer["node"]["busy"];
            say_line(&format!("the node {} takes no new runs; {busy} go on", self.name));
        }
        Ok(())
    }
}

/// The id of a node that lives.
fn find(client: &Client, name: &str) -> Done<String> {
    let list = client.get("/admin/nodes")?;
    let named = |node: &&Value| [text(node, "name"), text(node, "id")].contains(&name);
    let found: Vec<_> = items(&list["nodes"]).filter(|node| node["gone"].is_null()).filter(named).collect();
    match found.as_slice() {
        [] => Err(failure(format!("there is no node \"{name}\": `isochron node list` shows them"))),
        [node] if node["id"].is_null() => {
            Err(failure("this server has its store alone: stop it, and its runs have their time to end"))
        }
        [node] => Ok(text(node, "id").to_owned()),
        _ => Err(failure(format!("{} nodes have the name \"{name}\": give the id", found.len()))),
    }
}

fn list(client: &Client) -> Done {
    let answer = client.get("/admin/nodes")?;
    if client.json {
        print_items(&answer["nodes"]);
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::Cut("NAME"),
        Column::Fixed("STATE"),
        Column::Fixed("RUNS"),
        Column::Fixed("SEEN"),
        Column::Fixed("JOINED"),
        Column::Spare("VERSION"),
        Column::Spare("ADDRESS"),
        Column::Spare("ID"),
    ]);
    for node in items(&answer["nodes"]) {
        let time = |field: &str| node[field].as_i64().map_or_else(String::new, |time| relative(time, now()));
        let state = match (node["gone"].is_null(), node["drained"] == true) {
            (true, true) => "drained".to_owned(),
            (true, false) => "lives".to_owned(),
            _ => format!("gone: {}", text(node, "why")),
        };
        table.add([
            Cell::new(text(node, "name"), Style::Bold),
            state.into(),
            format!("{} of {}", node["busy"], node["places"]).into(),
            time("seen").into(),
            time("joined").into(),
            text(node, "build").into(),
            text(node, "address").into(),
            Cell::new(text(node, "id"), Style::Dim),
        ]);
    }
    table.print(paint(), "there are no nodes");
    Ok(())
}
