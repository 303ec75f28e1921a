//! Errors of the configuration. Each names the key, the value, its origin and the allowed values.

use std::{fmt, io, path::PathBuf};

/// The place where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// No place: the default holds.
    Default,
    /// In a configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// In a variable of the environment.
    Environment,
    /// On the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("by default"),
            Self::File { path, line } => write!(f, "in {}, line {line}", path.display()),
            Self::Environment => f.write_str("in the environment"),
            Self::Flag => f.write_str("on the command line"),
        }
    }
}

/// One setting as its origin has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key as it is written there: `runners.max`, `ISOCHRON_RUNNERS__MAX`, `--listen`.
    pub key: String,
    /// The value as it is written there; `None` where it must not be shown.
    pub value: Option<String>,
    /// The place.
    pub origin: Origin,
}

impl Setting {
    pub(super) fn new(key: &str, value: Option<String>, origin: Origin) -> Self {
        Self { key: key.to_owned(), value, origin }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "`{}` is {value} {}", self.key, self.origin),
            None => write!(f, "`{}` (value not shown) {}", self.key, self.origin),
        }
    }
}

/// The reason why the server does not start with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A known key with a value it cannot have.
    #[error("{setting}; allowed: {allowed}")]
    Value {
        /// The setting as it was written.
        setting: Box<Setting>,
        /// The values that are allowed.
        allowed: String,
    },
    /// A key that does not exist there.
    #[error("unknown setting: {setting}; {hint}")]
    Unknown {
        /// The setting as it was written.
        setting: Box<Setting>,
        /// The nearest known key, or all of them.
        hint: String,
    },
    /// The admin token or the key of the secrets in a file.
    #[error(
        "{setting}: a secret does not belong in a file that people commit; \
         set {variable} in the environment instead"
    )]
    SecretInFile {
        /// The setting, without its value.
        setting: Box<Setting>,
        /// The variable that takes it.
        variable: String,
    },
    /// Two settings that contradict each other.
    #[error("{low}, but {high}; allowed: the first at most the second")]
    Above {
        /// The setting that should be lower.
        low: Box<Setting>,
        /// The setting that should be higher.
        high: Box<Setting>,
    },
    /// The file is not TOML.
    #[error("read configuration {}, line {line}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The parser's message, which quotes nothing of the file.
        problem: String,
    },
    /// The file cannot be read.
    #[error("read configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A variable that is not UTF-8.
    #[error("`{name}` (value not shown) in the environment is not UTF-8")]
    NotText {
        /// The variable.
        name: String,
    },
}
