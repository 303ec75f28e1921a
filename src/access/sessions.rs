//! Sessions: log in, find, end.

use std::net::IpAddr;

use super::{Access, Denied, Identity, SEEN_EVERY, State};
use crate::{
    clock::random_token,
    domain::{
        access::{
            record::TokenHash,
            session::{MOST_SESSIONS, Session},
        },
        audit::Target,
        lock::lock,
    },
    store::{AccessChange, Audit, StoreError},
};

impl Access {
    /// Opens a session with a token's text: the text of its cookie, and who it is. `agent` is the
    /// browser's name for itself. `audit` is written with it, about the session.
    ///
    /// # Errors
    /// The token does not let in, or the store fails.
    pub async fn log_in(
        &self,
        token: &str,
        address: Option<IpAddr>,
        agent: Option<&str>,
        audit: Option<Audit>,
    ) -> Result<Result<(String, Identity), Denied>, StoreError> {
        let identity = match self.find_token(token.as_bytes(), address).await {
            Ok(identity) => identity,
            Err(denied) => return Ok(Err(denied)),
        };
        let cookie = random_token();
        let (hash, now) = (TokenHash::of(cookie.as_bytes()), self.clock.now());
        let address = address.map(|address| address.to_canonical().to_string());
        let session = Session::new(hash, TokenHash::of(token.as_bytes()), now, address, agent);
        let put = AccessChange::PutSession(Box::new(session.clone()));
        let room = self.make_room();
        let audit = audit.map(|audit| audit.on(Target::new("session", session.id())));
        self.store.change_access(room.into_iter().chain([put]).collect(), audit).await?;
        let mut state = lock(&self.state);
        state.edits += 1;
        state.sessions.insert(hash, session);
        drop(state);
        Ok(Ok((cookie, Identity { session: Some(hash), ..identity })))
    }

    /// Finds the session with a cookie's text, and notes its use at most once a minute.
    ///
    /// # Errors
    /// The session has ended, or its token has.
    pub async fn find_session(&self, cookie: &str, address: Option<IpAddr>) -> Result<Identity, Denied> {
        let hash = TokenHash::of(cookie.as_bytes());
        self.follow_until(|state, now| state.sessions.get(&hash).is_some_and(|session| session.is_live(now)))
            .await;
        let now = self.clock.now();
        let (found, seen) = {
            let mut state = lock(&self.state);
            let session = state.sessions.get(&hash).filter(|session| session.is_live(now));
            let token = session.ok_or(Denied::NoSession)?.token;
            let identity = self.identify(&state, token, now).map_err(|_| Denied::NoSession)?;
            let seen = state.sessions.get_mut(&hash).and_then(|session| note_seen(session, address, now));
            (Identity { session: Some(hash), ..identity }, seen)
        };
        if let Some(seen) = seen {
            self.write_use(AccessChange::UseSession(Box::new(seen))).await;
        }
        Ok(found)
    }

    /// The sessions that go on, each with its holder; the newest login first.
    pub async fn sessions(&self) -> Vec<(Session, Identity)> {
        self.follow(0).await;
        let now = self.clock.now();
        let state = lock(&self.state);
        let live = state.sessions.values().filter(|session| session.is_live(now));
        let mut found: Vec<_> = live
            .filter_map(|session| Some((session.clone(), self.identify(&state, session.token, now).ok()?)))
            .collect();
        found.sort_by_key(|(session, _)| (std::cmp::Reverse(session.created_at), session.hash));
        found
    }

    /// Ends sessions by the hashes of their cookies, and writes `audit` with it.
    ///
    /// # Errors
    /// When the store fails; the sessions go on then.
    pub async fn end_sessions(&self, sessions: &[TokenHash], audit: Option<Audit>) -> Result<(), StoreError> {
        let changes = sessions.iter().map(|hash| AccessChange::RemoveSession(*hash)).collect();
        self.store.change_access(changes, audit).await?;
        let mut state = lock(&self.state);
        state.edits += 1;
        state.sessions.retain(|hash, _| !sessions.contains(hash));
        Ok(())
    }

    /// Removes ended sessions, and the one that ends first if there are too many.
    fn make_room(&self) -> Vec<AccessChange> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let State { sessions, .. } = &mut *state;
        let mut gone: Vec<_> =
            sessions.values().filter(|session| !session.is_live(now)).map(|s| s.hash).collect();
        if sessions.len() - gone.len() >= MOST_SESSIONS {
            gone.extend(
                sessions.values().min_by_key(|session| session.ends_at()).map(|session| session.hash),
            );
        }
        sessions.retain(|hash, _| !gone.contains(hash));
        state.edits += 1;
        gone.into_iter().map(AccessChange::RemoveSession).collect()
    }
}

/// The record before and after a request, if the last one noted is a minute old.
fn note_seen(session: &mut Session, address: Option<IpAddr>, now: i64) -> Option<(Session, Session)> {
    if session.seen_at <= now && now - session.seen_at < SEEN_EVERY {
        return None;
    }
    let before = session.clone();
    session.seen_at = now;
    session.address = address.map(|address| address.to_canonical().to_string());
    Some((before, session.clone()))
}
