//! The admin token.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of the admin token; the text is not kept.
pub struct Token([u8; 32]);

impl Token {
    /// The token with this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Compares in constant time.
    pub(super) fn accepts(&self, text: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(text).into();
        given.ct_eq(&self.0).into()
    }
}
