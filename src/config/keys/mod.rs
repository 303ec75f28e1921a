//! The table of settings: a row is all there is to know about a setting.

mod cluster;
mod store;

use std::{net::IpAddr, path::PathBuf};

use ipnet::IpNet;

use super::{
    Config, LogFormat,
    value::{
        Accept::{self, Count, Hidden, Names, NetRules, Switch, Text},
        is_token,
    },
};
use crate::domain::binding::read_key;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// MiB of a TiB: a bound that only catches slips.
const TIB: u64 = 1024 * 1024;

/// One setting.
pub(super) struct Key {
    /// The key in the file.
    pub(super) name: &'static str,
    /// The default, as a variable would have it; `None` where it depends on other settings.
    pub(super) preset: Option<&'static str>,
    pub(super) default: &'static str,
    pub(super) meaning: &'static str,
    /// Whether there is a flag as well.
    pub(super) flag: bool,
    pub(super) accept: Accept,
}

const fn key(name: &'static str, default: &'static str, accept: Accept, meaning: &'static str) -> Key {
    Key { name, preset: Some(default), default, meaning, flag: false, accept }
}

/// A key with a description in place of its default, which is filled in later.
const fn open(name: &'static str, default: &'static str, accept: Accept, meaning: &'static str) -> Key {
    Key { name, preset: None, default, meaning, flag: false, accept }
}

const fn count(from: u64, to: u64, unit: &'static str, put: fn(&mut Config, u64)) -> Accept {
    Count { from, to, unit, put }
}

const fn text(allowed: &'static str, put: fn(&mut Config, &str) -> bool) -> Accept {
    Text { allowed, put }
}

const fn path(put: fn(&mut Config, PathBuf)) -> Accept {
    Accept::Path { put }
}

