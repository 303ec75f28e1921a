//! Source: a file of the handlers' folder, as it is run, and the ways that lead from file to file.

use serde::{Deserialize, Serialize};

/// One JavaScript or JSON file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    /// The name of the file in stacks and errors, such as `tasks/reports/sales.js`.
    pub file: String,
    /// The language and the kind of module.
    pub kind: SourceKind,
    /// The text, UTF-8, without a byte order mark and without types.
    pub text: String,
    /// SHA-256 of the file's bytes.
    pub hash: [u8; 32],
    /// The names that a CommonJS module exports as far as its text shows them, for an `import`;
    /// empty in a file that nothing imports.
    pub names: Vec<String>,
    /// V8's code cache for exactly this text and engine, if there is one.
    #[serde(with = "serde_bytes")]
    pub cache: Option<Vec<u8>>,
}

impl Source {
    /// The key of the code cache: the hash, changed for a text that is not the file's own, because V8
    /// compares no more of a text than its length.
    #[must_use]
    pub fn cache_key(&self) -> [u8; 32] {
        let mut key = self.hash;
        if is_typescript(&self.file) {
            key[0] ^= 1;
        }
        key
    }
}

/// Whether a file has types, by its name.
#[must_use]
pub fn is_typescript(file: &str) -> bool {
    [".ts", ".mts", ".cts"].iter().any(|end| file.ends_with(end))
}

/// The content of a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceKind {
    /// A CommonJS module.
    Script,
    /// A CommonJS module, unless it compiles as an ES module only: no name, package or statement
    /// says which.
    Unmarked,
    /// An ES module.
    Module,
    /// JSON.
    Json,
}

/// How a file asks for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Way {
    /// `require`.
    Require,
    /// `import`, also `import()`.
    Import,
}

/// A specifier in a file, and the file that it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The asking file, a [`Source::file`].
    pub from: String,
    /// How it asks.
    pub way: Way,
    /// The text between the quotes.
    pub specifier: String,
    /// The meant file, a [`Source::file`].
    pub to: String,
}

/// The file that a specifier means, with the files that it leads to by its own text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Loaded {
    /// The meant file first.
    pub files: Vec<Source>,
    /// The specifiers that are resolved already.
    pub links: Vec<Link>,
}

/// Why a specifier means no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unresolved {
    /// Node's code for it, by which programs tell a missing file from a broken one.
    pub code: String,
    /// A sentence for the handler's author.
    pub text: String,
}
