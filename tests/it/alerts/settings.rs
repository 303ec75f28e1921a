//! Settings of channels that are wrong stop the start, with a line that says what would be right; and the
//! channels that hear of the server.

use std::fs;

use serde_json::json;

use super::{WORKS, delivered, server, watched};
use crate::harness::{Home, Options, Web};

#[test]
fn each_mistake_in_the_settings_is_named_with_its_key_and_no_secret() {
    for (settings, words) in [
        ("[alerts.own]\nurl = \"http://s3cret\"", "alerts.own.kind"),
        ("[alerts.own]\nkind = \"pigeon\"", "webhook, slack, discord, ntfy, email, task, heartbeat"),
        ("[alerts.own]\nkind = \"slack\"", "a channel of kind slack needs it"),
        ("[alerts.own]\nkind = \"slack\"\nurl = \"s3cret\"", "an http: or https: URL"),
        ("[alerts.own]\nkind = \"slack\"\nurl = \"http://s3cret\"\nto = 1", "known are kind, batch"),
        ("[alerts.\"a b\"]\nkind = \"slack\"", "a channel's name"),
        ("[[alerts.default]]\nchannel = \"ops\"", "\"ops\" is none of []"),
        (
            "[alerts.own]\nkind = \"slack\"\nurl = \"http://s3cret\"\nquiet = { hours = \"22-7\", zone = \"UTC\" }",
            "22:00-07:00",
        ),
        (
            "[alerts.own]\nkind = \"slack\"\nurl = \"env:NOT_THERE\"",
            "env:NOT_THERE, but the environment has no such",
        ),
        ("[alerts.own]\nkind = \"ntfy\"\nurl = \"https://s3cret/\"", "must end with a topic"),
        (
            "[alerts.own]\nkind = \"webhook\"\nurl = \"http://s3cret\"\nbody = \"{{ open\"",
            "alerts.own: body is no template",
        ),
    ] {
        let home = Home::new();
        fs::write(home.path().join("isochron.toml"), settings).expect("the settings written");
        let Err(said) = Options::default().start_in(home) else { panic!("it starts with {settings}") };
        assert!(said.contains(words) && !said.contains("s3cret"), "{settings}\n{said}");
    }
}

#[test]
fn a_token_that_ends_soon_and_a_handler_that_no_longer_loads_are_told() {
    let web = Web::start(|_| (200, "", "taken".to_owned()));
    let settings = format!(
        "[alerts.own]\nkind = \"webhook\"\nurl = \"{}\"\nbatch = 0\n[[alerts.server]]\nchannel = \"own\"\n\
         on = [\"token-expiring\", \"handler-broken\"]",
        web.url("/hook")
    );
    let mut server = server(&settings);
    let task = watched(&server, "nightly", WORKS, "own");
    let created = server.task(&task)["createdAt"].as_i64().expect("a time");
    let end = created + 5 * 86_400_000;
    let token = json!({ "name": "ci", "role": "viewer", "expiresAt": end });
    server.client().post("/admin/tokens", &token).expect(201);
    // Nobody uses this one.
    server.home.write("unused", "module.exports = ( => 1;");
    server.home.write("nightly", "module.exports = ( => 1;");
    server.kill();
    server.start_again();
    let told = delivered(&server, "own", 2);
    let mut lines: Vec<_> =
        told.iter().map(|message| message["lines"][0].as_str().expect("a line")).collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 2, "{told:?}");
    assert!(lines[0].starts_with("The handler nightly does not load, and a task uses it: "), "{lines:?}");
    assert_eq!(lines[1], "The token ci ends in 5 days");
    let kinds: Vec<_> = told.iter().map(|message| message["kind"].as_str().expect("a kind")).collect();
    assert!(kinds.contains(&"token-expiring") && kinds.contains(&"handler-broken"), "{kinds:?}");
}
