//! Settings of channels that are wrong stop the start, with a line that says what would be right.

use std::fs;

use crate::harness::{Home, Options};

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
