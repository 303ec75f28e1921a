//! Sessions: a browser that has logged in with a token.

use serde::{Deserialize, Serialize};

use super::record::TokenHash;
use crate::domain::Millis;

/// A session ends after this long without a request, in milliseconds.
pub const IDLE: Millis = 12 * 3_600_000;
/// A session ends this long after the login, in milliseconds.
pub const LONGEST: Millis = 7 * 24 * 3_600_000;
/// The most sessions at a time; the next login ends the one that would end first.
pub const MOST_SESSIONS: usize = 1000;
/// The longest name of a browser that is kept, in bytes.
const LONGEST_AGENT: usize = 200;

/// A session. The text of its cookie is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The hash of the cookie's text.
    pub hash: TokenHash,
    /// The hash of the token's text: the session ends when that text no longer works.
    pub token: TokenHash,
    /// The time of the login.
    pub created_at: Millis,
    /// The time of the last request, to the minute.
    pub seen_at: Millis,
    /// The address of the last request.
    #[serde(default)]
    pub address: Option<String>,
    /// The browser's name for itself at the login.
    #[serde(default)]
    pub agent: Option<String>,
}

impl Session {
    /// The session of a login.
    #[must_use]
    pub fn new(
        hash: TokenHash,
        token: TokenHash,
        now: Millis,
        address: Option<String>,
        agent: Option<&str>,
    ) -> Self {
        let agent = agent.map(|agent| agent.chars().take(LONGEST_AGENT / 4).collect());
        Self { hash, token, created_at: now, seen_at: now, address, agent }
    }

    /// When the session ends if no request comes.
    #[must_use]
    pub fn ends_at(&self) -> Millis {
        (self.seen_at + IDLE).min(self.created_at + LONGEST)
    }

    /// Whether the session goes on. A clock that is set back does not prolong it.
    #[must_use]
    pub fn is_live(&self, now: Millis) -> bool {
        now < self.ends_at()
    }

    /// The name under which the API shows the session: the beginning of its hash, which opens nothing.
    #[must_use]
    pub fn id(&self) -> String {
        Self::id_of(self.hash)
    }

    /// The name of the session with a hash.
    #[must_use]
    pub fn id_of(hash: TokenHash) -> String {
        let hash = data_encoding::HEXLOWER.encode(&hash.0);
        format!("session-{}", &hash[..20])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_is_idle_and_after_a_week_at_the_latest() {
        let hash = TokenHash([1; 32]);
        let session = Session::new(hash, hash, 0, None, Some(&"ä".repeat(500)));
        assert!(session.agent.as_ref().is_some_and(|agent| agent.len() <= LONGEST_AGENT));
        assert!(session.is_live(IDLE - 1) && !session.is_live(IDLE));
        let busy = Session { seen_at: LONGEST - 1000, ..session };
        assert!(busy.is_live(LONGEST - 1) && !busy.is_live(LONGEST));
    }
}
