//! Source: a file of the handlers' folder, as it is run.

use serde::{Deserialize, Serialize};

/// One JavaScript or JSON file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    /// The name of the file in stacks and errors, such as `tasks/reports/sales.js`.
    pub file: String,
    /// JavaScript or JSON.
    pub kind: SourceKind,
    /// The text, UTF-8, without a byte order mark.
    pub text: String,
    /// SHA-256 of the file's bytes.
    pub hash: [u8; 32],
    /// V8's code cache for exactly this text and engine, if there is one.
    #[serde(with = "serde_bytes")]
    pub cache: Option<Vec<u8>>,
}

/// The content of a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceKind {
    /// A CommonJS module.
    Script,
    /// JSON.
    Json,
}
