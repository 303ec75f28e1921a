//! Access: finds out who makes a request, and keeps tokens and sessions.
//!
//! All tokens and sessions are in memory, under the SHA-256 of their texts; the store has them durably. A server
//! that shares its store reads them anew ([`following`]). A request brings a token, or the cookie of a session that somebody has opened with a token; both lead to
//! an [`Identity`]. The token of the configuration is not in the store: it is an admin named `config`.
//!
//! Misuse to avoid: an answer to a wrong token that does not go through [`Access::note_failure`].

pub mod address;
pub mod cookie;
mod following;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex},
};

use self::following::FOLLOWED_WITHIN;
pub use self::tokens::{NewToken, TokenError};
use crate::{
    clock::{Clock, Ids},
    cluster::Reading,
    domain::{
        Millis,
        access::{
            Grant, Role,
            limiter::Limiter,
            record::{Ended, TokenHash, TokenRecord},
            secret::{Form, form_of},
            session::Session,
        },
        audit::Refusals,
        ids::TokenId,
        lock::lock,
    },
    store::{AccessChange, Store, StoreError},
};

/// The name of the token that the configuration gives.
pub const CONFIG: &str = "config";
/// The uses of a token and a session are written at most this often, in milliseconds.
const SEEN_EVERY: Millis = 60_000;

/// Tokens and sessions.
pub struct Access {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Ids,
    /// The hash of the configuration's token.
    config: TokenHash,
    /// The longest life of a new token, in milliseconds.
    longest: Option<Millis>,
    state: Mutex<State>,
    /// Held while tokens change, so that names stay unique.
    changing: tokio::sync::Mutex<()>,
    /// The age of the state, where other servers may change the records in the store.
    reading: Option<Reading>,
}

#[derive(Default)]
struct State {
    tokens: BTreeMap<TokenId, TokenRecord>,
    /// Tokens by the hashes of their texts, the ones of before a rotation too.
    by_hash: HashMap<TokenHash, TokenId>,
    sessions: HashMap<TokenHash, Session>,
    /// Counts the changes of tokens and sessions.
    edits: u64,
    limiter: Limiter,
    refusals: Refusals,
}

impl State {
    fn put(&mut self, token: TokenRecord) {
        self.edits += 1;
        self.remove(token.id);
        self.by_hash.insert(token.hash, token.id);
        self.by_hash.extend(token.previous.map(|previous| (previous.hash, token.id)));
        self.tokens.insert(token.id, token);
    }

    fn remove(&mut self, id: TokenId) -> Option<TokenRecord> {
        self.edits += 1;
        self.by_hash.retain(|_, of| *of != id);
        self.tokens.remove(&id)
    }
}

/// The user or program behind a request.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The token; `None`: the configuration's.
    pub token: Option<TokenId>,
    /// The hash of the token's text.
    pub hash: TokenHash,
    /// The name of the token.
    pub name: String,
    /// The rights.
    pub grant: Grant,
    /// When the token ends.
    pub expires_at: Option<Millis>,
    /// The session, if the request came with its cookie.
    pub session: Option<TokenHash>,
}

/// Why a token or a session does not let a request in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No token has this text.
    #[error("The token is not known")]
    Unknown,
    /// The checksum of the text is wrong.
    #[error("The token is mistyped: a character is wrong or missing")]
    Mistyped,
    /// The token's time is over.
    #[error("The token has expired")]
    Expired,
    /// The token has another text by now.
    #[error("The token has been rotated: use its new text")]
    Rotated,
    /// The session has ended.
    #[error("The session has ended: log in again")]
    NoSession,
}

