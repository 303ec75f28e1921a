//! `isochron node`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{
    Client, Done, Remote,
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
}

#[derive(Debug, Args)]
struct Plain {
    #[command(flatten)]
    remote: Remote,
}

impl Nodes {
    pub(in crate::cli) fn main(&self) -> ExitCode {
        let Command::List(Plain { remote }) = &self.command;
        super::main(remote, |client| list(client).map(|()| ExitCode::SUCCESS))
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
        let state =
            if node["gone"].is_null() { "lives".to_owned() } else { format!("gone: {}", text(node, "why")) };
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
