//! Configuration: four origins, one table of settings, one struct.
//!
//! Every setting is a row of [`keys`]: its name, its default, the values it accepts and the
//! field they go to. Defaults, file, environment and flags are applied in this order
//! through the same rows, each checked on the way even when a later origin replaces
//! it; then settings that depend on others are filled in and compared. Nothing here
//! reads the environment, the disk or the machine except [`read_environment`] and
//! [`read_file`].
//!
//! Relative paths of every origin are relative to the working directory.
//!
//! The admin token comes from the environment only, and no text or `Debug` output
//! made here holds it. A new message must keep that: a misspelt variable may hold a token too.

mod access;
mod alerts;
mod concurrency;
mod error;
mod file;
mod grants;
mod keys;
mod names;
mod reference;
mod value;

use std::{
    collections::BTreeMap,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

pub use access::AccessConfig;
pub use error::{ConfigError, Origin, Setting};
pub use file::{read_environment, read_file};
pub use reference::{Reference, reference, settings};

use crate::domain::{alerts::AlertConfig, network::NetPolicy};
use keys::{KEYS, Key};
use names::{find_key, hides_value, nearest};
use value::Raw;

/// The most runner processes a server may have.
const MOST_RUNNERS: usize = 1024;

/// Everything the server can be told, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the API listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Directory of the handlers.
    pub tasks: PathBuf,
    /// Directory of everything the server keeps.
    pub data: PathBuf,
    /// The form of log lines; `None`: pretty if standard error is a terminal.
    pub log_format: Option<LogFormat>,
    /// The filter of log lines, as `tracing` reads it; not yet parsed.
    pub log: String,
    /// The admin token, if the environment sets one.
    pub admin_token: Option<Secret>,
    /// The key of the secrets, if the environment sets one: 32 bytes as text.
    pub secret_key: Option<Secret>,
    /// IANA name of the zone of tasks without their own; not yet looked up.
    pub timezone: String,
    /// Milliseconds that running handlers get when the server stops.
    pub shutdown_grace: u64,
    /// The pool of runner processes.
    pub runners: Runners,
    /// The limits of one run.
    pub limits: Limits,
    /// Milliseconds after which an occurrence that has not started is missed.
    pub misfire_after: u64,
    /// Milliseconds back in time within which `misfire: "all"` catches up.
    pub catch_up_window: u64,
    /// The most occurrences `misfire: "all"` catches up.
    pub catch_up_max: usize,
    /// Executions kept of a task without its own `keepExecutions`.
    pub history_keep: u32,
    /// Executions at once of all tasks with a concurrency key, by key; 1 for a key that is not here.
    pub concurrency: BTreeMap<String, u32>,
    /// How long audit records are kept, in milliseconds.
    pub audit_keep: u64,
    /// The store of tasks and history.
    pub store: StoreConfig,
    /// The place of the server among those that share its store.
    pub cluster: ClusterConfig,
    /// The parts of the language that handlers get.
    pub engine: Engine,
    /// Whether the handlers come from the store instead of the directory.
    pub handlers_from_store: bool,
    /// Whether the sources of handlers that have run are kept.
    pub keep_sources: bool,
    /// Names of the handlers that may require `isochron:system`.
    pub system_handlers: Vec<String>,
    /// The hosts and addresses that handlers' requests may reach.
    pub net: NetPolicy,
    /// Who may reach the server, and where.
    pub access: AccessConfig,
    /// The metrics for Prometheus.
    pub metrics: MetricsConfig,
    /// The collector of traces; none without one.
    pub otel_endpoint: Option<String>,
    /// The channels of alerts, and the rules for them.
    pub alerts: AlertConfig,
    /// The origin of each value; see [`Config::refuse`].
    pub origins: Origins,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// The pool of runner processes; `1 ≤ min ≤ max ≤ 1024`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runners {
    /// Processes kept even when there is nothing to do.
    pub min: usize,
    /// The most processes at a time.
    pub max: usize,
    /// Runs after which a process is replaced.
    pub recycle_after: u64,
    /// Whether a runner puts its memory back after a run, where the system can.
    pub rewind: bool,
}

/// The limits of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Milliseconds of CPU time.
    pub cpu: u64,
    /// Bytes of JavaScript heap.
    pub heap: u64,
    /// Bytes of all ArrayBuffers together.
    pub buffers: u64,
    /// Bytes of resident memory of the runner process.
    pub resident: u64,
    /// Bytes of console output.
    pub output_bytes: u64,
    /// Lines of console output.
    pub output_lines: u64,
    /// Characters of a result's JSON text that are kept whole.
    pub result: u64,
    /// Bytes of the body of a response to `fetch`, decoded.
    pub fetch_body: u64,
    /// Requests of `fetch`, redirects included.
    pub fetches: u32,
    /// Entries that a task may keep (`ctx.kv`), and that all may share.
    pub kv_entries: u64,
    /// Bytes of these entries.
    pub kv_bytes: u64,
}

