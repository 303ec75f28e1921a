//! The web platform in a handler: streams, files, requests and responses, `fetch`, cryptography.

mod classes;
mod fetching;
mod subtle;

use serde_json::{Value, json};

use crate::harness::Server;

/// Runs the body of an async function on one server; returns its result.
#[track_caller]
fn result_of(body: &str) -> Value {
    let server = Server::start();
    let source = format!(
        "const told = async (code) => {{ try {{ return await code() }} catch (error) {{ return `${{error?.name}}: ${{error?.message}}` }} }};
         const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
         const bytes = (text) => new TextEncoder().encode(text);
         module.exports = async () => {{ {body} }};"
    );
    let execution = server.run_source("case", &source, &json!({}));
    assert_eq!(execution["status"], "completed", "{execution}");
    execution["result"].clone()
}
