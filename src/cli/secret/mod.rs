//! `isochron secret set | list | delete | rotate-key`
//!
//! The commands work on the store of the data directory. While a server has it open, they ask that server
//! by its API, except for the rotation, which needs the store for itself.

mod server;

use std::{
    io::{self, IsTerminal, Read},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use isochron::{
    app,
    clock::{Clock, SystemClock},
    config::Config,
    domain::{
        access::pattern::Pattern,
        audit::{Action, Actor, Audit},
        binding::{Kind, LARGEST_VALUE, check_name, check_value},
    },
    secrets::{Change, Vault, key::Key},
    store::{
        Store,
        sled::{LockError, OpenError, SledStore},
    },
};
use serde_json::{Value, json};

use self::server::ask;
use super::{
    Settings, USAGE,
    client::{
        self, Client, Done, binding,
        binding::{Elsewhere, Readers},
        failure,
    },
    fail, say_line,
    serve::start_log,
    tell,
};

/// Set, list, delete, rotate the key.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set a secret; its value is read from standard input, without one line break at its end
    Set(Set),
    /// List the secrets, without their values
    List(List),
    /// Delete a secret
    Delete(Delete),
    /// Encrypt every secret with a new key, while no server runs
    RotateKey(Settings),
}

#[derive(Debug, Args)]
struct Set {
    /// The name: letters, digits and _
    name: String,
    #[command(flatten)]
    readers: Readers,
    #[command(flatten)]
    elsewhere: Elsewhere,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    elsewhere: Elsewhere,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
struct Delete {
    /// The name
    name: String,
    #[command(flatten)]
    elsewhere: Elsewhere,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(options: Options) -> ExitCode {
    let (settings, elsewhere) = match &options.command {
        Command::Set(Set { settings, elsewhere, .. })
        | Command::Delete(Delete { settings, elsewhere, .. })
        | Command::List(List { settings, elsewhere }) => (settings, Some(elsewhere)),
        Command::RotateKey(settings) => (settings, None),
    };
    if let Some(remote) = elsewhere.and_then(|elsewhere| elsewhere.remote(settings)) {
        return match Request::read(options.command) {
            Ok(request) => client::main(&remote, |client| request.ask_elsewhere(client)),
            Err(error) => fail(USAGE, &error),
        };
    }
    let config = match settings.load().and_then(|config| start_log(&config).map(|()| config)) {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    let request = match Request::read(options.command) {
        Ok(request) => request,
        Err(error) => return fail(USAGE, &error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done =
        runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(request.perform(&config)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

/// A command whose arguments and standard input are read.
enum Request {
    Set(String, Change),
    List,
    Delete(String),
    RotateKey(Option<Key>),
}

impl Request {
    fn read(command: Command) -> anyhow::Result<Self> {
        Ok(match command {
            Command::Set(Set { name, readers: Readers { handlers, env }, .. }) => {
                check_name(&name).map_err(|problem| anyhow::anyhow!("{name} {problem}"))?;
                let handlers = handlers.map(|handlers| read_patterns(&handlers)).transpose()?;
                Self::Set(name, Change { value: Some(read_value()?), handlers, env })
            }
            Command::List(_) => Self::List,
            Command::Delete(Delete { name, .. }) => {
                check_name(&name).map_err(|problem| anyhow::anyhow!("{name} {problem}"))?;
                Self::Delete(name)
            }
            Command::RotateKey(_) => Self::RotateKey(read_key()?),
        })
    }

    /// Asks a server that the command line names.
    fn ask_elsewhere(self, client: &Client) -> Done<ExitCode> {
        match self {
            Self::Set(name, Change { value, handlers, env }) => {
                let handlers = handlers.map(|list| list.iter().map(Pattern::to_string).collect::<Vec<_>>());
                let body = binding::body(value.as_deref(), handlers.as_deref(), env);
                binding::set(client, Kind::Secret, &name, &body)?;
            }
            Self::List => binding::list(client, Kind::Secret)?,
            Self::Delete(name) => binding::delete(client, Kind::Secret, &name)?,
            Self::RotateKey(_) => {
                return Err(failure("the key is rotated on the machine of the store, while no server runs"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Works on the store, or asks the server that has it open.
    async fn perform(self, config: &Config) -> anyhow::Result<()> {
        if config.store.url.is_some() {
            return self.perform_in(config, app::open_joined(config).await?).await;
        }
        if let Self::Set(..) = self {
            app::make_data_directory(config)?;
        } else {
            let path = &config.store.path;
            ensure!(SledStore::is_in(path), "there is no store in {}: see --data", path.display());
        }
        let opened = SledStore::open(&config.store.path, config.store.cache, Arc::new(|| SystemClock.now()));
        let store = match opened {
            Ok(store) => store,
            Err(OpenError::Locked(LockError::Held { process, .. })) => {
                return self.ask_server(config, &process).await;
            }
            Err(error) => return Err(error.into()),
        };
        self.perform_in(config, Arc::new(store)).await
    }

    async fn perform_in(self, config: &Config, store: Arc<dyn Store>) -> anyhow::Result<()> {
        let vault = app::open_vault(config, store.clone(), Arc::new(SystemClock)).await?;
        let done = self.perform_on(&vault).await;
        store.close().await?;
        done
    }

    async fn perform_on(self, vault: &Vault) -> anyhow::Result<()> {
        match self {
            Self::Set(name, change) => {
                let (_, binding) = vault.set(Kind::Secret, &name, change, record(Action::Set)).await?;
                tell_set(&name, &binding.handlers.iter().map(ToString::to_string).collect::<Vec<_>>());
            }
            Self::List => {
                let list = vault.list(Kind::Secret).await;
                let rows = list.iter().map(|secret| {
                    (
                        secret.name.clone(),
                        secret.handlers.iter().map(ToString::to_string).collect(),
                        secret.env,
                    )
                });
                show_list(&rows.collect::<Vec<_>>());
            }
            Self::Delete(name) => {
                vault.delete(Kind::Secret, &name, record(Action::Delete)).await?;
                say_line(&format!("the secret {name} is deleted"));
            }
            Self::RotateKey(key) => {
                let given = key.is_some();
                let count = vault.rotate(key, record(Action::Rotate)).await?;
                say_line(&format!("{count} secrets are encrypted with a new key"));
                if given {
                    say_line("start the server with the new key in ISOCHRON_SECRET_KEY");
                }
            }
        }
        Ok(())
    }

    async fn ask_server(self, config: &Config, process: &str) -> anyhow::Result<()> {
        match self {
            Self::Set(name, Change { value, handlers, env }) => {
                let mut body = json!({ "value": value });
                if let Some(handlers) = handlers {
                    body["handlers"] = json!(handlers);
                }
                if let Some(env) = env {
                    body["env"] = json!(env);
                }
                let answer = ask(config, "PUT", &format!("/admin/secrets/{name}"), Some(&body)).await?;
                tell_set(&name, &texts(&answer["secret"]["handlers"]));
            }
            Self::List => {
                let answer = ask(config, "GET", "/admin/secrets", None).await?;
                let list = answer["secrets"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|secret| {
                    let name = secret["name"].as_str().unwrap_or_default().to_owned();
                    (name, texts(&secret["handlers"]), secret["env"] == true)
                });
                show_list(&list.collect::<Vec<_>>());
            }
            Self::Delete(name) => {
                ask(config, "DELETE", &format!("/admin/secrets/{name}"), None).await?;
                say_line(&format!("the secret {name} is deleted"));
            }
            Self::RotateKey(_) => bail!(
                "the store in {} is in use by another isochron, process {process}: stop the server, rotate the key \
                 and start the server again",
                config.store.path.display()
            ),
        }
        Ok(())
    }
}

/// The audit record of a command.
fn record(action: Action) -> Audit {
    Actor::of_system("isochron secret", String::new()).record(action, SystemClock.now())
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn tell_set(name: &str, handlers: &[String]) {
    match handlers {
        [] => say_line(&format!(
            "the secret {name} is set; no handler may read it yet: name some with --handlers 'reports/*'"
        )),
        handlers => say_line(&format!("the secret {name} is set for {}", handlers.join(", "))),
    }
}

/// Shows secrets: name, handlers, and whether they are in the environment.
fn show_list(secrets: &[(String, Vec<String>, bool)]) {
    if secrets.is_empty() {
        say_line("there are no secrets");
    }
    let width = secrets.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
    for (name, handlers, env) in secrets {
        let handlers = if handlers.is_empty() { "no handler".to_owned() } else { handlers.join(", ") };
        let env = if *env { "  (in process.env)" } else { "" };
        say_line(&format!("{name:width$}  {handlers}{env}"));
    }
}

fn read_patterns(texts: &[String]) -> anyhow::Result<Vec<Pattern>> {
    let given = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    given.map(|text| text.parse().with_context(|| format!("--handlers {text}"))).collect()
}

/// The value of a secret from standard input, without one line break at its end.
pub(super) fn read_value() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        tell("Type the value, then Enter and Ctrl-D.");
    }
    let text = read_input(LARGEST_VALUE + 2).context("read the value from standard input")?;
    let value = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(&text);
    check_value(value).map_err(|problem| anyhow::anyhow!("the value {problem}"))?;
    Ok(value.to_owned())
}

/// The new key from standard input; `None` from a terminal or if there is none.
fn read_key() -> anyhow::Result<Option<Key>> {
    if io::stdin().is_terminal() {
        return Ok(None);
    }
    let text = read_input(1024).context("read the new key from standard input")?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let key = Key::parse(&text);
    ensure!(key.is_some(), "standard input holds no key: 32 bytes as 64 hexadecimal digits or as base64");
    Ok(key)
}

/// Standard input up to `most` bytes and one more.
fn read_input(most: usize) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    io::stdin().take(most as u64 + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("it is no UTF-8 text"))
}