/// Every setting, in the order of the documentation.
pub(super) static KEYS: &[Key] = &[
    Key {
        flag: true,
        ..key(
            "listen",
            "127.0.0.1:8686",
            text("an IP address (not a name) and a port, such as 127.0.0.1:8686 or [::1]:8686", |c, t| {
                t.parse().is_ok_and(|address| set(&mut c.listen, address))
            }),
            "where the API listens; port 0 picks a free one",
        )
    },
    Key { flag: true, ..key("tasks", "tasks", path(|c, p| c.tasks = p), "directory of the handlers") },
    Key {
        flag: true,
        ..key("data", "data", path(|c, p| c.data = p), "directory of everything the server keeps")
    },
    Key {
        flag: true,
        ..open(
            "logFormat",
            "pretty on a terminal, else json",
            text("pretty or json", |c, t| {
                log_format(t).is_some_and(|format| set(&mut c.log_format, Some(format)))
            }),
            "how log lines look",
        )
    },
    Key {
        flag: true,
        ..key(
            "log",
            "info",
            text("a level or filter, such as warn or info,isochron=debug", |c, t| {
                !t.trim().is_empty() && set(&mut c.log, t.to_owned())
            }),
            "which log lines appear",
        )
    },
    open(
        "adminToken",
        "the one in `<data>/admin-token`, made if missing",
        Hidden {
            allowed: "at least 16 characters (at most 1024), ASCII without blanks and line breaks",
            in_file: false,
            is_right: is_token,
            put: |c, token| c.admin_token = Some(token),
        },
        "bearer token with the admin role; only as the variable ISOCHRON_ADMIN_TOKEN",
    ),
    open(
        "secretKey",
        "the one in `<data>/secret-key`, made by the first secret",
        Hidden {
            allowed: "32 bytes as 64 hexadecimal digits or as base64",
            in_file: false,
            is_right: |text| read_key(text).is_some(),
            put: |c, key| c.secret_key = Some(key),
        },
        "key of the [secrets](handlers.md#secrets-and-variables); only as the variable ISOCHRON_SECRET_KEY",
    ),
    key(
        "timezone",
        "UTC",
        text("an IANA time zone, such as Europe/Berlin", |c, t| {
            !t.trim().is_empty() && set(&mut c.timezone, t.to_owned())
        }),
        "time zone of tasks without their own",
    ),
    key(
        "shutdownGrace",
        "30000",
        count(0, HOUR, "ms", |c, n| c.shutdown_grace = n),
        "how long running handlers may go on when the server stops",
    ),
    open(
        "runners.min",
        "number of cores, at most `runners.max`",
        count(1, 1024, "processes", |c, n| c.runners.min = index(n)),
        "runner processes kept even when there is nothing to do; those beyond end after half a minute without a run",
    ),
    open(
        "runners.max",
        "4 × number of cores",
        count(1, 1024, "processes", |c, n| c.runners.max = index(n)),
        "the most runner processes, and so the most runs, at a time",
    ),
    key(
        "runners.recycleAfter",
        "1000",
        count(1, 1_000_000, "runs", |c, n| c.runners.recycle_after = n),
        "runs after which a runner process is replaced",
    ),
    key(
        "runners.rewind",
        "true",
        Switch { put: |c, on| c.runners.rewind = on },
        "whether runners put the memory of an isolate back after each run, where the system can (Linux 6.7 on x86_64), instead of making an isolate for each run",
    ),
    key("limits.cpu", "60000", count(10, DAY, "ms", |c, n| c.limits.cpu = n), "CPU time of one run"),
    // Above 850 MiB, V8 ends the process without asking before it finds the heap full.
    key(
        "limits.heap",
        "128 MiB",
        Accept::mib(16, 850, |c, n| c.limits.heap = n),
        "JavaScript heap of one run",
    ),
    key(
        "limits.buffers",
        "64 MiB",
        Accept::mib(1, TIB, |c, n| c.limits.buffers = n),
        "all ArrayBuffers of one run together",
    ),
    key(
        "limits.resident",
        "512 MiB",
        Accept::mib(64, TIB, |c, n| c.limits.resident = n),
        "resident memory of a runner process",
    ),
    key(
        "limits.outputBytes",
        "1 MiB",
        Accept::bytes(1, 16 << 20, |c, n| c.limits.output_bytes = n),
        "console output of one run",
    ),
    key(
        "limits.outputLines",
        "10000",
        count(1, 1_000_000, "lines", |c, n| c.limits.output_lines = n),
        "lines of console output of one run",
    ),
    key(
        "limits.result",
        "10000",
        count(1, 1_000_000, "characters", |c, n| c.limits.result = n),
        "JSON text of a result that is kept whole",
    ),
    key(
        "limits.fetchBody",
        "10 MiB",
        Accept::bytes(1, 1 << 30, |c, n| c.limits.fetch_body = n),
        "body of one response to `fetch`, decoded; a longer one is an error",
    ),
    key(
        "limits.fetches",
        "1000",
        count(0, 100_000, "requests", |c, n| c.limits.fetches = small(n)),
        "requests of `fetch` in one run, redirects included",
    ),
    key(
        "limits.kvEntries",
        "10000",
        count(1, 1_000_000, "entries", |c, n| c.limits.kv_entries = n),
        "entries that a task may keep with `ctx.kv`, and that all may share",
    ),
    key(
        "limits.kvBytes",
        "16 MiB",
        Accept::bytes(1024, 1 << 30, |c, n| c.limits.kv_bytes = n),
        "keys and values of these entries",
    ),
    key(
        "misfireAfter",
        "60000",
        count(100, DAY, "ms", |c, n| c.misfire_after = n),
        "lateness from which an occurrence counts as missed",
    ),
    key(
        "catchUpWindow",
        "86400000",
        count(0, 366 * DAY, "ms", |c, n| c.catch_up_window = n),
        "how far back `misfire: \"all\"` catches up",
    ),
    key(
        "catchUpMax",
        "100",
        count(1, 10_000, "occurrences", |c, n| c.catch_up_max = index(n)),
        "the most that `misfire: \"all\"` catches up",
    ),
    key(
        "history.keep",
        "100",
        count(1, 10_000, "executions", |c, n| c.history_keep = small(n)),
        "history kept of a task without its own `keepExecutions`",
    ),
    key(
        "audit.keep",
        "34560000000",
        count(DAY, 36_600 * DAY, "ms", |c, n| c.audit_keep = n),
        "how long records of the [audit](audit.md) are kept: 400 days",
    ),
    open(
        "publicUrl",
        "none",
        text(PUBLIC_URL, |c, t| t.parse().is_ok_and(|url| set(&mut c.access.public_url, Some(url)))),
        "where people reach the server, with its path if it is below one: for links, cookies and the check of `Origin`",
    ),
    open(
        "trustedProxies",
        "none",
        Accept::List {
            allowed: "a list of addresses and CIDR blocks (`127.0.0.1`, `10.0.0.0/8`)",
            put: |c, parts| {
                let networks: Option<Vec<IpNet>> = parts.iter().map(|part| network(part)).collect();
                networks.is_some_and(|networks| set(&mut c.access.trusted_proxies, networks))
            },
        },
        "proxies whose `X-Forwarded-For` names the client",
    ),
    key(
        "redact",
        "password, passwd, secret, token, apikey, authorization, cookie, privatekey",
        Accept::List {
            allowed: "a list of names; case, `-` and `_` do not count",
            put: |c, names| set(&mut c.access.redact, names),
        },
        "keys in params and results whose values viewers and operators do not see; a longer key that ends so counts",
    ),
    open(
        "tokens.maxAge",
        "none",
        count(HOUR, 3660 * DAY, "ms", |c, n| c.access.longest_token = Some(n)),
        "longest life of a new token",
    ),
    open("store.path", "`<data>/store`", path(|c, p| c.store.path = p), "directory of the store"),
    key("store.cache", "64 MiB", Accept::mib(1, TIB, |c, n| c.store.cache = n), "cache of the store"),
    store::URL,
    store::SCHEMA,
    store::CONNECTIONS,
    store::POOLER,
    store::DIRECT,
    store::AUTHORITIES,
    store::MIGRATE,
    store::DIALECT,
    cluster::NAME,
    cluster::ADDRESS,
    cluster::LEASE,
    cluster::POLL,
    key(
        "engine.webAssembly",
        "false",
        Switch { put: |c, on| c.engine.web_assembly = on },
        "whether handlers get `WebAssembly`",
    ),
    key(
        "engine.eval",
        "true",
        Switch { put: |c, on| c.engine.eval = on },
        "whether handlers may make code from strings (`eval`, `new Function`)",
    ),
    key(
        "handlers.from",
        "folder",
        text("folder or store", |c, t| match t {
            "folder" => set(&mut c.handlers_from_store, false),
            "store" => set(&mut c.handlers_from_store, true),
            _ => false,
        }),
        "where the handlers are: in the directory `tasks`, or in the store, pushed by `isochron handlers push`",
    ),
    key(
        "handlers.keepSources",
        "true",
        Switch { put: |c, on| c.keep_sources = on },
        "whether the source of each version of a handler that has run is kept, to be read and compared",
    ),
    key(
        "systemHandlers",
        "cleanup-logs, database-stats",
        Names { put: |c, names| c.system_handlers = names },
        "handlers that may use `isochron:system`",
    ),
    key(
        "metrics.public",
        "false",
        Switch { put: |c, on| c.metrics.public = on },
        "whether `/metrics` needs no token",
    ),
    key(
        "metrics.tasks",
        "none",
        text("`none`, `all` (at most 1000) or `tag:` and a tag, such as tag:nightly", |c, t| {
            let tag = t.strip_prefix("tag:").is_some_and(|tag| !tag.is_empty() && tag.chars().count() <= 40);
            (tag || ["none", "all"].contains(&t)) && set(&mut c.metrics.tasks, t.to_owned())
        }),
        "tasks with metrics of their own",
    ),
    open(
        "net.allow",
        "public addresses only",
        NetRules { put: |c, rules| c.net.allow = rules },
        "hosts and addresses that `fetch` may reach besides public ones",
    ),
    open(
        "net.deny",
        "none",
        NetRules { put: |c, rules| c.net.deny = rules },
        "hosts and addresses that `fetch` never reaches, whatever `net.allow` has",
    ),
    open(
        "otel.endpoint",
        "none",
        text("an http: or https: address, such as http://localhost:4318", |c, t| {
            let is_web = url::Url::parse(t).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
            is_web && set(&mut c.otel_endpoint, Some(t.to_owned()))
        }),
        "the collector that gets traces of requests and runs by OTLP; without it none are recorded",
    ),
];

/// Assigns, and says yes, for settings that check and assign in one expression.
fn set<T>(slot: &mut T, value: T) -> bool {
    *slot = value;
    true
}

/// The values of `publicUrl`.
const PUBLIC_URL: &str =
    "an address with http or https and no query, such as https://ops.example.com/isochron";

/// A CIDR block, or an address alone.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "pretty" => Some(LogFormat::Pretty),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

/// Never saturates: the rows that use it end far below.
fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Never saturates: the rows that use it end far below.
fn small(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Key {
    /// Whether the value must not be shown.
    pub(super) fn secret(&self) -> bool {
        matches!(self.accept, Hidden { .. })
    }

    /// Whether the value is refused in files.
    pub(super) fn is_only_variable(&self) -> bool {
        matches!(self.accept, Hidden { in_file: false, .. })
    }
}
