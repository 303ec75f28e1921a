//! Tokens and sessions that a store keeps. There are few of each, and a server has all of them in memory. Servers
//! that share a store read them anew when another one may have changed them.

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
    /// Notes a use of a token: replaces the first record by the second one. A token that is not as the first one any
    /// more stays as it is, so that a late note brings back no token that was rotated or removed.
    UseToken(Box<(TokenRecord, TokenRecord)>),
    /// Notes a use of a session, as [`AccessChange::UseToken`].
    UseSession(Box<(Session, Session)>),
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
