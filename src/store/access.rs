//! Tokens and sessions that a store keeps. There are few of each, and a server has all of them in memory. Servers
//! that share a store read them anew when another one may have changed them.

use std::collections::BTreeMap;

use super::{
    Audit,
    words::{Answer, StoreError},
};
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
    /// Adds or replaces the token with this id. No other token may have its name.
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
    ///
    /// # Errors
    /// [`StoreError::TokenNameTaken`], with nothing changed.
    fn change_access(&self, changes: Vec<AccessChange>, audit: Option<Audit>) -> Answer<()>;
}

/// Whether names of tokens are to be compared before these changes.
pub(super) fn gives_names(changes: &[AccessChange]) -> bool {
    changes.iter().any(|change| matches!(change, AccessChange::PutToken(_)))
}

/// Refuses changes that give a token the name of another one; `tokens` are those before them.
pub(super) fn ensure_names_differ(
    tokens: impl IntoIterator<Item = TokenRecord>,
    changes: &[AccessChange],
) -> Result<(), StoreError> {
    let mut names: BTreeMap<_, _> = tokens.into_iter().map(|token| (token.id, token.name)).collect();
    for change in changes {
        match change {
            AccessChange::PutToken(token) => {
                if names.iter().any(|(id, name)| *id != token.id && *name == token.name) {
                    return Err(StoreError::TokenNameTaken(token.name.clone()));
                }
                names.insert(token.id, token.name.clone());
            }
            AccessChange::RemoveToken(id) => drop(names.remove(id)),
            _ => {}
        }
    }
    Ok(())
}
