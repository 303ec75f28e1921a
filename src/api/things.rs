//! Things: the kinds of things that routes are about.

use crate::domain::audit::Action;

/// What a request does, and the kind of thing that it is about.
pub(super) type About = (Action, Thing);

/// The kind of thing that a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    Task,
    Execution,
    /// An entry of the state of a task, or of all tasks.
    Entry,
    Handler,
    /// The text of a handler's file.
    Source,
    /// A version of all handlers.
    Bundle,
    Secret,
    Variable,
    Alerts,
    Channel,
    /// Planned runs.
    Plan,
    Token,
    Session,
    Audit,
    /// Figures and events of the present.
    Present,
    Server,
}

impl Thing {
    /// The kind in records of the audit.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Execution => "execution",
            Self::Entry => "entry",
            Self::Handler => "handler",
            Self::Source => "source",
            Self::Bundle => "bundle",
            Self::Secret => "secret",
            Self::Variable => "variable",
            Self::Alerts => "alerts",
            Self::Channel => "channel",
            Self::Plan => "plan",
            Self::Token => "token",
            Self::Session => "session",
            Self::Audit => "audit",
            Self::Present => "present",
            Self::Server => "server",
        }
    }

    /// The heading of its routes in the description of the API.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Task => "Tasks",
            Self::Execution => "Runs",
            Self::Entry => "State",
            Self::Handler | Self::Source | Self::Bundle => "Handlers",
            Self::Secret | Self::Variable => "Secrets and variables",
            Self::Alerts | Self::Channel => "Alerts",
            Self::Plan => "Outlook",
            Self::Token | Self::Session | Self::Audit => "Access",
            Self::Present => "Present",
            Self::Server => "Server",
        }
    }
}
