//! Node's built-ins: do programs written for Node find here the functions that they call?

mod globals;
mod running;
mod table;

use serde_json::{Value, json};

use crate::harness::Server;

/// Runs a handler on a server of its own and returns its result.
#[track_caller]
fn result_of(source: &str) -> Value {
    let execution = Server::start().run_source("case", source, &json!({}));
    assert_eq!(execution["status"], "completed", "{execution}");
    execution["result"].clone()
}
