//! Who gets in, and how far: tokens, sessions of browsers, roles.

mod audit;
mod bounds;
mod roles;
mod sessions;
mod tokens;

use serde_json::{Value, json};

use crate::harness::Client;

/// Makes a token: its text and its id.
fn make_token(client: &Client, body: &Value) -> (String, String) {
    let answer = client.post("/admin/tokens", body).expect(201);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&answer["token"]), text(&answer["record"]["id"]))
}

/// A client with a new token of a role.
fn client_as(client: &Client, role: &str) -> Client {
    let (token, _) = make_token(client, &json!({ "name": format!("the {role}"), "role": role }));
    client.with(&token)
}