/// The store of tasks and history.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The store's own directory.
    pub path: PathBuf,
    /// Bytes of its cache.
    pub cache: u64,
    /// The PostgreSQL server that keeps the store instead; the URL has the password.
    pub url: Option<Secret>,
    /// The schema of its tables.
    pub schema: String,
    /// Connections for reads, 1 or more.
    pub connections: usize,
    /// Whether a pooler in transaction mode is between.
    pub pooler: bool,
    /// The server past the pooler; the URL has the password.
    pub direct: Option<Secret>,
    /// A PEM file of trusted authorities, instead of the system's.
    pub authorities: Option<PathBuf>,
    /// Whether the start makes and changes the tables.
    pub migrate: bool,
    /// The name of the dialect that it understands.
    pub dialect: String,
}

/// The place of the server among those that share its store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterConfig {
    /// The name for people; none: that of the machine.
    pub name: Option<String>,
    /// The address of its API, if others are to see one.
    pub address: Option<String>,
    /// Milliseconds of silence after which the others take over.
    pub lease: u64,
    /// Milliseconds between two looks for the changes of the others.
    pub poll: u64,
}

/// The parts of the language that handlers get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine {
    /// Whether there is a `WebAssembly`.
    pub web_assembly: bool,
    /// Whether `eval` and `new Function` work.
    pub eval: bool,
}

/// The metrics for Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Whether nobody needs a token for them.
    pub public: bool,
    /// The tasks that have series of their own: `none`, `all` or `tag:` and a tag.
    pub tasks: String,
}

/// Text that must not be shown: its `Debug` hides it, and it has no `Display`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that uses it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The value in force and its origin, for every setting but the secret one.
#[derive(Debug, Clone, Default)]
pub struct Origins(BTreeMap<&'static str, Setting>);

impl Origins {
    /// The setting with this key of the file, such as `runners.max`, as it was written.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.0.get(key)
    }
}

impl Config {
    /// The error for a value that only the caller can judge, such as the name of a time
    /// zone. `key` is the file's key, `allowed` a noun phrase.
    #[must_use]
    pub fn refuse(&self, key: &str, allowed: impl Into<String>) -> ConfigError {
        let setting = self.origins.get(key).cloned();
        let setting = setting.unwrap_or_else(|| Setting::new(key, None, Origin::Default));
        ConfigError::Value { setting: Box::new(setting), allowed: allowed.into() }
    }

    /// A value to which the table's defaults are applied before it is used.
    fn blank() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tasks: PathBuf::new(),
            data: PathBuf::new(),
            log_format: None,
            log: String::new(),
            admin_token: None,
            secret_key: None,
            timezone: String::new(),
            shutdown_grace: 0,
            runners: Runners { min: 0, max: 0, recycle_after: 0, rewind: true },
            limits: Limits {
                cpu: 0,
                heap: 0,
                buffers: 0,
                resident: 0,
                output_bytes: 0,
                output_lines: 0,
                result: 0,
                fetch_body: 0,
                fetches: 0,
                kv_entries: 0,
                kv_bytes: 0,
            },
            misfire_after: 0,
            catch_up_window: 0,
            catch_up_max: 0,
            history_keep: 0,
            concurrency: BTreeMap::new(),
            audit_keep: 0,
            store: StoreConfig {
                path: PathBuf::new(),
                cache: 0,
                url: None,
                schema: String::new(),
                connections: 0,
                pooler: false,
                direct: None,
                authorities: None,
                migrate: false,
                dialect: String::new(),
            },
            cluster: ClusterConfig::default(),
            engine: Engine { web_assembly: false, eval: false },
            handlers_from_store: false,
            keep_sources: false,
            system_handlers: Vec::new(),
            net: NetPolicy::default(),
            access: AccessConfig::default(),
            metrics: MetricsConfig::default(),
            otel_endpoint: None,
            alerts: AlertConfig::default(),
            origins: Origins::default(),
        }
    }

    /// Takes one value that an origin gives for a key of the table.
    fn apply(&mut self, key: &'static Key, raw: &Raw<'_>, setting: Setting) -> Result<(), ConfigError> {
        if let Err(refused) = key.accept.put(raw, self) {
            let shown = if key.secret() { None } else { Some(refused.value) };
            let setting = Box::new(Setting { value: shown, ..setting });
            return Err(ConfigError::Value { setting, allowed: refused.allowed });
        }
        if !key.secret() {
            self.origins.0.insert(key.name, Setting { value: Some(raw.to_string()), ..setting });
        }
        Ok(())
    }

    /// Fills in the settings that depend on others or on the machine, then compares.
    fn finish(mut self, cores: usize) -> Result<Self, ConfigError> {
        let cores = cores.max(1);
        if self.origins.get("runners.max").is_none() {
            self.runners.max = cores.saturating_mul(4).min(MOST_RUNNERS);
            self.set_derived("runners.max", self.runners.max.to_string());
        }
        if self.origins.get("runners.min").is_none() {
            // A lower `max` alone must not stop the start on a machine with many cores.
            self.runners.min = cores.min(self.runners.max);
            self.set_derived("runners.min", self.runners.min.to_string());
        }
        if self.origins.get("store.path").is_none() {
            self.store.path = self.data.join("store");
            self.set_derived("store.path", format!("{:?}", self.store.path));
        }
        if self.runners.min > self.runners.max
            && let (Some(low), Some(high)) =
                (self.origins.get("runners.min"), self.origins.get("runners.max"))
        {
            return Err(ConfigError::Above { low: Box::new(low.clone()), high: Box::new(high.clone()) });
        }
        Ok(self)
    }

    fn set_derived(&mut self, key: &'static str, value: String) {
        self.origins.0.insert(key, Setting::new(key, Some(value), Origin::Default));
    }
}

