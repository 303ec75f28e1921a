//! The settings of a server as one of many on a store.

use super::{Key, count, key, open, set, text};

/// The longest name of a server, in characters.
const LONGEST_NAME: usize = 100;

pub(super) const NAME: Key = open(
    "cluster.name",
    "the name of the machine",
    text(
        "a name of 1 to 100 characters without line breaks, and without a blank at its start or end",
        |c, t| is_name(t) && set(&mut c.cluster.name, Some(t.to_owned())),
    ),
    "name of this server among those that share a store in PostgreSQL, for people",
);

pub(super) const ADDRESS: Key = open(
    "cluster.address",
    "none",
    text("an address with http or https, such as http://10.0.0.5:8686", |c, t| {
        is_address(t) && set(&mut c.cluster.address, Some(t.to_owned()))
    }),
    "address of this server's API, shown to those who look at the servers",
);

pub(super) const LEASE: Key = key(
    "cluster.lease",
    "30000",
    count(3000, 300_000, "ms", |c, n| c.cluster.lease = n),
    "silence after which the others take over from a server; with the database away, runs go on for two thirds of it",
);

pub(super) const POLL: Key = key(
    "cluster.poll",
    "1000",
    count(100, 10_000, "ms", |c, n| c.cluster.poll = n),
    "how often a server looks for what the others have made due or want cancelled",
);

fn is_name(text: &str) -> bool {
    let fits = (1..=LONGEST_NAME).contains(&text.chars().count());
    fits && text.trim() == text && !text.chars().any(char::is_control)
}

fn is_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
    })
}
