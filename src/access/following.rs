//! Following: a server that shares its store takes over the changes of the others.
//!
//! A token that another server has made works at once: a text that is not known is looked up in the store. One that
//! was taken back there works for [`FOLLOWED_WITHIN`] at most.

use super::{Access, State};
use crate::{
    domain::{Millis, lock::lock},
    store::StoreError,
};

/// A request is judged by tokens and sessions of this age at most, in milliseconds.
pub(super) const FOLLOWED_WITHIN: Millis = 1000;
/// The reads of one turn at most: changes of this server that come between make another one necessary.
const READS: usize = 3;

impl Access {
    /// Takes over the changes of other servers, the newest too if the request is not let in otherwise.
    pub(super) async fn follow_until(&self, lets_in: impl Fn(&State, Millis) -> bool) {
        if self.reading.is_none() {
            return;
        }
        self.follow(FOLLOWED_WITHIN).await;
        let is_in = lets_in(&lock(&self.state), self.clock.now());
        if !is_in {
            self.follow(0).await;
        }
    }

    /// Takes over the changes of other servers that are older than `within` milliseconds. Without an answer of the
    /// store, the tokens and sessions stay as they are.
    pub(super) async fn follow(&self, within: Millis) {
        let Some(reading) = &self.reading else { return };
        let Some(turn) = reading.begin(within).await else { return };
        for _ in 0..READS {
            match self.read_anew().await {
                Ok(true) => return turn.end(),
                Ok(false) => {}
                Err(error) => {
                    return tracing::warn!(%error, "the tokens of other servers cannot be read");
                }
            }
        }
    }

    /// Reads all tokens and sessions. `false` if this server has changed some meanwhile.
    async fn read_anew(&self) -> Result<bool, StoreError> {
        let edits = lock(&self.state).edits;
        let (tokens, sessions) = (self.store.tokens().await?, self.store.sessions().await?);
        let mut state = lock(&self.state);
        if state.edits != edits {
            return Ok(false);
        }
        state.tokens.clear();
        state.by_hash.clear();
        tokens.into_iter().for_each(|token| state.put(token));
        state.sessions = sessions.into_iter().map(|session| (session.hash, session)).collect();
        Ok(true)
    }
}
