//! The two places outside: the configuration file and the environment.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Config, ConfigError, Origin, Raw, Setting, alerts, concurrency, grants, names, refuse_unknown};

/// The file's name in the working directory.
const NAME: &str = "isochron.toml";

/// Reads the configuration file and says which it was: `explicit` (of `--config`), which
/// must exist, else `isochron.toml` in `cwd`, which need not.
///
/// # Errors
/// [`ConfigError::Read`], also when the file is not UTF-8.
pub fn read_file(explicit: Option<&Path>, cwd: &Path) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let path = cwd.join(explicit.unwrap_or(Path::new(NAME)));
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(missing) if explicit.is_none() && missing.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Read { path, source }),
    }
}

/// The server's variables. Other variables may not be UTF-8, at which `std::env::vars` would
/// panic.
///
/// # Errors
/// [`ConfigError::NotText`] when one of ours does.
pub fn read_environment() -> Result<Vec<(String, String)>, ConfigError> {
    select_variables(env::vars_os())
}

pub(super) fn select_variables(
    vars: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let is_ours = |name: &OsString| {
        name.as_encoded_bytes().starts_with(names::PREFIX.as_bytes())
            && !names::OF_CLIENTS.iter().any(|of_client| name == of_client)
    };
    vars.filter(|(name, _)| is_ours(name))
        .map(|(name, value)| match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => Ok((name, value)),
            (Ok(name), Err(_)) => Err(ConfigError::NotText { name }),
            (Err(name), _) => Err(ConfigError::NotText { name: name.to_string_lossy().into_owned() }),
        })
        .collect()
}

/// Applies every value of the file.
pub(super) fn apply(config: &mut Config, path: &Path, text: &str) -> Result<(), ConfigError> {
    let file = File { path, text };
    let document = DeTable::parse(text).map_err(|wrong| ConfigError::Syntax {
        path: path.to_owned(),
        line: file.line(wrong.span().map_or(0, |span| span.start)),
        // Its `Display` quotes the line, and with it perhaps a token.
        problem: wrong.message().to_owned(),
    })?;
    file.table(config, "", document.get_ref())
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// `prefix` is empty or ends with a dot.
    fn table(&self, config: &mut Config, prefix: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        let mut entries: Vec<_> = table.iter().collect();
        // As written, so that the first error is the topmost.
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            self.entry(config, &format!("{prefix}{}", bare(key.get_ref())), key.span().start, value)?;
        }
        Ok(())
    }

    fn entry(
        &self,
        config: &mut Config,
        name: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let raw = Raw::Toml(value.get_ref());
        let origin = Origin::File { path: self.path.to_owned(), line: self.line(at) };
        let setting = Setting::new(name, None, origin);
        if let Some(key) = names::find_secret(name, &setting.origin) {
            return Err(ConfigError::SecretInFile { setting: Box::new(setting), variable: key.variable() });
        }
        if let Some(key) = names::find_key(name) {
            return config.apply(key, &raw, setting);
        }
        if name == "alerts" {
            return alerts::apply(config, value.get_ref(), &setting);
        }
        if name == "grants" {
            return self.grants(config, setting, value.get_ref());
        }
        if name == "concurrency" {
            return self.concurrency(config, setting, value.get_ref());
        }
        let inside = format!("{name}.");
        match value.get_ref() {
            // A wrong table is best named by its keys.
            DeValue::Table(table) if names::is_group(&inside) || !table.is_empty() => {
                self.table(config, &inside, table)
            }
            _ if names::is_group(&inside) => Err(ConfigError::Value {
                setting: Box::new(Setting { value: Some(raw.to_string()), ..setting }),
                allowed: format!("a table with {}", names::members(&inside)),
            }),
            _ => Err(refuse_unknown(name, setting, &raw)),
        }
    }

    /// The table `grants`, whose keys are handlers.
    fn grants(&self, config: &mut Config, setting: Setting, value: &DeValue<'_>) -> Result<(), ConfigError> {
        let DeValue::Table(handlers) = value else {
            return Err(grants::refuse(setting, &Raw::Toml(value), "a table with a table for each handler"));
        };
        for (handler, granted) in handlers {
            let name = format!("grants.{}", bare(handler.get_ref()));
            let origin = Origin::File { path: self.path.to_owned(), line: self.line(handler.span().start) };
            let setting = Setting::new(&name, None, origin);
            grants::apply(config, handler.get_ref(), granted.get_ref(), setting)?;
        }
        Ok(())
    }

    /// The table `concurrency`, whose keys are those of tasks.
    fn concurrency(
        &self,
        config: &mut Config,
        setting: Setting,
        value: &DeValue<'_>,
    ) -> Result<(), ConfigError> {
        let DeValue::Table(keys) = value else {
            return Err(grants::refuse(setting, &Raw::Toml(value), "a table with a number for each key"));
        };
        for (key, number) in keys {
            let name = format!("concurrency.{}", bare(key.get_ref()));
            let origin = Origin::File { path: self.path.to_owned(), line: self.line(key.span().start) };
            concurrency::apply(config, key.get_ref(), number.get_ref(), Setting::new(&name, None, origin))?;
        }
        Ok(())
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// A part of a dotted key as TOML wants it written. `"runners.max"` in quotes is one
/// name with a dot in it, not the key `runners.max`.
fn bare(part: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !part.is_empty() && part.bytes().all(plain) { part.to_owned() } else { format!("{part:?}") }
}
