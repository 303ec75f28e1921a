//! The contract of handlers, the files in `tasks/`.

mod console;
mod context;
mod corners;
mod ending;
mod errors;
mod exports;
mod failures;
mod globals;
mod modules;
mod output;
mod results;

use serde_json::{Value, json};

use crate::harness::Server;

/// Runs sources on one server, each as a task of its own, and returns their executions.
#[track_caller]
fn run_all<const N: usize>(server: &Server, sources: [&str; N]) -> [Value; N] {
    let mut number = 0;
    sources.map(|source| {
        number += 1;
        server.run_source(&format!("case-{number}"), source, &json!({}))
    })
}

/// The messages of an execution's output.
fn messages(execution: &Value) -> Vec<&str> {
    let lines = execution["output"].as_array().expect("lines");
    lines.iter().map(|line| line["message"].as_str().expect("a text")).collect()
}
