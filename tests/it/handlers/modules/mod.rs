//! Modules: CommonJS, ES modules, TypeScript and packages.

mod commonjs;
mod esm;
mod packages;
mod typescript;

use serde_json::{Value, json};

use crate::harness::{Server, id_of, task};

/// Writes files below `tasks/`.
fn write_all(server: &Server, files: &[(&str, &str)]) {
    for (name, text) in files {
        server.home.write(name, text);
    }
}

/// Creates a task for a handler whose file is there, runs it and returns the execution.
#[track_caller]
fn run_handler(server: &Server, handler: &str) -> Value {
    let body = task(&format!("{handler} runs"), handler, "0 0 1 1 *", &json!({ "recurring": true }));
    let id = id_of(&server.client().post("/admin/scheduler", &body).expect(201)["task"]);
    server.run(&id)
}

/// The result of a handler that completes.
#[track_caller]
fn result_of(server: &Server, handler: &str) -> Value {
    let mut execution = run_handler(server, handler);
    assert_eq!(execution["status"], "completed", "{execution}");
    execution["result"].take()
}

/// Why the API refuses to create a task for a handler.
#[track_caller]
fn refusal_of(server: &Server, handler: &str) -> String {
    let body = task(&format!("{handler} is refused"), handler, "0 0 1 1 *", &json!({ "recurring": true }));
    let refused = server.client().post("/admin/scheduler", &body).expect(400);
    refused["details"][0]["problem"].as_str().unwrap_or_else(|| panic!("{refused}")).to_owned()
}
