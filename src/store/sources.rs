//! Sources: the texts of the handlers' files that were run, and the versions of each handler.

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::domain::Millis;

/// The longest source that is kept, in bytes.
pub const LONGEST_SOURCE: usize = 1024 * 1024;
/// The versions that are kept of a handler: those that ran last.
pub const KEPT_VERSIONS: usize = 50;

/// SHA-256 of a file's bytes.
pub type SourceHash = [u8; 32];

/// Runs of one version of a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionNote {
    /// The handler.
    pub handler: String,
    /// The file that it ran from.
    pub hash: SourceHash,
    /// The text of the file, at most [`LONGEST_SOURCE`] bytes; `None` if it is kept already, or not to be kept.
    pub source: Option<String>,
    /// The runs: their number, and the ends of the first and the last of them.
    pub runs: Runs,
}

/// Runs of a version: their number, and the ends of the first and the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Runs {
    /// Epoch milliseconds.
    pub first_seen: Millis,
    /// Epoch milliseconds.
    pub last_seen: Millis,
    /// 1 or more.
    pub runs: u64,
}

impl Runs {
    /// These runs and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            first_seen: self.first_seen.min(other.first_seen),
            last_seen: self.last_seen.max(other.last_seen),
            runs: self.runs.saturating_add(other.runs),
        }
    }
}

/// A version of a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandlerVersion {
    /// The file that it ran from.
    pub hash: SourceHash,
    /// Its runs.
    pub runs: Runs,
}

/// A source that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSource {
    /// The handler that ran from it.
    pub handler: String,
    /// The text of the file.
    pub text: String,
}

/// Sources that were run, and versions of handlers.
pub trait Sources {
    /// Adds runs to a version of a handler, and keeps its source. The version that ran longest ago goes
    /// beyond [`KEPT_VERSIONS`], with its source.
    fn note_version(&self, note: VersionNote) -> Answer<()>;
    /// Lists the versions of a handler, those that ran last first.
    fn versions(&self, handler: String) -> Answer<Vec<HandlerVersion>>;
    /// Reads a source by the hash of its file.
    fn source(&self, hash: SourceHash) -> Answer<Option<KeptSource>>;
}