/// Puts the configuration together. `flags` are only those given, by their key of the
/// file (`listen`, `tasks`, `data`, `logFormat`, `log`); of `env` only variables that start
/// with `ISOCHRON_` count; `file` is a path, for messages, and the text it held; `cores` is
/// the number that the machine has.
///
/// # Errors
/// The first unknown key or wrong value: file before environment before flags, each
/// from its top.
pub fn load(
    flags: &[(&str, String)],
    env: impl Iterator<Item = (String, String)>,
    file: Option<(&Path, &str)>,
    cores: usize,
) -> Result<Config, ConfigError> {
    let mut config = Config::blank();
    for key in KEYS {
        if let Some(text) = key.preset {
            config.apply(key, &Raw::word(text), Setting::new(key.name, None, Origin::Default))?;
        }
    }
    if let Some((path, text)) = file {
        file::apply(&mut config, path, text)?;
    }
    let mut env: Vec<_> = env.filter(|(name, _)| name.starts_with(names::PREFIX)).collect();
    // The environment has no order of its own; two starts should complain about the same.
    env.sort();
    for (name, text) in &env {
        let setting = Setting::new(name, None, Origin::Environment);
        match KEYS.iter().find(|key| key.variable() == *name) {
            Some(key) => config.apply(key, &Raw::word(text), setting)?,
            None => return Err(refuse_unknown(&names::key_of(name), setting, &Raw::word(text))),
        }
    }
    for (name, text) in flags {
        let setting = Setting::new(&names::flag(name), None, Origin::Flag);
        match find_key(name).filter(|key| key.flag) {
            Some(key) => config.apply(key, &Raw::word(text), setting)?,
            None => return Err(refuse_unknown(name, setting, &Raw::word(text))),
        }
    }
    config.finish(cores)
}

/// Known names that an error lists, so that it stays one line.
const MOST_NAMED: usize = 6;

/// The error for a name that is no row of the table. `name` is `setting`'s key in the
/// file's words, for comparing.
fn refuse_unknown(name: &str, setting: Setting, raw: &Raw<'_>) -> ConfigError {
    let near = nearest(name, &setting.origin);
    let known = || {
        let names: Vec<_> = KEYS.iter().filter_map(|key| key.written(&setting.origin)).collect();
        match names.split_at_checked(MOST_NAMED) {
            Some((first, others)) if others.len() > 1 => {
                format!("{} and {} others, see docs/settings.md", first.join(", "), others.len())
            }
            _ => names.join(", "),
        }
    };
    let hint = match near.and_then(|key| key.written(&setting.origin)) {
        Some(written) => format!("did you mean `{written}`?"),
        None => format!("known are {}", known()),
    };
    let shown = (!hides_value(name, near, raw)).then(|| raw.to_string());
    ConfigError::Unknown { setting: Box::new(Setting { value: shown, ..setting }), hint }
}

#[cfg(test)]
mod tests;
