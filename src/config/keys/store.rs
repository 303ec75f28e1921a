//! The settings of a store in PostgreSQL.

use super::{
    super::{
        Config, Secret,
        value::Accept::{self, Hidden, Switch},
    },
    Key, count, key, open, path, set, text,
};

pub(super) const URL: Key = open(
    "store.url",
    "none",
    server_url(|c, url| c.store.url = Some(url)),
    "the PostgreSQL server that keeps the store, instead of `store.path`; see [cluster.md](cluster.md)",
);

pub(super) const SCHEMA: Key = key(
    "store.schema",
    "isochron",
    text("a name of 1 to 63 letters, digits and `_`, without a digit in front", |c, name| {
        is_schema(name) && set(&mut c.store.schema, name.to_owned())
    }),
    "schema of the store's tables in that server",
);

pub(super) const CONNECTIONS: Key = key(
    "store.connections",
    "4",
    count(1, 100, "connections", |c, n| c.store.connections = usize::try_from(n).unwrap_or(4)),
    "connections to that server for reads, besides one for changes and one for hints",
);

pub(super) const POOLER: Key = key(
    "store.pooler",
    "false",
    Switch { put: |c, on| c.store.pooler = on },
    "whether the connections go through a pooler in transaction mode, such as PgBouncer",
);

pub(super) const DIRECT: Key = open(
    "store.direct",
    "`store.url`, none with `store.pooler`",
    server_url(|c, url| c.store.direct = Some(url)),
    "the way to that server past the pooler, for the one connection by which servers hear of one another at once",
);

pub(super) const AUTHORITIES: Key = open(
    "store.ca",
    "the system's",
    path(|c, p| c.store.authorities = Some(p)),
    "PEM file of the authorities that may sign that server's certificate",
);

pub(super) const MIGRATE: Key = key(
    "store.migrate",
    "auto",
    text("auto or manual", |c, word| {
        c.store.migrate = word == "auto";
        word == "auto" || word == "manual"
    }),
    "whether the start makes and changes the tables in that server, or `isochron store migrate` alone",
);

pub(super) const DIALECT: Key = key(
    "store.dialect",
    "postgres",
    text("postgres, yugabyte or cockroach", |c, word| {
        ["postgres", "yugabyte", "cockroach"].contains(&word) && set(&mut c.store.dialect, word.to_owned())
    }),
    "the statements that server understands; isochron was tried with PostgreSQL alone",
);

/// The address of a PostgreSQL server, which may have a password.
const fn server_url(put: fn(&mut Config, Secret)) -> Accept {
    Hidden {
        allowed: "a URL such as `postgres://USER:PASSWORD@HOST:PORT/DATABASE`",
        in_file: true,
        is_right: |text| text.starts_with("postgres://") || text.starts_with("postgresql://"),
        put,
    }
}

/// Whether a text is a name for a schema that needs no quotes.
fn is_schema(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    (1..=63).contains(&name.len())
        && name.starts_with(is_letter)
        && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}
