//! Secrets and variables: who may read a value, and where it never shows.

mod api;
mod attacks;
mod keys;
mod masking;

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::harness::{Home, Server};

/// Sets a secret or a variable (`kind`: `secrets`, `variables`) over the API.
#[track_caller]
fn set(server: &Server, kind: &str, name: &str, body: &Value) -> Value {
    let answer = server.client().put(&format!("/admin/{kind}/{name}"), body);
    assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
    answer.body
}

/// Runs a body with `params` and `ctx` as a task of its own; the execution.
#[track_caller]
fn run(server: &Server, name: &str, body: &str) -> Value {
    let source = format!("module.exports = async (params, ctx) => {{ {body} }};");
    server.run_source(name, &source, &json!({}))
}

/// Runs `isochron secret …` with an input.
fn secret(home: &Home, arguments: &[&str], input: &str) -> Output {
    secret_of(home.command(&[&["secret"], arguments].concat()), input)
}

fn secret_of(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("its input");
    // Fails if the command does not read it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
