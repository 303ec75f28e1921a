//! Alerts: does a message reach its channel, once, with everything that one needs to know?

mod hanging;
mod lists;
mod mail;
mod settings;
mod tasks;
mod webhooks;

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Home, Options, Server, until};

/// Fails until its file is replaced.
const FAILS: &str = "module.exports = () => { console.log('line one'); throw new Error('no luck'); };";
/// Succeeds.
const WORKS: &str = "module.exports = () => 'fine';";

/// A server with these settings.
fn server(settings: &str) -> Server {
    let home = Home::new();
    fs::write(home.path().join("isochron.toml"), settings).expect("the settings written");
    Options::default().start_in(home).unwrap_or_else(|said| panic!("the server did not start: {said}"))
}

/// Waits for a delivery of a channel that is over.
fn delivered(server: &Server, channel: &str, count: usize) -> Vec<Value> {
    until("the messages are delivered or given up", || {
        let path = format!("/admin/alerts/deliveries?channel={channel}");
        let list = server.client().get(&path).expect(200)["deliveries"].take();
        let mut list = list.as_array().cloned().unwrap_or_default();
        list.retain(|message| message["status"] != "pending" && message["status"] != "held");
        (list.len() >= count).then_some(list)
    })
}

/// Creates a task that tells a channel of failures and recoveries.
fn watched(server: &Server, name: &str, source: &str, channel: &str) -> String {
    server.create_dormant(name, source, &json!({ "alerts": [{ "channel": channel }] }))
}
