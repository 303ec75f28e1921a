//! Commands that ask a server by its API: `task`, `logs`, `events`, `token`, `variable`, `node`, `handlers`, `upcoming`,
//! `simulate`.
//!
//! Every command makes a [`Client`] of its [`Remote`] flags, asks, and shows the answer as a table, or as the
//! API's own document with `--json`. What a command prints for people may change; the documents do not.

mod access;
mod draft;
mod find;
mod follow;
mod format;
mod handlers;
mod http;
mod node;
mod outlook;
mod output;
mod run;
mod table;
mod task;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use isochron::{
    clock::{Clock, SystemClock},
    domain::{Millis, text::to_one_line},
};
use serde_json::Value;

pub(super) use self::{
    access::{Tokens, Variables, binding},
    handlers::Handlers,
    http::Client,
    node::Nodes,
    outlook::{Simulate, Upcoming},
    output::{Events, Logs},
    task::Tasks,
};
use super::{USAGE, paint::Paint, say, tell};

/// The server answered with a conflict, or the run was skipped.
const CONFLICT: u8 = 3;

/// The server, and the form of the answer.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Remote {
    /// The server's address [default: ISOCHRON_SERVER, else the server of this machine]
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// The token [default: ISOCHRON_TOKEN, else for this machine's server the token in the data folder]
    #[arg(long, value_name = "TOKEN")]
    pub(super) token: Option<String>,
    /// Print the API's JSON: one document, or one line for each item of a list
    #[arg(long)]
    pub(super) json: bool,
    /// The data folder of this machine's server [default: data]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<String>,
    /// A file with settings [default: isochron.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line is wrong.
    Usage(anyhow::Error),
    /// The server refused: the status and the body of its answer.
    Refused(u16, Value),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

pub(super) type Done<T = ()> = Result<T, Failure>;

/// Makes a failure of a text.
pub(super) fn failure(text: impl Into<String>) -> Failure {
    Failure::Other(anyhow::Error::msg(text.into()))
}

/// Performs a command with a client of its server.
pub(super) fn main(remote: &Remote, perform: impl FnOnce(&Client) -> Done<ExitCode>) -> ExitCode {
    let done = Client::new(remote).and_then(|client| perform(&client));
    done.unwrap_or_else(|failure| show_failure(&failure, remote.json))
}

/// Tells a failure in one line, or as JSON, and returns the exit code.
fn show_failure(failure: &Failure, json: bool) -> ExitCode {
    let (code, text) = match failure {
        Failure::Usage(error) => (USAGE, format!("{error:#}")),
        Failure::Other(error) => (1, format!("{error:#}")),
        Failure::Refused(status, body) => {
            let code = if *status == 409 { CONFLICT } else { 1 };
            if json && body.is_object() {
                tell(&body.to_string());
                return ExitCode::from(code);
            }
            let message = body["message"].as_str().unwrap_or("the answer has no message");
            (code, format!("the server refused ({status}): {message}"))
        }
    };
    if json {
        tell(&serde_json::json!({ "error": true, "code": null, "message": text }).to_string());
    } else {
        tell(&to_one_line(&format!("isochron: {text}")));
    }
    ExitCode::from(code)
}

/// Prints each item of a list as one line of JSON.
fn print_items(list: &Value) {
    list.as_array().into_iter().flatten().for_each(|item| say(&item.to_string()));
}

/// Colours of standard output.
fn paint() -> Paint {
    Paint::new(&io::stdout())
}

/// Writes lines to standard output as they are. Their texts have gone through a [`Paint`], which shows control
/// characters.
fn put(text: &str) {
    // Nobody reads on.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Writes lines to standard error as they are; see [`put`].
fn put_error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn now() -> Millis {
    SystemClock.now()
}
