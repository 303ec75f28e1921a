//! Tokens and sessions that a store keeps. There are few of each; the server has all of them in memory
//! and is the only one that changes them.

use super::{Audit, words::Answer};
use crate::domain::{
    access::{
        record::{TokenHash, TokenRecord},
        session::Session,
    },
    ids::TokenId,
};

/// A change of a token or a session.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessChange {
    /// Adds or replaces the token with this id.
    PutToken(Box<TokenRecord>),
    /// Removes a token.
    RemoveToken(TokenId),
    /// Adds or replaces the session with this hash.
    PutSession(Box<Session>),
    /// Removes the session with this hash.
    RemoveSession(TokenHash),
}

/// Tokens and sessions.
pub trait Access {
    /// Reads all tokens, in the order of their ids.
    fn tokens(&self) -> Answer<Vec<TokenRecord>>;
    /// Reads all sessions, ended ones too.
    fn sessions(&self) -> Answer<Vec<Session>>;
    /// Makes all the changes, and writes `audit` with them.
    fn change_access(&self, changes: Vec<AccessChange>, audit: Option<Audit>) -> Answer<()>;
}
