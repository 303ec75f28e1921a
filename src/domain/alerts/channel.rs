//! Channels: where messages go, as the server's settings name them.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::{AlertSettings, Beats, Kind, Quiet, Rule};
use crate::domain::Millis;

/// Milliseconds for which a channel gathers messages where nothing else is set.
pub const BATCH: Millis = 10_000;
/// Messages an hour of a channel where nothing else is set.
pub const MOST_PER_HOUR: u32 = 60;

/// The alerts in the server's settings.
#[derive(Debug, Clone, Default)]
pub struct AlertConfig {
    /// The channels, by name.
    pub channels: BTreeMap<String, Channel>,
    /// The rules of tasks without their own (`alerts.default`).
    pub default: Vec<Rule>,
    /// The channels that hear of the server itself (`alerts.server`), and of what.
    pub server: Vec<(String, Vec<Kind>)>,
}

impl AlertConfig {
    /// The part by which `domain::step` decides.
    #[must_use]
    pub fn settings(&self) -> AlertSettings {
        let beats = self.channels.iter().filter_map(|(name, channel)| match channel.target {
            Target::Heartbeat { start, fail, .. } => Some((name.clone(), Beats { start, fail })),
            _ => None,
        });
        AlertSettings { default: self.default.clone(), heartbeats: beats.collect() }
    }
}

/// A channel.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Milliseconds for which messages are gathered; more than a few become one.
    pub batch: Millis,
    /// The most messages in an hour; those beyond become one.
    pub max_per_hour: u32,
    /// The hours in which it gets none.
    pub quiet: Option<Quiet>,
    /// The place where messages go.
    pub target: Target,
}

/// The place where messages go.
#[derive(Debug, Clone)]
pub enum Target {
    /// A signed `POST` of JSON, or of what a template makes.
    Webhook {
        /// The address.
        url: Given,
        /// The key of the signature; none: no signature.
        secret: Option<Given>,
        /// More headers.
        headers: Vec<(String, Given)>,
        /// A template of the body.
        body: Option<String>,
    },
    /// An incoming webhook of Slack, or of a service that takes the same.
    Slack {
        /// The address.
        url: Given,
    },
    /// A webhook of Discord.
    Discord {
        /// The address.
        url: Given,
    },
    /// A topic of ntfy.
    Ntfy {
        /// The address, its last part being the topic.
        url: Given,
        /// A token for it.
        token: Option<Given>,
        /// The priority of each kind, 1 to 5.
        priority: BTreeMap<Kind, u8>,
    },
    /// Mails.
    Email {
        /// The server: `smtps://user@host` or `smtp://host:port`.
        smtp: Given,
        /// The password of the user.
        password: Option<Given>,
        /// The sender.
        from: String,
        /// The receivers.
        to: Vec<String>,
    },
    /// A run of a task, with the message as its parameters.
    Task {
        /// The task's name.
        task: String,
    },
    /// A call after each success, for a dead man's switch elsewhere.
    Heartbeat {
        /// The address; `/start` and `/fail` are added to it.
        url: Given,
        /// Whether starts are told.
        start: bool,
        /// Whether failures are told.
        fail: bool,
    },
}

impl Target {
    /// The name of the kind of channel, as in the settings.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Discord { .. } => "discord",
            Self::Ntfy { .. } => "ntfy",
            Self::Email { .. } => "email",
            Self::Task { .. } => "task",
            Self::Heartbeat { .. } => "heartbeat",
        }
    }
}

/// A text of the settings that may be a secret: itself, or the place where it is. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub enum Given {
    /// The text.
    Text(String),
    /// A variable of the environment (`env:NAME`).
    Variable(String),
    /// A file (`file:PATH`), without the white space at its end.
    File(PathBuf),
}

impl Given {
    /// Reads a text of the settings.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if let Some(name) = text.strip_prefix("env:") {
            Self::Variable(name.to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(PathBuf::from(path))
        } else {
            Self::Text(text.to_owned())
        }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Variable(name) => write!(f, "Variable({name:?})"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}
