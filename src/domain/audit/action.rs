//! The actions that the audit knows.

/// An action in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Makes a task or a token.
    Create,
    /// Changes the definition of a task.
    Update,
    /// Deletes a task, an entry, a secret, a variable or a token.
    Delete,
    /// Runs a task now.
    Run,
    /// Runs a task again with the parameters of an execution.
    Rerun,
    /// Pauses a task.
    Pause,
    /// Resumes a task.
    Resume,
    /// Cancels executions.
    Cancel,
    /// Sets a task's count of failures to 0.
    ResetRetries,
    /// Runs planned times of the past.
    Backfill,
    /// One action on many tasks; a record of each task names the action itself.
    Bulk,
    /// A file of tasks gives a task up.
    Release,
    /// Sets an entry, a secret or a variable.
    Set,
    /// Makes a version of the handlers, and uses it.
    Push,
    /// Uses a version of the handlers that was pushed before.
    Use,
    /// Gives a token a new text, or secrets a new key.
    Rotate,
    /// Opens a session.
    Login,
    /// Ends sessions.
    Logout,
    /// Holds alerts back.
    Mute,
    /// Ends a mute.
    Unmute,
    /// Sends a test to a channel.
    Test,
    /// Asks a node to take no new runs.
    Drain,
    /// Lets a node take runs again.
    Undrain,
    /// Reads something; only refused reads are in the audit.
    Read,
    /// Another site makes a browser ask for a change, which is refused.
    CrossSite,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 25] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Run,
        Self::Rerun,
        Self::Pause,
        Self::Resume,
        Self::Cancel,
        Self::ResetRetries,
        Self::Backfill,
        Self::Bulk,
        Self::Release,
        Self::Set,
        Self::Push,
        Self::Use,
        Self::Rotate,
        Self::Login,
        Self::Logout,
        Self::Mute,
        Self::Unmute,
        Self::Test,
        Self::Drain,
        Self::Undrain,
        Self::Read,
        Self::CrossSite,
    ];

    /// The name in records and queries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Run => "run",
            Self::Rerun => "rerun",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::ResetRetries => "reset-retries",
            Self::Backfill => "backfill",
            Self::Bulk => "bulk",
            Self::Release => "release",
            Self::Set => "set",
            Self::Push => "push",
            Self::Use => "use",
            Self::Rotate => "rotate",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Test => "test",
            Self::Drain => "drain",
            Self::Undrain => "undrain",
            Self::Read => "read",
            Self::CrossSite => "cross-site",
        }
    }
}