impl Access {
    /// Reads the tokens and sessions of a store. `config` is the hash of the configuration's token;
    /// `longest` is the longest life of a new token in milliseconds.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        config: TokenHash,
        longest: Option<Millis>,
    ) -> Result<Self, StoreError> {
        let mut state = State::default();
        for token in store.tokens().await? {
            state.put(token);
        }
        let now = clock.now();
        let (live, ended): (Vec<_>, Vec<_>) =
            store.sessions().await?.into_iter().partition(|session| session.is_live(now));
        state.sessions = live.into_iter().map(|session| (session.hash, session)).collect();
        let ended: Vec<_> =
            ended.into_iter().map(|session| AccessChange::RemoveSession(session.hash)).collect();
        if !ended.is_empty() {
            store.change_access(ended, None).await?;
        }
        let (ids, reading) = (Ids::new(clock.clone()), Reading::new(clock.clone()));
        let reading = store.shared().map(|_| reading);
        let (state, changing) = (Mutex::new(state), tokio::sync::Mutex::default());
        Ok(Self { store, clock, ids, config, longest, state, changing, reading })
    }

    /// Finds the token with a text, and notes its use at most once a minute.
    ///
    /// # Errors
    /// The text is no token's, or the token has ended.
    pub async fn find_token(&self, text: &[u8], address: Option<IpAddr>) -> Result<Identity, Denied> {
        let hash = TokenHash::of(text);
        self.follow_until(|state, now| self.identify(state, hash, now).is_ok()).await;
        let now = self.clock.now();
        let (found, used) = {
            let mut state = lock(&self.state);
            let found = self.identify(&state, hash, now).map_err(|denied| match denied {
                Denied::Unknown if is_mistyped(text) => Denied::Mistyped,
                denied => denied,
            })?;
            let used = found.token.and_then(|id| note_use(state.tokens.get_mut(&id)?, address, now));
            (found, used)
        };
        if let Some(used) = used {
            self.write_use(AccessChange::UseToken(Box::new(used))).await;
        }
        Ok(found)
    }

    /// Counts a wrong token of an address.
    ///
    /// # Errors
    /// There have been too many within a minute: the seconds to wait.
    pub fn note_failure(&self, address: Option<IpAddr>) -> Result<(), u32> {
        let Some(address) = address else { return Ok(()) };
        lock(&self.state).limiter.note_failure(address, self.clock.now())
    }

    /// Whether a login that failed goes into the audit: the first of each minute and address.
    pub fn admits_failed_login(&self, address: Option<IpAddr>) -> bool {
        lock(&self.state).refusals.admits_address(address, self.clock.now())
    }

    /// Whether a change of another site goes into the audit: the first of each minute and address.
    pub fn admits_other_site(&self, address: Option<IpAddr>) -> bool {
        lock(&self.state).refusals.admits_other_site(address, self.clock.now())
    }

    /// Whether a refusal goes into the audit: so many of each minute and token.
    pub fn admits_refusal(&self, identity: &Identity) -> bool {
        lock(&self.state).refusals.admits_token(identity.hash, self.clock.now())
    }

    /// The rights of a caller by now; `None` once the token or the session has ended. For answers that go on.
    pub async fn look_again(&self, identity: &Identity) -> Option<Grant> {
        self.follow(FOLLOWED_WITHIN).await;
        let now = self.clock.now();
        let state = lock(&self.state);
        let goes_on = |hash| state.sessions.get(hash).is_some_and(|session| session.is_live(now));
        let found = self.identify(&state, identity.hash, now).ok()?;
        identity.session.as_ref().is_none_or(goes_on).then_some(found.grant)
    }

    /// The holder of the token whose text has this hash.
    fn identify(&self, state: &State, hash: TokenHash, now: Millis) -> Result<Identity, Denied> {
        if hash == self.config {
            let (name, grant) = (CONFIG.to_owned(), Grant::admin());
            return Ok(Identity { token: None, hash, name, grant, expires_at: None, session: None });
        }
        let token = state.by_hash.get(&hash).and_then(|id| state.tokens.get(id)).ok_or(Denied::Unknown)?;
        let grant = token.check(hash, now).ok_or(Denied::Unknown)?.map_err(|ended| match ended {
            Ended::Expired => Denied::Expired,
            Ended::Rotated => Denied::Rotated,
        })?;
        Ok(Identity {
            token: Some(token.id),
            hash,
            name: token.name.clone(),
            grant,
            expires_at: token.expires_at,
            session: None,
        })
    }

    /// Writes the time of a use. A request does not fail because it cannot be written.
    async fn write_use(&self, change: AccessChange) {
        if let Err(error) = self.store.change_access(vec![change], None).await {
            tracing::warn!(%error, "the use of a token or a session is not written");
        }
    }
}

impl Identity {
    /// The role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.grant.role
    }
}

/// The record before and after a use, if the last use noted is a minute old.
fn note_use(
    token: &mut TokenRecord,
    address: Option<IpAddr>,
    now: Millis,
) -> Option<(TokenRecord, TokenRecord)> {
    // A clock that was set back must not stop the notes.
    if token.last_used_at.is_some_and(|last| last <= now && now - last < SEEN_EVERY) {
        return None;
    }
    let before = token.clone();
    token.last_used_at = Some(now);
    token.last_address = address.map(|address| address.to_canonical().to_string());
    Some((before, token.clone()))
}

fn is_mistyped(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| form_of(text) == Form::Mistyped)
}
