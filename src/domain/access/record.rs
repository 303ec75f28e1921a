//! The record of a token: its rights, its life, and the hashes by which it is known.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Grant, Role, pattern::Pattern};
use crate::domain::{Millis, ids::TokenId};

/// The SHA-256 of a token's text; the text itself is never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenHash(#[serde(with = "hex")] pub [u8; 32]);

impl TokenHash {
    /// The hash of a text.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(de::Error::custom)?;
        bytes.try_into().map_err(|_| de::Error::custom("a hash has 32 bytes"))
    }
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    /// The id, under which the API shows it.
    pub id: TokenId,
    /// The name, unique among tokens.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The handlers whose tasks it sees; `None`: all.
    #[serde(default)]
    pub handlers: Option<Vec<Pattern>>,
    /// The hash of its text.
    pub hash: TokenHash,
    /// The text of before the last rotation, while it still works.
    #[serde(default)]
    pub previous: Option<Previous>,
    /// When it was made.
    pub created_at: Millis,
    /// The name of the token that made it.
    pub created_by: String,
    /// When it ends.
    #[serde(default)]
    pub expires_at: Option<Millis>,
    /// When its text was last changed.
    #[serde(default)]
    pub rotated_at: Option<Millis>,
    /// When it was last used, to the minute.
    #[serde(default)]
    pub last_used_at: Option<Millis>,
    /// The address from which it was last used.
    #[serde(default)]
    pub last_address: Option<String>,
}

/// A token's text of before a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// The hash of the text.
    pub hash: TokenHash,
    /// The text works until then.
    pub until: Millis,
}

/// Why a known token does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its time is over.
    Expired,
    /// Its text was changed, and the overlap is over.
    Rotated,
}

impl TokenRecord {
    /// The rights of the token, if the text with this hash works at `now`. `None`: the hash is
    /// not one of this token's.
    #[must_use]
    pub fn check(&self, hash: TokenHash, now: Millis) -> Option<Result<Grant, Ended>> {
        let works = if hash == self.hash {
            Ok(())
        } else {
            let previous = self.previous.filter(|previous| previous.hash == hash)?;
            if now < previous.until { Ok(()) } else { Err(Ended::Rotated) }
        };
        let lives = self.expires_at.is_none_or(|end| now < end);
        Some(works.and(if lives { Ok(self.grant()) } else { Err(Ended::Expired) }))
    }

    /// The rights of the token.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant { role: self.role, handlers: self.handlers.clone() }
    }

    /// The token with a new text; the one of before works for `overlap` milliseconds.
    #[must_use]
    pub fn rotate(mut self, hash: TokenHash, now: Millis, overlap: Millis) -> Self {
        self.previous = (overlap > 0).then_some(Previous { hash: self.hash, until: now + overlap });
        self.hash = hash;
        self.rotated_at = Some(now);
        self
    }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;

    fn token() -> TokenRecord {
        TokenRecord {
            id: TokenId(Ulid(1)),
            name: "ci".to_owned(),
            role: Role::Operator,
            handlers: None,
            hash: TokenHash([1; 32]),
            previous: None,
            created_at: 0,
            created_by: "config".to_owned(),
            expires_at: Some(1000),
            rotated_at: None,
            last_used_at: None,
            last_address: None,
        }
    }

    #[test]
    fn a_token_works_until_it_ends() {
        let token = token();
        assert_eq!(token.check(token.hash, 999), Some(Ok(token.grant())));
        assert_eq!(token.check(token.hash, 1000), Some(Err(Ended::Expired)));
        assert_eq!(token.check(TokenHash([2; 32]), 0), None);
    }

    #[test]
    fn after_a_rotation_the_text_of_before_works_for_the_overlap() {
        let old = token().hash;
        let new = TokenHash([2; 32]);
        let rotated = token().rotate(new, 100, 50);
        assert_eq!(rotated.check(new, 100), Some(Ok(rotated.grant())));
        assert_eq!(rotated.check(old, 149), Some(Ok(rotated.grant())));
        assert_eq!(rotated.check(old, 150), Some(Err(Ended::Rotated)));
        assert_eq!(token().rotate(new, 100, 0).check(old, 100), None);
    }

    #[test]
    fn a_record_is_written_without_the_text_and_read_again() {
        let record = token().rotate(TokenHash([0xab; 32]), 1, 2);
        let text = serde_json::to_string(&record).expect("it is written");
        assert!(text.contains(&"ab".repeat(32)), "{text}");
        assert_eq!(serde_json::from_str::<TokenRecord>(&text).expect("it is read"), record);
    }
}
