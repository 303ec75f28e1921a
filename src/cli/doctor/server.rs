//! The server on this machine: whether it is ready, and who can reach it.

use std::time::Duration;

use isochron::config::Config;
use serde_json::Value;
use ureq::Agent;

use super::Line;

/// The time that the server has to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Asks the server at the configured address. Without one, that is bad only if one `must` be there.
pub(super) fn look(config: &Config, must: bool) -> Line {
    let mut address = config.listen;
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
        address.set_ip(loopback.parse().unwrap_or(address.ip()));
    }
    let agent = Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWERED_WITHIN));
    let answer = Agent::from(agent.build()).get(format!("http://{address}/ready")).call();
    match answer {
        Ok(mut answer) => {
            let text = answer.body_mut().read_to_string().unwrap_or_default();
            describe(&serde_json::from_str(&text).unwrap_or(Value::Null))
        }
        Err(error) if must => {
            Line::bad("server", format!("none answers at {address}: {error}"), "isochron serve")
        }
        Err(_) => Line::ok("server", format!("none runs at {address}")),
    }
}

/// The line of an answer to `/ready`.
fn describe(ready: &Value) -> Line {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let store = &ready["store"];
    let wrong = [
        (ready["ready"] == true, "it is not ready: it starts, stops, or has no runner"),
        (store["full"] != true, "its disk is full"),
        (texts(&store["start"]["missing"]).is_empty(), "its store has lost records"),
        (ready["secrets"].is_null(), "its key does not open the secrets"),
    ];
    if ready["ready"].is_null() {
        return Line::bad("server", "something else answers there", "choose another address with --listen");
    }
    if let Some((_, problem)) = wrong.iter().find(|(is_well, _)| !is_well) {
        return Line::bad(
            "server",
            *problem,
            "GET /ready and the log tell more; docs/operating.md says what to do",
        );
    }
    let file = texts(&ready["taskFile"]["problems"]);
    if let Some(first) = file.first() {
        return Line::better("server", format!("tasks.json changes nothing: {first}"), "isochron check");
    }
    if let Some(error) = store["backup"]["error"].as_str() {
        return Line::better("server", format!("the last backup failed: {error}"), "see docs/operating.md");
    }
    let alive = ready["runners"]["alive"].as_u64().unwrap_or_default();
    Line::ok("server", format!("it is ready, with {alive} runners"))
}

pub(super) fn look_at_address(config: &Config) -> Vec<Line> {
    let listen = config.listen;
    vec![if listen.ip().is_loopback() {
        Line::ok("address", format!("{listen} is for this machine only"))
    } else {
        let mend = "put a proxy with TLS in front of it, and have isochron listen on 127.0.0.1";
        Line::better("address", format!("{listen} is reached from other machines, without TLS"), mend)
    }]
}
