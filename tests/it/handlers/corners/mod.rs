//! Corners of the language and of the web APIs that authors of handlers meet.

mod awaiting;
mod causes;
mod cloning;
mod directives;
mod lines;
mod patched;
mod tables;

use serde_json::{Value, json};

use super::{messages, run_all};
use crate::harness::{Server, field};

/// Runs `body` as a handler that must complete, and returns its result.
#[track_caller]
fn result_of(server: &Server, name: &str, body: &str) -> Value {
    let source = format!("module.exports = async () => {{ {body} }};");
    let mut execution = server.run_source(name, &source, &json!({}));
    assert_eq!(execution["status"], "completed", "{execution}");
    execution["result"].take()
}
