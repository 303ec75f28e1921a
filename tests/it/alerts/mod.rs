//! Alerts: does a message reach its channel, once, with everything that one needs to know?

mod hanging;
mod lists;
mod mail;
mod settings;
mod tasks;
mod webhooks;

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Home, Options, Server, Web, until};

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

/// What two channels reach, and a server with them: `ops`, whose messages are taken, and `pager`, whose are refused.
pub(crate) fn with_two_channels() -> (Web, Server) {
    let web = Web::start(|request| match request.path.as_str() {
        "/refused" => (404, "", "there is no such hook".to_owned()),
        _ => (200, "", "taken".to_owned()),
    });
    let channel = |name: &str, path: &str| {
        format!("[alerts.{name}]\nkind = \"webhook\"\nurl = \"{}\"\nbatch = 0\n", web.url(path))
    };
    let settings = [channel("ops", "/taken"), channel("pager", "/refused")].concat();
    let server = server(&settings);
    (web, server)
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
