//! Bindings: names bound to values that handlers may read. The value of a secret is sealed, that of a
//! variable is plain. Secrets and variables share their names: no name is both.

pub mod mask;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use super::{Millis, access::pattern::Pattern};

/// The longest name, in characters.
pub const LONGEST_NAME: usize = 64;
/// The largest value, in bytes of UTF-8.
pub const LARGEST_VALUE: usize = 64 * 1024;
/// The most secrets and variables together.
pub const MOST_BINDINGS: usize = 500;
/// The most bytes of all values together, sealed ones as they are kept.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;
/// The most patterns of one binding.
pub const MOST_PATTERNS: usize = 100;

/// A secret or a variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// Unique; see [`check_name`].
    pub name: String,
    /// The value.
    pub content: Content,
    /// The handlers that may read it: none if it is empty.
    pub handlers: Vec<Pattern>,
    /// Whether it is in `process.env` of these handlers.
    pub env: bool,
    /// Epoch milliseconds.
    pub created_at: Millis,
    /// Epoch milliseconds.
    pub updated_at: Millis,
}

/// The value of a binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Content {
    /// Of a secret: base64 of the nonce and the encrypted value.
    Sealed(String),
    /// Of a variable.
    Plain(String),
}

/// The two kinds of bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sealed.
    Secret,
    /// Plain.
    Variable,
}

impl Kind {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Variable => "variable",
        }
    }

    /// The word at the start of a sentence.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::Variable => "Variable",
        }
    }
}

impl Binding {
    /// Whether it is a secret or a variable.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.content {
            Content::Sealed(_) => Kind::Secret,
            Content::Plain(_) => Kind::Variable,
        }
    }

    /// Whether a handler may read it.
    #[must_use]
    pub fn is_granted_to(&self, handler: &str) -> bool {
        self.handlers.iter().any(|pattern| pattern.matches(handler))
    }

    /// Bytes of its value as it is kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.content {
            Content::Sealed(text) | Content::Plain(text) => text.len(),
        }
    }
}

/// A change of one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewrite {
    /// Adds or replaces the binding of this name.
    Put(Binding),
    /// Removes the binding of this name.
    Remove(String),
}

/// Why a change of bindings is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// There is none of this kind with the name.
    #[error("{} not found", .0.title())]
    NotFound(Kind),
    /// The name is one of the other kind.
    #[error("\"{name}\" is a {} already: delete it first or take another name", .kind.word())]
    OtherKind {
        /// The name.
        name: String,
        /// The kind that it is.
        kind: Kind,
    },
    /// A new one needs a value.
    #[error("there is no such {} yet, so a value is needed", .0.word())]
    NoValue(Kind),
    /// There are [`MOST_BINDINGS`].
    #[error("there are {MOST_BINDINGS} secrets and variables, the most that may be: delete some first")]
    TooMany,
    /// There would be more than [`MOST_BYTES`].
    #[error(
        "all secrets and variables together would take more than {MOST_BYTES} bytes, the most that they may"
    )]
    TooLarge,
    /// The key does not open the secrets that there are.
    #[error(
        "the key of the secrets is not the one that the others were set with, so none can be set: put that key \
         back (ISOCHRON_SECRET_KEY or the file secret-key in the data directory), or delete the others first"
    )]
    OtherKey,
}

/// Checks that `text` can name a binding.
///
/// # Errors
/// A phrase that names the mistake; it does not repeat the text, which may be a value by mistake.
pub fn check_name(text: &str) -> Result<(), String> {
    let is_letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let right = text.len() <= LONGEST_NAME
        && text.bytes().next().is_some_and(is_letter)
        && text.bytes().all(|b| is_letter(b) || b.is_ascii_digit());
    if right {
        return Ok(());
    }
    Err(format!(
        "is no name: it has 1 to {LONGEST_NAME} letters, digits and _, the first no digit, such as API_TOKEN"
    ))
}

/// Checks a value.
///
/// # Errors
/// A phrase that names the mistake, without the value.
pub fn check_value(value: &str) -> Result<(), String> {
    match value.len() {
        0 => Err("must not be empty".to_owned()),
        bytes if bytes > LARGEST_VALUE => {
            Err(format!("has {bytes} bytes: at most {LARGEST_VALUE} are allowed"))
        }
        _ => Ok(()),
    }
}

/// Reads the key of the secrets: 32 bytes as 64 hexadecimal digits or as base64.
#[must_use]
pub fn read_key(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    let mut bytes = if text.len() == 64 {
        HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?
    } else {
        let encodings = [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD];
        encodings.iter().find_map(|encoding| encoding.decode(text.as_bytes()).ok())?
    };
    let key = bytes.as_slice().try_into().ok();
    bytes.fill(0);
    std::hint::black_box(&bytes);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_variable_of_an_environment() {
        for right in ["A", "_a1", "API_TOKEN", &"x".repeat(64)] {
            assert_eq!(check_name(right), Ok(()), "{right}");
        }
        for wrong in ["", "1A", "A-B", "A B", "Ä", "a\n", &"x".repeat(65)] {
            assert!(check_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
