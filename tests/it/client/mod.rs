//! The commands that ask a server: `task`, `logs`, `events`, `token`, `upcoming`.

mod bindings;
mod bundles;
mod runs;
mod tasks;
mod terminal;

use std::process::{Command, Output};

use crate::harness::Server;

/// A command in the server's home, whose token it finds there.
fn command(server: &Server, arguments: &[&str]) -> Command {
    let mut command = server.home.command(arguments);
    command.env("ISOCHRON_SERVER", server.client().address());
    command
}

/// The end of a command.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn run(server: &Server, arguments: &[&str]) -> Ran {
    command(server, arguments).output().expect("the binary runs").into()
}

/// The output of a command that succeeds.
#[track_caller]
fn out(server: &Server, arguments: &[&str]) -> String {
    let ran = run(server, arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.err);
    ran.out
}
